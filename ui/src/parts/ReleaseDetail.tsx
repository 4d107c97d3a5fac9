// The releases that a delivery made: what serves, what is kept warm, until when.

import type { Release } from '../api/types'
import { dateAndTime, duration } from '../model/format'

export function ReleaseDetail({ releases, now }: { releases: Release[]; now: number }) {
  return (
    <ul className="plain">
      {releases.map((release) => (
        <li key={release.id}>
          <p>
            <strong>{release.cluster}</strong>: {release.version || release.serverGroup} since {dateAndTime(release.releasedAt)}.
          </p>
          <p className="muted">{sentenceOf(release, now)}</p>
        </li>
      ))}
    </ul>
  )
}

export function sentenceOf(release: Release, now: number): string {
  const before = release.replacedVersion || release.replaced
  if (release.endedBecause) return release.endedBecause
  if (!before) return 'It is the first release: there is nothing to go back to.'
  if ((release.state ?? 'current') === 'settled') return `${before} was decommissioned.`
  if (release.keepsReplaced) return `${before} is kept, without traffic, until it is removed.`
  const left = release.warmUntil ? (Date.parse(release.warmUntil) - now) / 1000 : 0
  return left > 0 ? `${before} is kept warm for another ${duration(left)}.` : `${before} is being decommissioned.`
}
