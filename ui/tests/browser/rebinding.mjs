// A page whose owner lets its name point at this machine (DNS rebinding) gets nothing from a real server.
//
//     node tests/browser/rebinding.mjs http://127.0.0.1:API http://127.0.0.1:REGISTRY        exit status 0: it was refused

import assert from 'node:assert/strict'
import { launch } from './browser.mjs'

const [api, registry] = process.argv.slice(2).map((origin) => new URL(origin).port)
const browser = await launch('--host-resolver-rules=MAP *.example 127.0.0.1')
const page = await browser.newPage()
page.setDefaultTimeout(20_000)

const visit = async (url) => (await page.goto(url)).status()
// In the page that was opened last: to the browser all of it is one origin.
const ask = (path, method) => page.evaluate(async ([p, m]) => (await fetch(p, { method: m })).status, [path, method])

assert.equal(await visit(`http://evil.example:${api}/ui/`), 403)
assert.match(await page.content(), /request\.foreign_host/)
assert.equal(await ask('/applications/shop/pipelineConfigs', 'GET'), 403)
assert.equal(await ask('/webhooks/git/github', 'POST'), 403)

assert.equal(await visit(`http://127.0.0.1.evil.example:${registry}/v2/`), 403)
assert.equal(await ask('/v2/shop/blobs/uploads/', 'POST'), 403)

assert.equal(await visit(`http://127.1:${api}/health/live`), 200) // which the browser writes as it must be
await browser.close()
