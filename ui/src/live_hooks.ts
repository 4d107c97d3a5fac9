// Hooks over things that change by themselves: the connection, the time, the page's address.

import { useEffect, useState, useSyncExternalStore } from 'react'
import { type Connection, currentConnection, onConnection } from './api/live'

export function useConnection(): Connection {
  return useSyncExternalStore(onConnection, currentConnection)
}

/** The present, every second while something on the page moves. */
export function useNow(isMoving = true): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (!isMoving) return undefined
    const timer = window.setInterval(() => setNow(Date.now()), 1000)
    return () => window.clearInterval(timer)
  }, [isMoving])
  return now
}

export type Route =
  | { view: 'overview' }
  | { view: 'application'; application: string; selected: string }
  | { view: 'executions'; application: string }
  | { view: 'execution'; id: string; selected: string }
  | { view: 'unknown' }

export function useRoute(): Route {
  const hash = useSyncExternalStore(onHash, () => window.location.hash)
  return parse(hash)
}

export function parse(hash: string): Route {
  const [, kind = '', name = '', ...rest] = hash.replace(/^#/, '').split('/').map(decoded)
  const selected = rest[0] === 'stages' ? (rest[1] ?? '') : ''
  if (kind === '') return { view: 'overview' }
  if (kind === 'applications' && name && rest[0] === 'executions') return { view: 'executions', application: name }
  if (kind === 'applications' && name) return { view: 'application', application: name, selected }
  if (kind === 'executions' && name) return { view: 'execution', id: name, selected }
  return { view: 'unknown' }
}

export const address = {
  overview: '#/',
  application: (name: string) => `#/applications/${encodeURIComponent(name)}`,
  executions: (name: string) => `#/applications/${encodeURIComponent(name)}/executions`,
  execution: (id: string, selected = '') =>
    `#/executions/${encodeURIComponent(id)}${selected ? `/stages/${encodeURIComponent(selected)}` : ''}`,
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function onHash(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}
