// Chromium without a head, and pages in it that fail the test when anything goes wrong inside.

import { chromium } from 'playwright-core'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

// The test that starts a script gives it so long: on a busy machine a page may take its time.
const PATIENCE_MS = 600_000

export const WIDE = { width: 1440, height: 900 }
export const NARROW = { width: 375, height: 812 }

export function launch(...flags) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  return chromium.launch({ executablePath, args: [...FLAGS, ...flags], timeout: PATIENCE_MS })
}

/** A fresh page; `faults` gathers exceptions and refused scripts or styles. */
export async function open(browser, { viewport = WIDE, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport, colorScheme })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const faults = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Uncaught/.test(message.text())) faults.push(message.text())
  })
  return { page, faults }
}
