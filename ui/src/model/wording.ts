// The state of a whole delivery or execution, in words.

import type { Delivery, Release, Summary } from '../api/types'
import { shortHash } from './format'
import { isComplete, type Standing, standing } from './status'
import { byPlace } from './versions'

/** One standing for a list's row or a page's head; `phrase` is its sentence. */
export interface State extends Standing {
  phrase: string
}

/** What a person calls it: the commit's subject, else the image's tag, else what built which commit. */
export function titleOf(delivery: Delivery): string {
  const { commit, image } = delivery
  const { name, id } = delivery.delivery ?? delivery.build ?? { name: '', id: delivery.id }
  if (commit?.subject) return commit.subject
  if (image?.tag) return image.tag
  if (commit?.hash) return [name, shortHash(commit.hash)].filter(Boolean).join(' of ')
  return name || id
}

const ROLLED_BACK: State = { tone: 'attention', word: 'Rolled back', phrase: 'Delivered, then rolled back' }
const DRY_RUN: State = { tone: 'skipped', word: 'Dry run', phrase: 'Dry run: nothing was done' }
const IN_SHADOW: State = { tone: 'skipped', word: 'In shadow', phrase: 'In shadow: planned, nothing was done' }
const STARTED_BY: Record<string, string> = {
  cron: 'its schedule',
  git: 'a push',
  docker: 'an image',
  webhook: 'a webhook',
  pipeline: 'another pipeline',
}

/** What became of it; `releases` say whether it was taken back afterwards. */
export function stateOf(delivery: Delivery, releases: Release[]): State {
  const state = stateWhenEnded(delivery)
  const id = (delivery.delivery ?? delivery.build)?.id
  return state.word === 'Delivered' && wasRolledBack(releases.filter((one) => one.executionId === id)) ? ROLLED_BACK : state
}

/** Who or what has started an execution. */
export function starterOf({ trigger, user }: Summary): string {
  return STARTED_BY[String(trigger.type)] ?? user
}

/** Where it matters most: production before staging. */
function wasRolledBack(made: Release[]): boolean {
  return made.toSorted((a, b) => byPlace(a.cluster, b.cluster))[0]?.state === 'rolled-back'
}

function stateWhenEnded(delivery: Delivery): State {
  const one = delivery.delivery ?? delivery.build
  if (!one) return { ...standing(delivery.status), phrase: standing(delivery.status).word }
  if (!delivery.delivery && one.status === 'SUCCEEDED') {
    if (delivery.isDeployedByBuild) return stateOfExecution(one, 'Delivered')
    return { tone: 'skipped', word: 'Built', phrase: 'Built, no delivery has begun' }
  }
  return stateOfExecution(one, delivery.delivery ? 'Delivered' : 'Built')
}

export function stateOfExecution(one: Summary, success = 'Succeeded'): State {
  const { tone, word } = standing(one.status)
  if (one.status === 'SUCCEEDED' && one.isDryRun) return one.isShadow ? IN_SHADOW : DRY_RUN
  if (one.status === 'SUCCEEDED') return { tone, word: success, phrase: success }
  if (one.problems.some((problem) => problem.code === 'judgment.stopped')) {
    return { tone: 'bad', word: 'Rejected', phrase: 'Rejected' }
  }
  if (isComplete(one.status)) {
    const place = one.failedStage ? ` at ${one.failedStage}` : ''
    return { tone, word, phrase: `${word}${place}` }
  }
  if (isWaitingForPerson(one)) {
    return { tone: 'attention', word: 'Needs a decision', phrase: `${one.currentStage ?? 'Approval'}: needs a decision` }
  }
  return { tone, word, phrase: one.currentStage ? `${word}: ${one.currentStage}` : one.waitingFor || word }
}

export function isWaitingForPerson(one: Summary): boolean {
  return one.status === 'RUNNING' && / a person to judge|someone with one of the roles/.test(one.waitingFor)
}
