// Recent deliveries as a list, newest first.

import type { Delivery, Release } from '../api/types'
import { address } from '../live_hooks'
import { ago, duration, secondsBetween, shortHash } from '../model/format'
import { isComplete } from '../model/status'
import { type State, stateOf, titleOf } from '../model/wording'
import { StatusIcon } from './Icon'

export interface DeliveryListProps {
  deliveries: Delivery[]
  releases: Release[]
  /** Id of an execution on show. */
  selected: string
  /** Something has run here that is no delivery. */
  hasOthers?: boolean
  now: number
}

export function DeliveryList({ deliveries, releases, selected, hasOthers = false, now }: DeliveryListProps) {
  if (deliveries.length === 0) {
    return (
      <p className="muted list-empty">
        {hasOthers ? 'None of what has run here built or deployed an image.' : 'Nothing has run yet. A push starts the first build.'}
      </p>
    )
  }
  return (
    <ul className="deliveries" aria-label="Recent deliveries">
      {deliveries.map((delivery) => (
        <Row key={delivery.id} delivery={delivery} state={stateOf(delivery, releases)} isSelected={holds(delivery, selected)} now={now} />
      ))}
    </ul>
  )
}

interface RowProps {
  delivery: Delivery
  state: State
  isSelected: boolean
  now: number
}

function Row({ delivery, state, isSelected, now }: RowProps) {
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
