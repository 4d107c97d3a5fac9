// From the commit to the picked-up image: the phases that the execution of the build gives.

import type { BuildStep, Commit, Delivery, Execution, Image, Stage, Summary } from '../api/types'
import { duration, secondsBetween, shortDigest, shortHash } from './format'
import { makePhase, makeStep, type Phase, type Step } from './phases'
import { isComplete, standing, stepStanding, together } from './status'

const DONE = standing('SUCCEEDED')
const IDLE = standing('NOT_STARTED')
/** Tasks of the build stage that make and publish the image; the others are the build's. */
const IMAGE_TASKS: Record<string, string> = { buildImage: 'Build image', pushImage: 'Push to registry' }

export function commitPhase(delivery: Delivery): Phase {
  const { commit } = delivery
  return makePhase({
    id: 'commit',
    kind: 'commit',
    name: 'Commit',
    standing: { tone: 'good', word: 'Pushed' },
    end: commit?.at ?? delivery.build?.buildTime ?? null,
    note: shortHash(commit?.hash),
    executionId: delivery.build?.id ?? null,
  })
}

export function buildPhase(summary: Summary, execution: Execution | undefined): Phase {
  const stage = buildStage(execution)
  const steps = stage ? stepsOf(summary.id, stage) : []
  const ended = stage?.tasks.find((task) => task.name === 'runSteps')?.endTime ?? null
  const isDone = steps.length > 0 && ended !== null && !steps.some((one) => one.standing.tone === 'bad')
  const problems = stage?.problems.length ? stage.problems : summary.problems
  return makePhase({
    id: 'build',
    kind: 'build',
    name: 'Build',
    standing: isDone ? DONE : standing(summary.status),
    start: summary.startTime,
    end: isDone ? ended : summary.endTime,
    waitingFor: isDone ? '' : (stage?.waitingFor ?? summary.waitingFor),
    note: isDone ? testsNote(steps) : '',
    problems: isDone ? [] : problems, // the image's, if there are any
    steps,
    executionId: summary.id,
  })
}

/** The image: made and pushed by the build, then picked up by the delivery's trigger. */
export function imagePhase(delivery: Delivery, execution: Execution | undefined): Phase {
  const stage = buildStage(execution)
  const steps: Step[] = []
  for (const task of stage?.tasks ?? []) {
    const name = IMAGE_TASKS[task.name]
    if (!name || !stage) continue
    const { startTime: start, endTime: end, waitingFor } = task
    const facts = { start, end, waitingFor, executionId: delivery.build?.id ?? null, stage }
    steps.push(makeStep({ id: `task-${task.name}`, name, standing: standing(task.status), ...facts }))
  }
  const failed = steps.find((one) => one.standing.tone === 'bad')
  const pickUp = delivery.isDeployedByBuild && !delivery.delivery ? null : pickUpStep(delivery)
  if (pickUp) steps.push(pickUp)
  return makePhase({
    id: 'image',
    kind: 'image',
    name: 'Image',
    standing: delivery.delivery ? DONE : imageStanding(delivery, steps),
    start: steps.find((one) => one.start)?.start ?? null,
    end: failed?.end ?? pickUp?.end ?? steps.at(-1)?.end ?? null,
    waitingFor: steps.find((one) => one.waitingFor)?.waitingFor ?? '',
    note: imageNote(delivery.image),
    problems: failed ? (stage?.problems ?? []) : [],
    steps,
    executionId: delivery.build?.id ?? null,
  })
}

export function releaseNotes(execution: Execution | undefined): Commit[] {
  const commits = buildStage(execution)?.outputs.commits
  return Array.isArray(commits) ? (commits as unknown as Commit[]) : []
}

function imageStanding(delivery: Delivery, steps: Step[]) {
  const hasFailed = delivery.build !== null && isComplete(delivery.build.status) && delivery.build.status !== 'SUCCEEDED'
  const isItsOwn = steps.some((one) => one.standing.tone === 'bad')
  return hasFailed && !isItsOwn ? IDLE : together(steps.map((one) => one.standing))
}

function pickUpStep(delivery: Delivery): Step {
  const pushed = delivery.build?.endTime ?? null
  if (delivery.delivery) {
    const { buildTime, trigger, user } = delivery.delivery
    // How long it waited says something where the registry's poll decides, not where a person does.
    const isPickedUp = trigger.type === 'docker'
    const end = isPickedUp ? buildTime : pushed
    return makeStep({
      id: 'pick-up',
      name: isPickedUp ? 'Picked up' : `Started by ${user}`,
      standing: DONE,
      start: isPickedUp ? pushed : null,
      end,
      seconds: isPickedUp ? secondsBetween(pushed, end, 0) : null,
      waitingFor: '',
      executionId: delivery.delivery.id,
    })
  }
  const isThere = Boolean(delivery.image?.digest) && delivery.build?.status === 'SUCCEEDED'
  return makeStep({
    id: 'pick-up',
    name: 'Pick-up',
    standing: isThere ? { tone: 'paused', word: 'Not picked up yet' } : IDLE,
    start: isThere ? pushed : null,
    waitingFor: isThere ? 'a pipeline whose trigger watches this image' : '',
  })
}

export function buildStage(execution: Execution | undefined): Stage | undefined {
  return execution?.stages.find((stage) => stage.type === 'build')
}

function stepsOf(executionId: string, stage: Stage): Step[] {
  const listed = Array.isArray(stage.outputs.steps) ? (stage.outputs.steps as unknown as BuildStep[]) : []
  return listed.map((one, index) =>
    makeStep({
      id: `step-${index + 1}`,
      name: one.name,
      standing: stepStanding(one.status),
      seconds: one.seconds,
      problems: one.status === 'FAILED' ? stage.problems : [],
      executionId,
      stage,
      buildStep: one,
    }),
  )
}

function testsNote(steps: Step[]): string {
  const passed = steps.map((one) => /^(\d+) tests? passed/.exec(one.buildStep?.message ?? '')?.[1]).filter(Boolean)
  const sum = passed.reduce((total, count) => total + Number(count), 0)
  return sum > 0 ? `${sum} tests passed` : ''
}

function imageNote(image: Image | null): string {
  return image?.tag ?? shortDigest(image?.digest)
}

export function pickUpSentence(one: Step): string {
  return one.seconds === null ? '' : `${duration(one.seconds)} after the push`
}
