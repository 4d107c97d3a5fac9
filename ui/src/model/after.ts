// What follows a stage: which stages start next, and which clusters they and those after them change.

import type { Execution, JsonObject, Stage } from '../api/types'
import { topLevel } from './stage_phases'

export function nextNames(execution: Execution, stage: Stage): string[] {
  return topLevel(execution)
    .filter((one) => one.requisiteStageRefIds.includes(stage.refId))
    .map((one) => one.name)
}

export function targetsAfter(execution: Execution, stage: Stage): string[] {
  const reached = new Set([stage.refId])
  const found = new Set<string>()
  for (const one of topLevel(execution)) {
    if (!one.requisiteStageRefIds.some((ref) => reached.has(ref))) continue
    reached.add(one.refId)
    for (const cluster of clustersOf(one)) found.add(cluster)
  }
  return [...found]
}

/** Names of the clusters that a deploy stage names. */
export function clustersOf(stage: Stage): string[] {
  const { clusters } = stage.context
  if (!Array.isArray(clusters)) return []
  return clusters.map((cluster) => nameOf(cluster as JsonObject)).filter(Boolean)
}

/** Spinnaker's naming: application, stack and detail, joined by hyphens; a missing stack leaves its hyphen. */
function nameOf({ application, stack, freeFormDetails }: JsonObject): string {
  const parts = [text(application), text(stack), text(freeFormDetails)]
  if (!parts[2]) return parts.filter(Boolean).join('-')
  return parts.join('-')
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
