// The head of a delivery: what it is, which image, how it stands, how long it has taken.

import type { Delivery, Execution, Release } from '../api/types'
import { address } from '../live_hooks'
import { dateAndTime, duration, secondsBetween, shortDigest, shortHash } from '../model/format'
import { isComplete } from '../model/status'
import { stateOf, stateOfExecution, titleOf } from '../model/wording'
import { Copy } from './Copy'
import { Icon, StatusIcon } from './Icon'

export interface DeliveryHeaderProps {
  delivery: Delivery | null
  releases: Release[]
  execution: Execution
  now: number
}

export function DeliveryHeader({ delivery, releases, execution, now }: DeliveryHeaderProps) {
  const state = delivery ? stateOf(delivery, releases) : stateOfExecution(execution)
  const start = delivery?.build?.startTime ?? execution.startTime
  const last = delivery ? (delivery.delivery ?? delivery.build) : execution
  const end = last && isComplete(last.status) ? last.endTime : null
  return (
    <header className="delivery-head">
      <p className="crumbs">
        <a href={address.application(execution.application)}>
          <Icon name="back" size={14} />
          {execution.application}
        </a>
        <span aria-hidden="true">/</span>
        <span>{execution.name}</span>
      </p>
      <div className="delivery-title">
        <h1>{delivery ? titleOf(delivery) : execution.name || execution.id}</h1>
        <p className={`pill pill-${state.tone}`} role="status">
          <StatusIcon tone={state.tone} />
          {state.phrase}
        </p>
      </div>
      <dl className="facts">
        {delivery?.commit && (
          <Fact label="Commit">
            <code>{shortHash(delivery.commit.hash)}</code>
            {delivery.branch && <span className="muted"> on {delivery.branch}</span>}
          </Fact>
        )}
        {delivery?.commit?.author && <Fact label="Author">{delivery.commit.author}</Fact>}
        {delivery?.image?.tag && (
          <Fact label="Image">
            <code>{[delivery.image.name, delivery.image.tag].filter(Boolean).join(':')}</code>
          </Fact>
        )}
        {delivery?.image?.digest && (
          <Fact label="Digest">
            <code title={delivery.image.digest}>{shortDigest(delivery.image.digest)}</code>
            <Copy text={delivery.image.digest} what="digest" />
          </Fact>
        )}
        <Fact label={end ? 'Took' : 'Since'}>
          <span title={`${dateAndTime(start)}${end ? ` to ${dateAndTime(end)}` : ''}`}>
            {duration(secondsBetween(start, end, now)) || 'not started'}
          </span>
        </Fact>
        <Fact label="Started by">{execution.user}</Fact>
      </dl>
    </header>
  )
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className="fact">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  )
}
