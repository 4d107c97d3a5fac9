// The parts of a delivery's flow: phases, and the steps inside each.

import type { BuildStep, Problem, Release, Stage } from '../api/types'
import type { Standing } from './status'

export type PhaseKind = 'commit' | 'build' | 'image' | 'deploy' | 'canary' | 'approval' | 'release' | 'other'

export interface Step {
  /** Unique in the flow; part of the page's address. */
  id: string
  name: string
  standing: Standing
  start: string | null
  end: string | null
  /** Where the steps' own seconds are known better than from start and end. */
  seconds: number | null
  waitingFor: string
  problems: Problem[]
  /** The execution in which evidence and logs of this step lie. */
  executionId: string | null
  stage: Stage | null
  buildStep: BuildStep | null
}

export interface Phase {
  id: string
  kind: PhaseKind
  name: string
  standing: Standing
  /** Ids of the phases that come right before; they stand before it in the flow. */
  after: string[]
  start: string | null
  end: string | null
  waitingFor: string
  /** One line of what came of it: a version, a score. */
  note: string
  problems: Problem[]
  steps: Step[]
  executionId: string | null
  releases: Release[]
}

export function isMoving(phase: Phase): boolean {
  return phase.standing.tone === 'running' || phase.standing.tone === 'attention'
}

/** A phase without what only some phases have. */
export function makePhase(part: Pick<Phase, 'id' | 'kind' | 'name' | 'standing'> & Partial<Phase>): Phase {
  return { after: [], start: null, end: null, waitingFor: '', note: '', problems: [], steps: [], executionId: null, releases: [], ...part }
}

export function makeStep(part: Pick<Step, 'id' | 'name' | 'standing'> & Partial<Step>): Step {
  return {
    start: null,
    end: null,
    seconds: null,
    waitingFor: '',
    problems: [],
    executionId: null,
    stage: null,
    buildStep: null,
    ...part,
  }
}
