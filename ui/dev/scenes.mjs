// Scenes of the mock: recorded answers of a real server, moved to the present, and a few made from them.

import { readFileSync } from 'node:fs'
import { sideBySide } from './side_by_side.mjs'
import { stageless } from './stageless.mjs'

const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g
const RECORDED = ['building', 'staging', 'canary', 'approval', 'released', 'caught']

/** Names that `?scene=` knows. */
export const NAMES = [...RECORDED, 'rejected', 'rolled-back', 'waiting', 'smoke', 'choices', 'imageless', 'undelivered', 'parallel', 'failed', 'stageless', 'unread', 'empty', 'broken', 'locked', 'slow']

export function scene(name) {
  switch (name) {
    case 'rejected':
      return judged(recorded('approval'), 'stop', 'Orders per visit look too low to me.')
    case 'rolled-back':
      return rolledBack(recorded('released'))
    case 'waiting':
      return waitingBeside(rolledBack(recorded('released')))
    case 'smoke':
      return failedSmokeTest(recorded('released'))
    case 'choices':
      return withChoices(recorded('approval'))
    case 'imageless':
      return imageless(recorded('approval'))
    case 'undelivered':
      return undelivered(rolledBack(recorded('released')))
    case 'parallel':
      return sideBySide(recorded('released'))
    case 'failed':
      return failedBuild(recorded('building'))
    case 'stageless':
      return stageless(recorded('building'))
    case 'unread':
      return unreadCommit(failedBuild(recorded('building')))
    case 'empty':
      return { open: '', answers: { '/api/v1/applications': { applications: [] }, '/api/v1/traffic': { loadBalancers: [] } }, logs: {} }
    case 'broken':
    case 'locked':
    case 'slow':
      return { ...recorded('released'), fault: name }
    default:
      return recorded(name)
  }
}

/** Answers a manual judgment in a scene, as the engine would. */
export function judged(made, judgment, comment, input = '') {
  const isYes = judgment === 'continue'
  const at = new Date().toISOString()
  for (const [path, answer] of Object.entries(made.answers)) {
    if (path.endsWith('/approval')) {
      answer.status = isYes ? 'SUCCEEDED' : 'TERMINAL'
      answer.judgment = { judgment, judgmentInput: input, comment, by: 'operator', at }
    }
    const stage = answer.stages?.find((one) => one.type === 'manualJudgment')
    if (!stage) continue
    stage.status = isYes ? 'SUCCEEDED' : 'TERMINAL'
    stage.endTime = at
    stage.waitingFor = ''
    stage.judgedBy = 'operator'
    stage.context.judgmentStatus = judgment
    for (const task of stage.tasks) Object.assign(task, { status: stage.status, endTime: at, waitingFor: '' })
    if (!isYes) stage.problems = [{ code: 'judgment.stopped', message: `operator judged to stop: ${comment}` }]
    const ended = isYes ? { waitingFor: '' } : { status: 'TERMINAL', endTime: at, waitingFor: '', problems: stage.problems, currentStage: null, failedStage: stage.name }
    Object.assign(answer, ended)
    for (const delivery of made.answers['/api/v1/applications/shop/deliveries'].deliveries) {
      if (delivery.delivery?.id !== answer.id) continue
      Object.assign(delivery.delivery, ended)
      if (!isYes) Object.assign(delivery, { status: 'TERMINAL', waitingFor: '' })
    }
  }
  return made
}

function recorded(name) {
  const text = readFileSync(new URL(`recorded/${name}.json`, import.meta.url), 'utf8')
  const moved = Date.now() - Date.parse(JSON.parse(text).at)
  const made = JSON.parse(text.replace(INSTANT, (instant) => new Date(Date.parse(instant) + moved).toISOString()))
  for (const [path, answer] of Object.entries(made.answers)) if (path.endsWith('/deliveries')) answer.others ??= []
  return made
}

/** Somebody has put the old version back; and somebody ran a pipeline that delivers nothing. */
function rolledBack(made) {
  const at = new Date().toISOString()
  const { releases } = made.answers['/api/v1/applications/shop/releases']
  const [production] = releases
  Object.assign(production, { state: 'rolled-back', endedAt: at, endedBecause: 'rolled back by operator' })
  const { deliveries, others } = made.answers['/api/v1/applications/shop/deliveries']
  const ended = { ...deliveries[0].delivery, status: 'SUCCEEDED', startTime: at, endTime: at, buildTime: at, user: 'operator' }
  const sentence = `Rolling shop-prod back from ${production.version} to ${production.replacedVersion}.`
  const problems = [{ code: 'preconditions.failed', message: 'The expression is false.' }]
  others.push(
    { ...ended, id: '01M8ROLLBACK', kind: 'ORCHESTRATION', name: sentence, trigger: { type: 'manual' } },
    { ...ended, id: '01M8TIDYUP', name: 'tidy-up', trigger: { type: 'cron' }, status: 'TERMINAL', failedStage: 'Check', problems },
  )
  return made
}

/** A pipeline that delivers nothing waits for a person; and all that has run is more than one page. */
function waitingBeside(made) {
  const { others } = made.answers['/api/v1/applications/shop/deliveries']
  const [rollback, tidyUp] = others
  const waiting = { ...tidyUp, id: '01M8ASKFIRST', name: 'drop-old-tables', status: 'RUNNING', endTime: null, problems: [] }
  Object.assign(waiting, { failedStage: null, currentStage: 'Ask first', waitingFor: 'Waiting for a person to judge.' })
  others.unshift(waiting)
  const path = '/api/v1/executions?application=shop&limit=50'
  made.answers[path] = { executions: [waiting, rollback], next: rollback.id }
  made.answers[`${path}&before=${rollback.id}`] = { executions: [tidyUp], next: null }
  return made
}

/** The pipeline that asks has no image, and nothing serves. */
function imageless(made) {
  for (const [path, answer] of Object.entries(made.answers)) {
    if (path.endsWith('/approval')) Object.assign(answer, { version: null, image: '', digest: null, running: [], releaseNotes: [] })
  }
  return made
}

/** All that has run here delivers nothing; the clock starts some of it. */
function undelivered(made) {
  const { deliveries } = made.answers['/api/v1/applications/shop/deliveries']
  deliveries.length = 0
  made.answers['/api/v1/applications/shop/releases'].releases = []
  const at = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString()
  const pipelines = [{ id: 'p2', name: 'tidy-up', nextDue: at(20) }, { id: 'p3', name: 'by-hand' }, { id: 'p1', name: 'report', nextDue: at(2) }]
  made.answers['/api/v1/pipelines?application=shop'] = { pipelines, next: null }
  return { ...made, open: '' }
}

function failedSmokeTest(made) {
  const message = 'http://127.0.0.1:40000/healthz answered 503, not 200.'
  const problems = [{ code: 'http_check.failed', message, remedy: "Look at the instance's log." }]
  const execution = made.answers[`/api/v1/executions/${made.open}`]
  const own = execution.stages.filter((one) => one.parentId === null)
  const failed = own.find((one) => one.name === 'Smoke test')
  const ended = { status: 'TERMINAL', endTime: failed.endTime, waitingFor: '', problems, currentStage: null, failedStage: failed.name }
  Object.assign(failed, { status: 'TERMINAL', problems })
  const never = own.filter((one) => one !== failed && one.name !== 'Staging').map((one) => one.id)
  for (const one of execution.stages) {
    if (never.includes(one.id)) Object.assign(one, { status: 'NOT_STARTED', startTime: null, endTime: null, tasks: [], outputs: {}, judgedBy: null })
  }
  execution.stages = execution.stages.filter((one) => one.parentId === null || !never.includes(one.parentId))
  Object.assign(execution, ended)
  const [delivery] = made.answers['/api/v1/applications/shop/deliveries'].deliveries
  Object.assign(delivery, { status: 'TERMINAL', currentStage: null })
  Object.assign(delivery.delivery, ended)
  const releases = made.answers['/api/v1/applications/shop/releases']
  releases.releases = releases.releases.filter((one) => one.executionId !== made.open || one.cluster === 'shop-staging')
  return made
}

function withChoices(made) {
  for (const [path, answer] of Object.entries(made.answers)) {
    if (path.endsWith('/approval')) answer.judgmentInputs = [{ value: 'to everybody' }, { value: 'to one region first' }]
  }
  return made
}

/** The repository can't be read: nothing is known of the commit but its hash. */
function unreadCommit(made) {
  const problem = { code: 'git.unreachable', message: 'The repository has no such commit.', remedy: 'Correct `repository` or push it.' }
  for (const answer of Object.values(made.answers)) {
    const stage = answer.stages?.find((one) => one.type === 'build')
    if (!stage || answer.id !== made.open) continue
    Object.assign(answer, { problems: [problem] })
    Object.assign(stage, { outputs: {}, problems: [problem] })
  }
  const [delivery] = made.answers['/api/v1/applications/shop/deliveries'].deliveries
  Object.assign(delivery.commit, { subject: '', author: '', at: undefined })
  Object.assign(delivery, { image: null, isDeployedByBuild: false })
  return made
}

function failedBuild(made) {
  const message = 'Unit tests failed: 1 of 6 tests failed (test_a_cart_adds_up). The end of its log: assert 41 == 42'
  const problems = [{ code: 'build.step_failed', message, remedy: 'Mend it and push again; the log has everything.' }]
  const at = new Date().toISOString()
  const ended = { status: 'TERMINAL', endTime: at, waitingFor: '', problems, currentStage: null, failedStage: 'Build shop' }
  for (const answer of Object.values(made.answers)) {
    const stage = answer.stages?.find((one) => one.type === 'build')
    if (!stage || answer.id !== made.open) continue
    Object.assign(answer, ended)
    Object.assign(stage, { status: 'TERMINAL', endTime: at, waitingFor: '', problems })
    for (const step of stage.outputs.steps) {
      if (step.name === 'Unit tests') Object.assign(step, { status: 'FAILED', exitStatus: 1, message: '1 of 6 tests failed' })
      if (step.status === 'RUNNING') Object.assign(step, { status: 'WAITING', log: '' })
    }
    for (const task of stage.tasks) if (task.status === 'RUNNING') Object.assign(task, { status: 'TERMINAL', endTime: at })
  }
  const [delivery] = made.answers['/api/v1/applications/shop/deliveries'].deliveries
  Object.assign(delivery, { status: 'TERMINAL', waitingFor: '', currentStage: null })
  Object.assign(delivery.build, ended)
  return made
}
