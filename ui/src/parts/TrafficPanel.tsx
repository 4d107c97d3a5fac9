// Traffic: how each load balancer splits it among server groups, and the requests under way.

import type { LoadBalancer, Share } from '../api/types'
import { counted, percent } from '../model/format'
import { hueOf, type Versions } from '../model/versions'

export interface TrafficPanelProps {
  balancers: LoadBalancer[]
  versions: Versions
}

export function TrafficPanel({ balancers, versions }: TrafficPanelProps) {
  return (
    <section className="panel" aria-label="Traffic">
      <h2>Traffic</h2>
      {balancers.length === 0 && <p className="muted">No load balancer of this application exists yet.</p>}
      {balancers.map((balancer) => (
        <Balancer key={balancer.name} balancer={balancer} versions={versions} />
      ))}
    </section>
  )
}

function Balancer({ balancer, versions }: { balancer: LoadBalancer; versions: Versions }) {
  const total = balancer.shares.reduce((sum, share) => sum + share.weight, 0)
  const inFlight = balancer.shares.reduce((sum, share) => sum + (share.inFlight ?? 0), 0)
  const isCounted = balancer.shares.every((share) => share.inFlight !== null)
  return (
    <div className="balancer">
      <div className="balancer-head">
        <h3>{balancer.name}</h3>
        <span className="muted">{isCounted ? `${counted(inFlight, 'request')} under way` : 'requests under way: not known'}</span>
      </div>
      <div className="shares" aria-hidden="true">
        {balancer.shares.filter((share) => share.weight > 0).map((share) => (
          <span key={share.serverGroup} className={`share hue-${hueOf(share.serverGroup)}`} style={{ flexGrow: share.weight }} />
        ))}
      </div>
      {balancer.shares.length === 0 && <p className="muted">Nothing is behind it.</p>}
      <ul className="legend" aria-label={`Shares of ${balancer.name}`}>
        {balancer.shares.map((share) => (
          <Legend key={share.serverGroup} share={share} total={total} version={versions.get(share.serverGroup)} />
        ))}
      </ul>
    </div>
  )
}

function Legend({ share, total, version }: { share: Share; total: number; version: string | undefined }) {
  const isIdle = share.weight === 0 && share.routes.length === 0
  return (
    <li className={isIdle ? 'legend-idle' : undefined}>
      <span className={`swatch hue-${hueOf(share.serverGroup)}`} aria-hidden="true" />
      <span className="legend-name">
        <span>{version ?? share.serverGroup}</span>
        <span className="muted">
          {version ? share.serverGroup : counted(share.addresses.length, 'instance')}
          {share.inFlight !== null && share.inFlight > 0 && ` · ${share.inFlight} under way`}
        </span>
      </span>
      <span className="legend-share">
        {[...(share.weight > 0 ? [percent(share.weight, total)] : []), ...share.routes].join(' · ') || 'no new requests'}
      </span>
    </li>
  )
}
