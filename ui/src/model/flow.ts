// The flow of a delivery: from its commit to the release that it made, as phases in order.

import type { Delivery, Execution, Release } from '../api/types'
import { buildPhase, commitPhase, imagePhase } from './build_phases'
import { makePhase, type Phase } from './phases'
import { stagePhases } from './stage_phases'
import type { Standing } from './status'

export interface Parts {
  /** Null: an execution that delivers nothing, e.g. a rollback. */
  delivery: Delivery | null
  build: Execution | undefined
  execution: Execution | undefined
  releases: Release[]
}

export function flow({ delivery, build, execution, releases }: Parts): Phase[] {
  const phases: Phase[] = []
  if (delivery?.commit) phases.push(commitPhase(delivery))
  if (delivery?.build) phases.push(buildPhase(delivery.build, build))
  if (delivery) phases.push(imagePhase(delivery, build))
  if (execution) phases.push(...stagePhases(execution))
  const made = execution ? releases.filter((one) => one.executionId === execution.id && one.replaced) : []
  if (made.length > 0) phases.push(releasePhase(made))
  return phases
}

/** What a look falls on first: what needs a decision, what failed, what runs, else the last that has begun. */
export function mostInteresting(phases: Phase[]): Phase | undefined {
  for (const tone of ['attention', 'bad', 'running', 'paused']) {
    const found = phases.find((one) => one.standing.tone === tone && one.kind !== 'release')
    if (found) return found
  }
  return phases.findLast((one) => one.standing.tone === 'good' && one.kind !== 'release') ?? phases[0]
}

export function releaseStanding(release: Release, now = Date.now()): Standing {
  switch (release.state ?? 'current') {
    case 'current':
      return release.warmUntil && Date.parse(release.warmUntil) > now
        ? { tone: 'running', word: 'Old version kept warm' }
        : { tone: 'good', word: 'Serving' }
    case 'settled':
      return { tone: 'good', word: 'Serving' }
    case 'superseded':
      return { tone: 'skipped', word: 'Superseded' }
    case 'rolled-back':
      return { tone: 'attention', word: 'Rolled back' }
  }
}

function releasePhase(releases: Release[]): Phase {
  const newest = releases[0] as Release
  return makePhase({
    id: 'release',
    kind: 'release',
    name: 'Release',
    standing: releaseStanding(newest),
    start: newest.releasedAt,
    end: newest.endedAt ?? null,
    note: newest.replacedVersion ? `replaced ${newest.replacedVersion}` : '',
    releases,
  })
}
