// The flow of a delivery: from its commit to the release that it made, as phases in order.

import type { Delivery, Execution, JsonObject, Release, Stage } from '../api/types'
import { duration } from './format'
import { clustersOf } from './after'
import { buildPhase, buildStage, commitPhase, imagePhase } from './build_phases'
import { makePhase, type Phase, type Step } from './phases'
import { stagePhases, topLevel } from './stage_phases'
import { type Standing, standing } from './status'

export interface Parts {
  /** Null: an execution that delivers nothing, e.g. a rollback. */
  delivery: Delivery | null
  build: Execution | undefined
  execution: Execution | undefined
  releases: Release[]
  now: number
}

export function flow({ delivery, build, execution, releases, now }: Parts): Phase[] {
  const phases: Phase[] = []
  const follow = (phase: Phase) => phases.push({ ...phase, after: phases.slice(-1).map((one) => one.id) })
  if (delivery?.commit) follow(commitPhase(delivery))
  if (delivery?.build) follow(buildPhase(delivery.build, build))
  if (delivery) follow(imagePhase(delivery, build))
  const made = phases.slice(-1).map((one) => one.id)
  // What else the pipeline that builds does: tests of its own, or the whole delivery.
  if (build) phases.push(...stagePhases(build, made, (stage) => stage.id !== buildStage(build)?.id))
  if (execution) phases.push(...stagePhases(execution, made))
  const ending = released(execution ?? build, releases, now)
  if (ending) phases.push({ ...ending, after: lastOf(phases) })
  return phases
}

function released(deploying: Execution | undefined, releases: Release[], now: number): Phase | null {
  const last = deploying && topLevel(deploying).findLast((stage) => stage.type === 'deploy')
  if (!deploying || !last) return null
  const clusters = clustersOf(last)
  const made = releases.filter((one) => one.executionId === deploying.id && clusters.includes(one.cluster))
  if (made.length > 0) return releasePhase(made, now)
  return keepsWarm(last) ? makePhase({ id: 'release', kind: 'release', name: 'Release', standing: standing('NOT_STARTED') }) : null
}

/** Ids of the phases that nothing comes after: a release stands at the end of everything. */
function lastOf(phases: Phase[]): string[] {
  return phases.filter((one) => !phases.some((other) => other.after.includes(one.id))).map((one) => one.id)
}

/** What a look falls on first: what needs a decision, what failed, what runs, else the last that has begun. */
export function mostInteresting(phases: Phase[]): { phase: Phase | undefined; step: Step | null } {
  const phase = mostInterestingPhase(phases)
  // A canary's verdict says more than whichever of its steps came to it.
  const isOneToBlame = phase?.standing.tone === 'bad' && phase.kind !== 'canary'
  return { phase, step: (isOneToBlame && phase.steps.find((one) => one.standing.tone === 'bad')) || null }
}

function mostInterestingPhase(phases: Phase[]): Phase | undefined {
  for (const tone of ['attention', 'bad', 'running', 'paused']) {
    const found = phases.find((one) => one.standing.tone === tone && one.kind !== 'release')
    if (found) return found
  }
  return phases.findLast((one) => one.standing.tone === 'good' && one.kind !== 'release') ?? phases[0]
}

export function releaseStanding(release: Release): Standing {
  switch (release.state ?? 'current') {
    case 'current':
    case 'settled':
      return { tone: 'good', word: 'Serving' }
    case 'superseded':
      return { tone: 'skipped', word: 'Superseded' }
    case 'rolled-back':
      return { tone: 'attention', word: 'Rolled back' }
  }
}

function releasePhase(releases: Release[], now: number): Phase {
  const newest = releases[0] as Release
  return makePhase({
    id: 'release',
    kind: 'release',
    name: 'Release',
    standing: releaseStanding(newest),
    start: newest.releasedAt,
    end: newest.endedAt ?? null,
    note: note(newest, now),
    releases,
  })
}

function note(release: Release, now: number): string {
  const before = release.replacedVersion || release.replaced
  const left = release.warmUntil ? (Date.parse(release.warmUntil) - now) / 1000 : 0
  if ((release.state ?? 'current') === 'current' && left > 0) return `old one warm for ${duration(left)}`
  return before ? `replaced ${before}` : ''
}

/** A grace period means that there will be something to say after the deployment. */
function keepsWarm(stage: Stage): boolean {
  const { clusters } = stage.context
  return Array.isArray(clusters) && clusters.some((cluster) => Boolean((cluster as JsonObject).gracePeriod))
}
