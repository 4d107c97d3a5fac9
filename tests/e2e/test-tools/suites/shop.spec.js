// What the browser is shown: one claim that holds, one that doesn't.
const { expect, test } = require('@playwright/test')

test('the page says which version serves', async ({ page }) => {
  await page.goto('/')

  await expect(page.locator('body')).toContainText('1.2.3')
})

test('the page greets', async ({ page }) => {
  await page.goto('/')

  await expect(page.locator('body')).toContainText('Welcome', { timeout: 200 })
})
