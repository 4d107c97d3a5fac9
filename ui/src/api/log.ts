// A log that is followed while it grows.

import { useEffect, useState } from 'react'

const MOST_CHARACTERS = 400_000
/** Colours and cursor movements of terminals. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /\u001B\[[0-9;?]*[A-Za-z]|\r(?!\n)/g

export interface Followed {
  text: string
  state: 'opening' | 'following' | 'ended' | 'lost'
  isCut: boolean
}

const NOTHING: Followed = { text: '', state: 'opening', isCut: false }

export function useFollowedLog(executionId: string, path: string): Followed {
  const [followed, setFollowed] = useState(NOTHING)
  useEffect(() => {
    const source = new EventSource(`/api/v1/executions/${encodeURIComponent(executionId)}/log?path=${encodeURIComponent(path)}`)
    // Opened again after a break, the server begins anew.
    source.addEventListener('open', () => setFollowed({ ...NOTHING, state: 'following' }))
    source.addEventListener('log', (event: MessageEvent<string>) => {
      const { text } = JSON.parse(event.data) as { text: string }
      setFollowed((before) => appended(before, text))
    })
    source.addEventListener('end', () => {
      source.close()
      setFollowed((before) => ({ ...before, state: 'ended' }))
    })
    source.addEventListener('error', () => setFollowed((before) => ({ ...before, state: 'lost' })))
    return () => {
      source.close()
      setFollowed(NOTHING)
    }
  }, [executionId, path])
  return followed
}

export function appended(before: Followed, text: string): Followed {
  const whole = before.text + text.replace(CONTROL, '')
  const isTooLong = whole.length > MOST_CHARACTERS
  return {
    state: 'following',
    text: isTooLong ? whole.slice(-MOST_CHARACTERS) : whole,
    isCut: before.isCut || isTooLong,
  }
}
