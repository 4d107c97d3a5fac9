// The phases of an execution's stages: what tests a deployment is shown with it, the rest stands alone.

import type { CanaryReport } from '../api/reports'
import type { Execution, Problem, Stage } from '../api/types'
import { number } from './format'
import { makePhase, makeStep, type Phase, type PhaseKind, type Step } from './phases'
import { isComplete, type Standing, standing, together } from './status'

const TESTS = new Set(['httpCheck', 'runJob', 'wait', 'checkPreconditions', 'webhook'])
const KINDS: Record<string, PhaseKind> = {
  deploy: 'deploy',
  kayentaCanary: 'canary',
  manualJudgment: 'approval',
  rollbackRelease: 'release',
}

/** `before`: ids of the phases after which those begin that require no phase of the execution itself. */
export function stagePhases(execution: Execution, before: string[] = [], isShown: (stage: Stage) => boolean = () => true): Phase[] {
  const groups: Stage[][] = []
  const groupOf = new Map<string, Stage[]>()
  for (const stage of topLevel(execution).filter(isShown)) {
    const required = new Set(stage.requisiteStageRefIds.map((ref) => groupOf.get(ref)))
    const [only] = required
    const isTest = required.size === 1 && only?.[0]?.type === 'deploy' && TESTS.has(stage.type)
    const group = isTest && only ? only : []
    if (group.length === 0) groups.push(group)
    group.push(stage)
    groupOf.set(stage.refId, group)
  }
  return groups.map((stages) => ({ ...phaseOf(execution, stages), after: placesBefore(stages, groupOf) ?? before }))
}

/** The phases that a phase requires; null: none. */
function placesBefore(stages: Stage[], groupOf: Map<string, Stage[]>): string[] | null {
  const required = (stages[0]?.requisiteStageRefIds ?? []).flatMap((ref) => groupOf.get(ref)?.[0]?.id ?? [])
  return required.length > 0 ? [...new Set(required)] : null
}

/** Stages of the pipeline itself, each after those that it requires. */
export function topLevel(execution: Execution): Stage[] {
  const waiting = execution.stages.filter((stage) => stage.parentId === null)
  const known = new Set(waiting.map((stage) => stage.refId))
  const placed = new Set<string>()
  const ordered: Stage[] = []
  while (waiting.length > 0) {
    const ready = waiting.findIndex((stage) => stage.requisiteStageRefIds.every((ref) => placed.has(ref) || !known.has(ref)))
    const [next] = waiting.splice(Math.max(0, ready), 1)
    if (!next) break
    placed.add(next.refId)
    ordered.push(next)
  }
  return ordered
}

/** Synthetic stages below a stage, in the order in which they run: before, then after; children first. */
export function below(execution: Execution, stage: Stage): Stage[] {
  const children = execution.stages.filter((one) => one.parentId === stage.id)
  const before = children.filter((one) => one.side === 'STAGE_BEFORE')
  const after = children.filter((one) => one.side !== 'STAGE_BEFORE')
  return [...before, ...after]
}

/** What the stage or one below it waits for. */
export function waitsFor(execution: Execution, stage: Stage): string {
  if (isComplete(stage.status)) return ''
  for (const child of below(execution, stage)) {
    const said = waitsFor(execution, child)
    if (said) return said
  }
  if (stage.waitingFor) return stage.waitingFor
  return stage.status === 'RUNNING' && stage.parentId !== null ? stage.name : ''
}

export function canaryReport(stage: Stage | undefined | null): CanaryReport | null {
  const found = stage?.outputs.canaryReport
  return found && typeof found === 'object' && !Array.isArray(found) ? (found as unknown as CanaryReport) : null
}

/** A running analysis has no report yet, but its judgements so far. */
export function scoresSoFar(execution: Execution, stage: Stage): number[] {
  const judged = execution.stages.filter((one) => one.type === 'runCanary' && descends(execution, one, stage.id))
  return judged.map((one) => one.outputs.canaryScore).filter((score): score is number => typeof score === 'number')
}

function descends(execution: Execution, stage: Stage, ancestor: string): boolean {
  let parent = stage.parentId
  while (parent !== null) {
    if (parent === ancestor) return true
    parent = execution.stages.find((one) => one.id === parent)?.parentId ?? null
  }
  return false
}

export function stageStanding(stage: Stage): Standing {
  if (stage.type !== 'manualJudgment') return standing(stage.status)
  if (stage.status === 'RUNNING') return { tone: 'attention', word: 'Needs a decision' }
  if (stage.status === 'SUCCEEDED') return { tone: 'good', word: 'Approved' }
  return stage.context.judgmentStatus === 'stop' ? { tone: 'bad', word: 'Rejected' } : standing(stage.status)
}

function phaseOf(execution: Execution, stages: Stage[]): Phase {
  const first = stages[0] as Stage
  const kind = KINDS[first.type] ?? 'other'
  const steps = stages.length > 1 ? stages.map((stage) => stageStep(execution, stage)) : childSteps(execution, first)
  const standings = stages.map(stageStanding)
  const running = stages.find((stage) => !isComplete(stage.status) && stage.startTime)
  return makePhase({
    id: first.id,
    kind,
    name: first.name,
    standing: standings.length === 1 ? (standings[0] as Standing) : together(standings),
    start: first.startTime,
    end: stages.every((stage) => stage.endTime) ? (stages.at(-1)?.endTime ?? null) : endOfFailed(stages),
    waitingFor: running ? waitsFor(execution, running) : '',
    note: note(execution, kind, first),
    problems: stages.flatMap((stage) => problemsOf(execution, stage)),
    steps,
    executionId: execution.id,
  })
}

/** What comes after a failure never starts: the phase is over then. */
function endOfFailed(stages: Stage[]): string | null {
  return stages.find((stage) => stage.status === 'TERMINAL' || stage.status === 'CANCELED')?.endTime ?? null
}

function stageStep(execution: Execution, stage: Stage): Step {
  return makeStep({
    id: stage.id,
    name: stage.name,
    standing: stageStanding(stage),
    start: stage.startTime,
    end: stage.endTime,
    waitingFor: waitsFor(execution, stage),
    problems: problemsOf(execution, stage),
    executionId: execution.id,
    stage,
  })
}

function childSteps(execution: Execution, stage: Stage): Step[] {
  const children = below(execution, stage)
  if (stage.type === 'kayentaCanary') {
    return children.flatMap((child) => (child.type === 'runCanaryIntervals' ? below(execution, child) : [child])).map((child) => stageStep(execution, child))
  }
  if (stage.type === 'deploy') return children.flatMap((child) => [child, ...below(execution, child)]).map((child) => stageStep(execution, child))
  return children.map((child) => stageStep(execution, child))
}

/** A stage's own problems, or those of the first stage below it that has any. */
export function problemsOf(execution: Execution, stage: Stage): Problem[] {
  if (stage.problems.length > 0) return stage.problems
  for (const child of below(execution, stage)) {
    const found = problemsOf(execution, child)
    if (found.length > 0 && stage.status !== 'SUCCEEDED') return found
  }
  return []
}

function note(execution: Execution, kind: PhaseKind, stage: Stage): string {
  if (kind === 'canary') {
    const scores = canaryReport(stage)?.intervals.map((one) => one.score) ?? scoresSoFar(execution, stage)
    return scores.length > 0 ? `score ${scores.map((score) => number(score)).join(', ')}` : ''
  }
  if (kind === 'approval') return stage.judgedBy ? `by ${stage.judgedBy}` : ''
  const group = stage.outputs.serverGroup
  return typeof group === 'string' ? group : ''
}
