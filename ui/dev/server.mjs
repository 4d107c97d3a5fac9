// A mock of the server for looking at the page: recorded answers, one scene at a time.
//
//     node dev/server.mjs [--port 8099]        then http://127.0.0.1:8099/ui/
//     curl -X POST 127.0.0.1:8099/mock/canary  another scene; /mock/lose and /mock/find: the live updates go and come
//
// Prints its address as the first line. Not part of the built page.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { judged, NAMES, scene } from './scenes.mjs'

const PAGE = fileURLToPath(new URL('../../src/gennaker/web/static/', import.meta.url))
const KINDS = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
const LOG_CHUNK = 400
const LOG_MILLISECONDS = 150

let shown = scene('approval')
let isLost = false
const listeners = new Set()

const server = createServer((request, answer) => {
  const url = new URL(request.url, 'http://mock')
  handle(request, url, answer).catch((error) => send(answer, 500, { detail: String(error) }))
})
const port = Number(process.argv[process.argv.indexOf('--port') + 1] || 8099)
server.listen(process.argv.includes('--port') ? port : 8099, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/ui/`)
})

async function handle(request, url, answer) {
  if (url.pathname.startsWith('/mock/')) return direct(url.pathname.slice(6), answer)
  if (!url.pathname.startsWith('/api/v1/')) return page(url.pathname, answer)
  if (shown.fault === 'slow') return undefined
  if (shown.fault === 'locked') return send(answer, 401, problem('request.no_credentials', 'This needs the token or a signed-in page.'))
  if (url.pathname === '/api/v1/events') return events(request, answer)
  if (shown.fault === 'broken') return send(answer, 500, problem('server.fault', 'An unexpected fault: KeyError.', "The server's log has the trace."))
  if (url.pathname.endsWith('/log')) return log(url.searchParams.get('path'), answer)
  if (request.method === 'POST') return command(request, url.pathname, answer)
  const found = shown.answers[url.pathname + url.search] ?? shown.answers[url.pathname]
  if (found) return send(answer, 200, found)
  return send(answer, 404, problem('execution.unknown', `There is nothing at ${url.pathname}.`))
}

function direct(what, answer) {
  if (what === 'lose' || what === 'find') {
    isLost = what === 'lose'
    if (isLost) for (const listener of listeners) listener.destroy()
  } else if (NAMES.includes(what)) {
    shown = scene(what)
    for (const listener of listeners) listener.write(event('execution', { topic: 'execution', id: shown.open, application: 'shop' }))
  } else return send(answer, 404, problem('mock.unknown', `Scenes: ${NAMES.join(', ')}.`))
  return send(answer, 200, { open: shown.open })
}

async function command(request, path, answer) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = JSON.parse(Buffer.concat(chunks).toString() || '{}')
  if (path.endsWith('/judgment')) {
    shown = judged(shown, body.judgment, body.comment, body.judgmentInput)
    for (const listener of listeners) listener.write(event('execution', { topic: 'execution', id: shown.open, application: 'shop' }))
    return send(answer, 200, {})
  }
  if (path.endsWith('/rollback')) {
    const [release] = shown.answers['/api/v1/applications/shop/releases'].releases
    const sentence = `Rolling ${body.cluster} back from ${release.version} to ${release.replacedVersion}.`
    return send(answer, 202, { executionId: shown.open, sentence })
  }
  return send(answer, 404, problem('http.404', `There is nothing at ${path}.`))
}

function events(request, answer) {
  if (isLost) return send(answer, 503, problem('mock.lost', 'Lost.'))
  answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  answer.write(event('hello', {}))
  listeners.add(answer)
  request.on('close', () => listeners.delete(answer))
  return undefined
}

async function log(path, answer) {
  const text = shown.logs[path] ?? ''
  const isOpen = Object.values(shown.answers).some((one) => one.status === 'RUNNING' && one.stages?.some((stage) => stage.outputs.steps?.some((step) => step.log === path && step.status === 'RUNNING')))
  answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  for (let start = 0; start < text.length; start += LOG_CHUNK) {
    answer.write(event('log', { text: text.slice(start, start + LOG_CHUNK) }))
    if (isOpen) await new Promise((resume) => setTimeout(resume, LOG_MILLISECONDS))
  }
  if (!isOpen) answer.end(event('end', {}))
}

async function page(path, answer) {
  if (path === '/') return answer.writeHead(302, { location: '/ui/' }).end()
  const wanted = normalize(path.replace(/^\/ui\/?/, '') || 'index.html')
  if (wanted.startsWith('..')) return send(answer, 404, {})
  const content = await readFile(join(PAGE, wanted)).catch(() => null)
  if (content === null) return send(answer, 404, {})
  answer.writeHead(200, { 'content-type': KINDS[extname(wanted)] ?? 'application/octet-stream', 'content-security-policy': POLICY })
  return answer.end(content)
}

function send(answer, status, body) {
  answer.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' })
  answer.end(JSON.stringify(body))
}

function problem(code, message, remedy = '') {
  return { code, detail: message, problems: [{ code, message, remedy }] }
}

function event(name, data) {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
