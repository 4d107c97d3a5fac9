// What serves in production, in one line.

import type { Release } from '../api/types'
import { ago } from '../model/format'
import { servingNow } from './ReleasePanel'

export function ServingLine({ releases, now }: { releases: Release[]; now: number }) {
  const [first] = servingNow(releases).filter((one) => !one.cluster.includes('-staging'))
  if (!first) return <p className="muted">Nothing serves yet</p>
  return (
    <p className="serving">
      <code>{first.version || first.serverGroup}</code>
      <span className="muted">
        {' '}
        serves {first.cluster}, {ago(first.releasedAt, now)}
      </span>
    </p>
  )
}
