// What the browser is shown: a claim that holds, and one that doesn't.
const { expect, test } = require('@playwright/test')

test('the page says which version serves, and greets', async ({ page }) => {
  await page.goto('/')

  await expect(page.locator('body')).toContainText('1.2.3')
  await expect(page.locator('body')).toContainText('Welcome', { timeout: 200 })
})
