// Live updates: one event stream for the whole page; what changed is fetched again, a few times a second at most.

import type { QueryClient } from '@tanstack/react-query'
import { keys } from './queries'

export type Connection = { state: 'connecting' | 'live' | 'lost'; since: number }

const GATHER_MILLISECONDS = 300
const RETRY_MILLISECONDS = 2000
const TOPICS = ['execution', 'image', 'release', 'traffic'] as const
type Topic = (typeof TOPICS)[number]

let connection: Connection = { state: 'connecting', since: Date.now() }
const listeners = new Set<() => void>()

export function currentConnection(): Connection {
  return connection
}

export function onConnection(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function become(state: Connection['state']): void {
  if (connection.state === state) return
  connection = { state, since: Date.now() }
  for (const listener of listeners) listener()
}

/** Follows until the returned function is called. */
export function follow(queries: QueryClient): () => void {
  let source: EventSource | null = null
  let retry: number | undefined
  let gather: number | undefined
  const changed = new Map<string, readonly unknown[]>()

  const mark = (key: readonly unknown[]): void => {
    changed.set(JSON.stringify(key), key)
    gather ??= window.setTimeout(() => {
      gather = undefined
      for (const queryKey of changed.values()) void queries.invalidateQueries({ queryKey })
      changed.clear()
    }, GATHER_MILLISECONDS)
  }
  const open = (): void => {
    source = new EventSource('/api/v1/events')
    source.addEventListener('hello', () => {
      become('live')
      void queries.invalidateQueries() // whatever happened while nobody listened
    })
    for (const topic of TOPICS) {
      source.addEventListener(topic, (event: MessageEvent<string>) => {
        for (const key of touched(topic, event.data)) mark(key)
      })
    }
    source.addEventListener('error', () => {
      become('lost')
      // A refused stream is closed for good, a broken one is opened again by the browser.
      if (source?.readyState === EventSource.CLOSED) {
        source.close()
        void queries.invalidateQueries({ queryKey: keys.applications }) // is it that nobody is signed in any more?
        retry = window.setTimeout(open, RETRY_MILLISECONDS)
      }
    })
  }
  open()
  return () => {
    source?.close()
    window.clearTimeout(retry)
    window.clearTimeout(gather)
  }
}

/** Which queries an update concerns. */
export function touched(topic: Topic, data: string): (readonly unknown[])[] {
  const update = JSON.parse(data) as { id?: string; application?: string }
  switch (topic) {
    case 'execution':
      return [
        ...(update.id ? [keys.execution(update.id)] : []),
        ...(update.application ? [keys.deliveries(update.application)] : [keys.allDeliveries]),
      ]
    case 'image':
      return [keys.allDeliveries]
    case 'release':
      return [keys.allReleases, keys.traffic]
    case 'traffic':
      return [keys.traffic]
  }
}
