// Which version a server group runs, and how it is coloured: the same group always alike.

import type { Execution, LoadBalancer, Release } from '../api/types'
import { isComplete } from './status'

export type Versions = ReadonlyMap<string, string>

/** From releases, the newest of a name, and from what the execution on show has created while it runs: names are given again. */
export function versionsOf(releases: Release[], execution: Execution | undefined): Versions {
  const found = new Map<string, string>()
  for (const release of releases.toSorted((a, b) => a.releasedAt.localeCompare(b.releasedAt))) {
    if (release.replaced && release.replacedVersion) found.set(release.replaced, release.replacedVersion)
    if (release.version) found.set(release.serverGroup, release.version)
  }
  const created = execution && !isComplete(execution.status) ? execution.stages : []
  for (const stage of created) {
    const { serverGroupName: group, imageVersion: version } = stage.context
    if (stage.type === 'createServerGroup' && typeof group === 'string' && typeof version === 'string') found.set(group, version)
  }
  return found
}

export type Hue = 'even' | 'odd' | 'baseline' | 'canary'

/** Neighbours in a cluster (blue and green) alternate. */
export function hueOf(serverGroup: string): Hue {
  if (/-baseline-v\d+$/.test(serverGroup)) return 'baseline'
  if (/-canary-v\d+$/.test(serverGroup)) return 'canary'
  const number = Number(/-v(\d+)$/.exec(serverGroup)?.[1] ?? 0)
  return number % 2 === 0 ? 'even' : 'odd'
}

/** Load balancers of an application: those that its releases use, or that are named after it. Production first. */
export function balancersOf(all: LoadBalancer[], application: string, releases: Release[]): LoadBalancer[] {
  const used = new Set(releases.flatMap((release) => release.loadBalancers ?? []))
  const own = all.filter((one) => used.has(one.name) || one.name === application || one.name.startsWith(`${application}-`))
  return own.toSorted((a, b) => byPlace(a.name, b.name))
}

/** Of a cluster or load balancer, by its name: users don't see it. */
export function isStaging(name: string): boolean {
  return /stag|test|dev/.test(name)
}

/** Clusters and load balancers in the order of their weight: production, others, staging. */
export function byPlace(a: string, b: string): number {
  return rank(a) - rank(b) || a.localeCompare(b)
}

function rank(name: string): number {
  if (isStaging(name)) return 2
  return name.includes('prod') ? 0 : 1
}
