// Recent deliveries as a list, newest first.

import type { Delivery } from '../api/types'
import { address } from '../live_hooks'
import { ago, duration, secondsBetween, shortHash } from '../model/format'
import { isComplete } from '../model/status'
import { stateOf, titleOf } from '../model/wording'
import { StatusIcon } from './Icon'

export interface DeliveryListProps {
  deliveries: Delivery[]
  /** Id of an execution on show. */
  selected: string
  now: number
}

export function DeliveryList({ deliveries, selected, now }: DeliveryListProps) {
  if (deliveries.length === 0) return <p className="muted list-empty">Nothing was delivered yet. A push starts the first build.</p>
  return (
    <ul className="deliveries" aria-label="Recent deliveries">
      {deliveries.map((delivery) => (
        <Row key={delivery.id} delivery={delivery} isSelected={holds(delivery, selected)} now={now} />
      ))}
    </ul>
  )
}

function Row({ delivery, isSelected, now }: { delivery: Delivery; isSelected: boolean; now: number }) {
  const state = stateOf(delivery)
  const start = delivery.build?.startTime ?? delivery.delivery?.startTime
  const last = delivery.delivery ?? delivery.build
  const end = last && isComplete(last.status) ? last.endTime : null
  return (
    <li>
      <a className="delivery" href={address.execution(delivery.id)} aria-current={isSelected ? 'page' : undefined}>
        <StatusIcon tone={state.tone} />
        <span className="delivery-subject">{titleOf(delivery)}</span>
        <span className="delivery-state">{state.phrase}</span>
        <span className="delivery-meta">
          <code>{delivery.image?.tag ?? shortHash(delivery.commit?.hash)}</code>
          <span>{duration(secondsBetween(start, end, now))}</span>
          <span>{ago(start, now)}</span>
        </span>
      </a>
    </li>
  )
}

export function holds(delivery: Delivery, executionId: string): boolean {
  return delivery.delivery?.id === executionId || delivery.build?.id === executionId
}
