// The built page in a real browser, against recorded answers: every state, both widths, by keyboard alone.
//
//     npm run build && npm run test:browser      needs Chromium (Debian package chromium; CHROMIUM names another)

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { launch, NARROW, open, WIDE } from './browser.mjs'

const MOCK = fileURLToPath(new URL('../../dev/server.mjs', import.meta.url))
const LONGEST_MILLISECONDS = 10_000
/** A picture of one point. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

let mock
let browser
let address

before(async () => {
  mock = spawn(process.execPath, [MOCK, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(mock.stdout, 'data')
  address = new URL(String(line).trim()).origin
  browser = await launch()
})

after(async () => {
  await browser?.close()
  mock?.kill()
})

async function direct(what) {
  const answer = await fetch(`${address}/mock/${what}`, { method: 'POST' })
  assert.equal(answer.status, 200)
  return (await answer.json()).open
}

async function look(scene, options) {
  const id = await direct(scene)
  const { page, faults } = await open(browser, options)
  page.setDefaultTimeout(LONGEST_MILLISECONDS)
  await page.goto(`${address}/ui/#/${id ? `executions/${id}` : ''}`)
  return { page, faults, id }
}

/** Pixels by which the page is wider than the screen, or something of it than the card that it stands in. */
const tooWide = (page) =>
  page.evaluate(() => {
    const cards = [document.documentElement, ...document.querySelectorAll('.card')]
    return Math.max(...cards.map((one) => one.scrollWidth - one.clientWidth))
  })

const STATES = [
  ['building', 'Running: Build shop'],
  ['staging', 'Running: Integration tests'],
  ['canary', 'Running: Canary'],
  ['approval', 'Approve: needs a decision'],
  ['released', 'Delivered'],
  ['parallel', 'Delivered'],
  ['rolled-back', 'Delivered, then rolled back'],
  ['smoke', 'Failed at Smoke test'],
  ['caught', 'Failed at Canary'],
  ['rejected', 'Rejected'],
  ['failed', 'Failed at Build shop'],
  ['unread', 'Failed at Build shop'],
]

for (const [scene, phrase] of STATES) {
  test(`${scene} is told as "${phrase}", which overflows neither a wide nor a narrow screen`, async () => {
    const { page, faults } = await look(scene)
    for (const viewport of [WIDE, NARROW]) {
      await page.setViewportSize(viewport)

      await page.locator('.pill', { hasText: phrase }).waitFor()
      await page.getByRole('region', { name: 'Traffic' }).getByText('shop-prod', { exact: true }).waitFor()

      assert.equal(await tooWide(page), 0, `at ${viewport.width}`)
    }
    assert.deepEqual(faults, [])
    await page.context().close()
  })
}

test('what ended before its first stage says why; a name that is one long word overflows nothing', async () => {
  const { page, faults } = await look('stageless')
  for (const viewport of [WIDE, NARROW]) {
    await page.setViewportSize(viewport)

    await page.getByText('It ended before its first stage').waitFor()
    await page.getByRole('list', { name: 'What went wrong' }).getByText('The pipeline has no stages.').waitFor()
    assert.equal(await tooWide(page), 0)
    await page.goto(`${address}/ui/#/`)
    await page.getByText('All of storefront').waitFor()
    assert.equal(await tooWide(page), 0)
    await page.goBack()
  }
  assert.deepEqual(faults, [])
  await page.context().close()
})

test('stages with nothing between them stand one below the other, without a line from one to the other', async () => {
  const { page } = await look('parallel')
  const boxOf = async (name) => page.locator('.phase-head', { hasText: name }).boundingBox()

  await page.locator('.phase').first().waitFor()
  const [staging, told, scanned, tested] = await Promise.all(['Staging', 'Tell the team', 'Scan the image', 'Load test'].map(boxOf))
  assert.equal(told.x, staging.x)
  assert.equal(scanned.x, staging.x)
  assert.ok(told.y > staging.y && scanned.y > told.y, 'one below the other')
  assert.ok(tested.x > scanned.x && tested.y === scanned.y, 'what follows stands to the right')
  await page.context().close()
})

test('a build of which nothing is known is called by its pipeline and commit, never by an id', async () => {
  const { page, id } = await look('unread')

  const title = page.getByRole('heading', { level: 1 })
  await title.getByText(/^build-shop of [0-9a-f]{7}$/).waitFor()
  await page.getByRole('list', { name: 'What went wrong' }).locator('code', { hasText: /^repository$/ }).waitFor()
  assert.ok(!(await page.locator('main').innerText()).includes(id))
  await page.context().close()
})

test('an approval is given by keyboard alone, and the card then says who gave it and why', async () => {
  const { page } = await look('approval')
  await page.getByLabel('Reason').focus()

  await page.keyboard.type('The canary looks well.')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')

  const card = page.getByRole('article')
  await card.getByText('Approved').waitFor()
  await card.getByText('The canary looks well.').waitFor()
  await card.getByText('by operator').waitFor()
  assert.equal(await page.getByRole('button', { name: 'Reject' }).count(), 0)
  await page.context().close()
})

test('a rejection without a reason is not sent', async () => {
  const { page } = await look('approval')

  await page.getByRole('button', { name: 'Reject' }).click()

  await page.getByRole('alert').getByText('Say why you reject it').waitFor()
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'TEXTAREA')
  await page.context().close()
})

test('an approval with choices wants one of them', async () => {
  const { page } = await look('choices')

  await page.getByRole('button', { name: 'Approve 1.2.3' }).click()
  await page.getByRole('alert').getByText('Choose one').waitFor()
  await page.getByLabel('to everybody').check()
  await page.getByRole('button', { name: 'Approve 1.2.3' }).click()

  await page.getByRole('article').getByText('to everybody').waitFor()
  await page.context().close()
})

test('the approval shows the facts of the decision', async () => {
  const { page } = await look('approval')
  const card = page.getByRole('article')

  await card.getByText('In production now').waitFor()
  const text = await card.innerText()

  for (const fact of ['1.2.3-c9f4a23', '1.2.3-6f2423d', '79b47d72e0a7', 'Say hello more warmly', '6 tests passed', 'orders per 100 visits', '43.84', '39.62']) {
    assert.ok(text.includes(fact), `${fact} is missing`)
  }
  await page.context().close()
})

test('a rollback says what it will do before it does it', async () => {
  const { page } = await look('released')

  await page.getByRole('button', { name: 'Roll back to 1.2.3-c9f4a23' }).click()
  const dialog = page.getByRole('dialog', { name: 'Roll shop-prod back?' })
  await dialog.getByText('in one switch, within a second').waitFor()
  await dialog.getByRole('button', { name: 'Restore 1.2.3-c9f4a23' }).click()

  await dialog.getByText('Rolling shop-prod back from 1.2.3-6f2423d to 1.2.3-c9f4a23.').waitFor()
  await page.context().close()
})

test('a delivery that failed a test opens at that test', async () => {
  const { page } = await look('smoke')

  await page.getByRole('heading', { name: 'Smoke test', level: 2 }).waitFor()
  await page.getByRole('list', { name: 'What went wrong' }).getByText('answered 503').waitFor()
  assert.equal(await page.locator('.step[aria-current]').innerText().then((text) => text.split('\n')[0]), 'Smoke test')
  await page.context().close()
})

test('screenshots and videos of tests are shown where they stand', async () => {
  const { page, faults, id } = await look('smoke')
  const [pixel, clip] = ['sha256:picture', 'sha256:video']
  await page.route('**/api/v1/evidence/*', (route) =>
    route.fulfill({ contentType: 'image/png', body: Buffer.from(PIXEL, 'base64') }),
  )
  await page.route(`**/executions/${id}/evidence*`, async (route) => {
    const { evidence } = await (await route.fetch()).json()
    const { stageId } = evidence.find((one) => one.kind === 'http')
    const left = [
      { name: 'Tests.files/failed.png', mediaType: 'image/png', digest: pixel },
      { name: 'Tests.files/video.webm', mediaType: 'video/webm', digest: clip },
      { name: 'Tests.files/page.html', mediaType: 'text/html', digest: 'sha256:page' },
    ]
    const added = left.map((one) => ({ ...one, executionId: id, stageId, kind: 'file', sizeBytes: 70, at: evidence.at(-1).at }))
    await route.fulfill({ json: { evidence: [...evidence, ...added] } })
  })

  await page.reload()

  const shown = page.getByRole('region', { name: 'Screenshots and videos' })
  const picture = shown.getByRole('img', { name: 'Tests.files/failed.png' })
  await picture.evaluate((element) => element.decode())
  assert.deepEqual(await shown.locator('figcaption').allInnerTexts(), ['Tests.files/failed.png', 'Tests.files/video.webm'])
  assert.equal(await shown.locator('video').getAttribute('src'), `/api/v1/evidence/${encodeURIComponent(clip)}`)
  await page.getByRole('region', { name: 'Reports' }).getByText('Tests.files/page.html', { exact: true }).waitFor()
  assert.deepEqual(faults, [])
  await page.context().close()
})

test('what is no delivery is listed with how it stands and who started it, and leads to its flow', async () => {
  await direct('rolled-back')
  const { page } = await open(browser)
  page.setDefaultTimeout(LONGEST_MILLISECONDS)
  await page.goto(`${address}/ui/#/applications/shop`)

  const others = page.getByRole('region', { name: 'Other executions' })
  await others.waitFor()
  const rows = await others.getByRole('link').allInnerTexts()

  assert.deepEqual(rows.map((row) => row.split('\n')[0]), ['Rolling shop-prod back from 1.2.3-6f2423d to 1.2.3-c9f4a23.', 'tidy-up'])
  assert.match(rows[1], /Failed at Check[^]*started by its schedule/)
  assert.equal(await others.getByRole('link', { name: 'tidy-up' }).getAttribute('href'), '#/executions/01M8TIDYUP')
  await page.getByRole('region', { name: 'Deliveries' }).getByText('Delivered, then rolled back').waitFor()
  await page.context().close()
})

test('the overview shows what waits for a person, delivery or not', async () => {
  await direct('waiting')
  const { page } = await open(browser)
  page.setDefaultTimeout(LONGEST_MILLISECONDS)
  await page.goto(`${address}/ui/`)

  const card = page.getByRole('region', { name: 'shop', exact: true })
  const waiting = card.getByRole('link', { name: /drop-old-tables/ })
  assert.match(await waiting.innerText(), /Ask first: needs a decision/)
  assert.equal(await card.getByRole('link', { name: 'tidy-up' }).count(), 0)
  await page.context().close()
})

test('all executions are listed, older ones when asked for', async () => {
  await direct('waiting')
  const { page } = await open(browser)
  page.setDefaultTimeout(LONGEST_MILLISECONDS)
  await page.goto(`${address}/ui/#/applications/shop`)
  await page.getByRole('link', { name: 'All executions of shop' }).click()
  const executions = page.getByRole('region', { name: 'Executions' })
  await executions.getByRole('link', { name: /drop-old-tables/ }).waitFor()
  assert.equal(await executions.getByRole('link').count(), 2)

  await page.getByRole('button', { name: 'Older executions' }).click()

  await executions.getByRole('link', { name: /tidy-up/ }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Older executions' }).count(), 0)
  await page.context().close()
})

test('a click on a step shows its log', async () => {
  const { page } = await look('building')

  await page.getByRole('button', { name: /^Unit tests/ }).first().click()

  await page.getByRole('log').getByText('6 passed').waitFor()
  await page.context().close()
})

test('lost live updates are told, and what was missed is fetched when they are back', async () => {
  const { page } = await look('canary')
  await page.getByText('Live', { exact: true }).waitFor()

  await direct('lose')
  await page.getByText('Live updates stopped at').waitFor()
  await direct('find')

  await page.getByText('Live', { exact: true }).waitFor()
  assert.equal(await page.getByText('Live updates stopped at').count(), 0)
  await page.context().close()
})

test('what changes on the server changes on the page', async () => {
  const { page } = await look('approval')
  await page.locator('.pill', { hasText: 'needs a decision' }).waitFor()

  await direct('released')

  await page.locator('.pill', { hasText: 'Delivered' }).waitFor()
  await page.context().close()
})

for (const [scene, sentence] of [
  ['locked', 'gennaker link'],
  ['broken', 'This could not be loaded'],
  ['empty', 'No application yet'],
]) {
  test(`${scene} says "${sentence}"`, async () => {
    const { page, faults } = await look(scene)

    await page.getByText(sentence).first().waitFor()

    assert.deepEqual(faults, [])
    await page.context().close()
  })
}

test('whoever is no longer signed in is asked to sign in, without a reload', async () => {
  const { page } = await look('approval')
  await page.getByRole('article').waitFor()

  await direct('locked')
  await direct('lose')

  await page.getByText('gennaker link').first().waitFor()
  await direct('find')
  await page.context().close()
})

test('an approval without an image says so, where an empty box would be', async () => {
  const { page, faults } = await look('imageless')

  await page.getByText('This pipeline has built or deployed no image.').waitFor()

  assert.equal(await page.getByText('This version').count(), 0)
  assert.deepEqual(faults, [])
  await page.context().close()
})

test('where nothing delivers, what else has run is shown, and what the clock starts next', async () => {
  const { page, faults } = await look('undelivered')
  await page.getByText('tidy-up').waitFor()
  assert.equal(await page.getByText('A push starts').count(), 0)

  await page.getByRole('link', { name: 'All of shop' }).click()

  await page.getByText('None of what has run here built or deployed an image.').waitFor()
  const schedule = page.getByRole('region', { name: 'Schedule' })
  assert.deepEqual(await schedule.getByRole('heading', { level: 3 }).allInnerTexts(), ['report', 'tidy-up'])
  assert.deepEqual(faults, [])
  await page.context().close()
})

test('an answer that takes long shows that something is loading', async () => {
  const { page } = await look('slow')

  await page.getByRole('status', { name: 'Loading the delivery' }).waitFor()
  await page.context().close()
})

test('the overview leads to an application and to a delivery', async () => {
  await direct('released')
  const { page } = await open(browser)
  await page.goto(`${address}/ui/`)

  await page.getByRole('link', { name: 'All of shop' }).click()
  await page.getByRole('heading', { name: 'shop', level: 1 }).waitFor()
  await page.getByRole('link', { name: /Say hello more warmly/ }).click()

  await page.getByRole('heading', { name: 'Say hello more warmly', level: 1 }).waitFor()
  await page.context().close()
})

test('every button and link has a name', async () => {
  const { page } = await look('approval')
  await page.getByRole('article').waitFor()

  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll('a, button, input, textarea, select')]
      .filter((one) => !(one.textContent?.trim() || one.getAttribute('aria-label') || one.labels?.length))
      .map((one) => one.outerHTML.slice(0, 100)),
  )

  assert.deepEqual(nameless, [])
  await page.context().close()
})
