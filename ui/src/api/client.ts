// Requests to the native API; every error answer becomes a Refusal with the server's own sentences.

import type { Problem } from './types'

/** An answer that isn't the wanted one, in words for people. */
export class Refusal extends Error {
  readonly status: number
  readonly problems: Problem[]

  constructor(status: number, problems: Problem[]) {
    super(problems.map((problem) => problem.message).join(' ') || `The server answered ${status}.`)
    this.name = 'Refusal'
    this.status = status
    this.problems = problems
  }
}

export const UNREACHABLE = 0

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return await ask<T>(path, signal ? { signal } : {})
}

/** All items of a list, which the server gives page by page. */
export async function listed<T>(path: string, name: string, signal?: AbortSignal): Promise<T[]> {
  const found: T[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const after = `${path.includes('?') ? '&' : '?'}after=${encodeURIComponent(cursor)}`
    const page: ListPage<T> = await get<ListPage<T>>(cursor ? path + after : path, signal)
    found.push(...((page[name] as T[] | undefined) ?? []))
    cursor = page.next ?? null
  }
  return found
}

type ListPage<T> = { next?: string | null } & { [name: string]: T[] | string | null | undefined }

/** `tag`: of what was shown; the server refuses if it isn't the same any more. */
export async function post<T>(path: string, body: object, tag?: string): Promise<T> {
  const headers = { 'content-type': 'application/json', ...(tag ? { 'if-match': tag } : {}) }
  return await ask<T>(path, { method: 'POST', headers, body: JSON.stringify(body) })
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(`/api/v1${path}`, { ...init, credentials: 'same-origin' })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    const problem = {
      code: 'server.unreachable',
      message: 'The server does not answer.',
      remedy: 'Is `gennaker serve` running? This page tries again by itself.',
    }
    throw new Refusal(UNREACHABLE, [problem])
  }
  if (!answer.ok) throw new Refusal(answer.status, await problemsOf(answer))
  // The shapes are the server's promise (types.ts); checking them again here would say the same twice.
  return (await answer.json()) as T
}

async function problemsOf(answer: Response): Promise<Problem[]> {
  try {
    const body = (await answer.json()) as { problems?: Problem[]; detail?: string; code?: string }
    if (body.problems?.length) return body.problems
    if (body.detail) return [{ code: body.code ?? '', message: body.detail }]
  } catch {
    // Not JSON: a proxy's page, or the end of the server. The status says enough.
  }
  return [{ code: `http.${answer.status}`, message: `The server answered with status ${answer.status}.` }]
}
