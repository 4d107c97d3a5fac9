// Releases: what serves in each cluster, and the way back while the replaced version is warm.

import type { Release } from '../api/types'
import { releaseStanding } from '../model/flow'
import { address } from '../live_hooks'
import { ago } from '../model/format'
import { byPlace } from '../model/versions'
import { Icon, StatusIcon } from './Icon'
import { sentenceOf } from './ReleaseDetail'

export interface ReleasePanelProps {
  releases: Release[]
  now: number
  onRollback: (release: Release) => void
}

export function ReleasePanel({ releases, now, onRollback }: ReleasePanelProps) {
  const serving = servingNow(releases)
  return (
    <section className="panel" aria-label="Releases">
      <h2>Released</h2>
      {serving.length === 0 && <p className="muted">Nothing has been released yet.</p>}
      <ul className="releases">
        {serving.map((release) => (
          <Serving key={release.id} release={release} now={now} onRollback={onRollback} />
        ))}
      </ul>
    </section>
  )
}

function Serving({ release, now, onRollback }: { release: Release; now: number; onRollback: (release: Release) => void }) {
  const { tone, word } = releaseStanding(release)
  return (
    <li className="release">
      <div className="release-head">
        <h3>{release.cluster}</h3>
        <span className="muted">{ago(release.releasedAt, now)}</span>
      </div>
      <p className="release-version">
        <a href={address.execution(release.executionId)}>
          <code>{release.version || release.serverGroup}</code>
        </a>
      </p>
      <p className="release-note">
        <StatusIcon tone={tone} size={14} />
        <span>
          {word}. <span className="muted">{sentenceOf(release, now)}</span>
        </span>
      </p>
      {canGoBack(release) && (
        <button type="button" className="button" onClick={() => onRollback(release)}>
          <Icon name="undo" size={15} />
          Roll back to {release.replacedVersion || release.replaced}…
        </button>
      )}
    </li>
  )
}

/** The newest release of each cluster that serves; production before staging. */
export function servingNow(releases: Release[]): Release[] {
  const serving = releases.filter((one) => ['current', 'settled'].includes(one.state ?? 'current'))
  return serving.toSorted((a, b) => byPlace(a.cluster, b.cluster))
}

export function canGoBack(release: Release): boolean {
  return (release.state ?? 'current') === 'current' && Boolean(release.replaced)
}
