// A person at a real server's page: opens the one-time link, finds the execution, reads, approves, sees it go on.
//
//     node tests/browser/approve.mjs LINK EXECUTION REASON        exit status 0: all of it was seen

import assert from 'node:assert/strict'
import { launch, open } from './browser.mjs'

const [link, execution, reason] = process.argv.slice(2)
const { origin } = new URL(link)
const browser = await launch()
const { page, faults } = await open(browser)
page.setDefaultTimeout(20_000)

await page.goto(`${origin}/ui/#/executions/${execution}`)
await page.getByText('gennaker link').waitFor() // nobody is signed in yet

await page.goto(link)
await page.getByRole('heading', { name: 'Applications' }).waitFor()
await page.goto(`${origin}/ui/#/executions/${execution}`)
await page.getByText('Live', { exact: true }).waitFor()
await page.locator('.pill', { hasText: 'needs a decision' }).waitFor()

await page.getByLabel('Reason').fill(reason)
await page.getByRole('button', { name: /^Approve$|^Approve [^N]/ }).last().click()

// Nothing is loaded anew: this comes by the event stream.
await page.locator('.pill', { hasText: 'Succeeded' }).waitFor()
await page.getByRole('button', { name: /^Approve Approved/ }).click()
await page.getByRole('article').getByText(reason).waitFor()
assert.deepEqual(faults, [])
await browser.close()
