// What serves in production, in one line.

import type { Release } from '../api/types'
import { ago } from '../model/format'
import { isStaging } from '../model/versions'
import { servingNow } from './ReleasePanel'

export function ServingLine({ releases, now }: { releases: Release[]; now: number }) {
  const [first] = servingNow(releases).filter((one) => !isStaging(one.cluster))
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
