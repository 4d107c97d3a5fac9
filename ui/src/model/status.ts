// Statuses as people read them: a word, and a tone that gives icon and colour.

import type { BuildStep, Status } from '../api/types'

export type Tone = 'idle' | 'running' | 'good' | 'bad' | 'attention' | 'paused' | 'skipped'

export interface Standing {
  tone: Tone
  word: string
}

const OF_STATUS: Record<Status, Standing> = {
  NOT_STARTED: { tone: 'idle', word: 'Not started' },
  RUNNING: { tone: 'running', word: 'Running' },
  REDIRECT: { tone: 'running', word: 'Running' },
  PAUSED: { tone: 'paused', word: 'Paused' },
  SUSPENDED: { tone: 'paused', word: 'Suspended' },
  BUFFERED: { tone: 'paused', word: 'Queued' },
  SUCCEEDED: { tone: 'good', word: 'Succeeded' },
  SKIPPED: { tone: 'skipped', word: 'Skipped' },
  FAILED_CONTINUE: { tone: 'attention', word: 'Failed, went on' },
  TERMINAL: { tone: 'bad', word: 'Failed' },
  CANCELED: { tone: 'skipped', word: 'Cancelled' },
  STOPPED: { tone: 'bad', word: 'Stopped' },
}

const OF_BUILD_STEP: Record<BuildStep['status'], Standing> = {
  WAITING: { tone: 'idle', word: 'Not started' },
  RUNNING: { tone: 'running', word: 'Running' },
  SUCCEEDED: { tone: 'good', word: 'Succeeded' },
  FAILED: { tone: 'bad', word: 'Failed' },
  NOT_SCANNED: { tone: 'skipped', word: 'Not scanned' },
}

const COMPLETE: ReadonlySet<Status> = new Set(['SUCCEEDED', 'SKIPPED', 'FAILED_CONTINUE', 'TERMINAL', 'CANCELED', 'STOPPED'])

export function standing(status: Status): Standing {
  return OF_STATUS[status]
}

export function stepStanding(status: BuildStep['status']): Standing {
  return OF_BUILD_STEP[status]
}

export function isComplete(status: Status): boolean {
  return COMPLETE.has(status)
}

/** The standing that a group shows: the one that needs a look most. */
export function together(parts: Standing[]): Standing {
  const order: Tone[] = ['bad', 'attention', 'running', 'paused']
  for (const tone of order) {
    const found = parts.find((part) => part.tone === tone)
    if (found) return found
  }
  const [first] = parts
  if (!first) return OF_STATUS.NOT_STARTED
  const hasBegun = parts.some((part) => part.tone === 'good')
  if (parts.some((part) => part.tone === 'idle')) return hasBegun ? { tone: 'running', word: 'Running' } : OF_STATUS.NOT_STARTED
  return hasBegun ? OF_STATUS.SUCCEEDED : first
}
