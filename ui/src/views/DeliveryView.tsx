// One delivery: finds the executions that belong together, and shows their flow with the details of one part.

import { useRef } from 'react'
import { useDeliveries, useExecution, useReleases } from '../api/queries'
import type { Delivery, Execution } from '../api/types'
import { address, useNow } from '../live_hooks'
import { releaseNotes } from '../model/build_phases'
import { flow, mostInteresting } from '../model/flow'
import type { Phase, Step } from '../model/phases'
import { isComplete } from '../model/status'
import { DeliveryHeader } from '../parts/DeliveryHeader'
import { DeliveryList, holds } from '../parts/DeliveryList'
import { Failure, Loading, Notice, Problems } from '../parts/Notices'
import { Track } from '../parts/Track'
import { ApprovalView } from './ApprovalView'
import { DetailView } from './DetailView'
import { ReleasesAside } from './ReleasesAside'
import { TrafficAside } from './TrafficAside'

const SEARCHED = 50
/** As in flow.css. */
const NARROW_PIXELS = 760

export function DeliveryView({ id, selected }: { id: string; selected: string }) {
  const asked = useExecution(id)
  const deliveries = useDeliveries(asked.data?.application ?? '', SEARCHED)
  const delivery = deliveries.data?.find((one) => holds(one, id)) ?? null
  const build = useExecution(delivery?.build?.id)
  const delivering = useExecution(delivery ? delivery.delivery?.id : id)
  if (!asked.data) {
    if (asked.error) return <Failure error={asked.error} again={() => void asked.refetch()} />
    return <Loading label="Loading the delivery" lines={8} />
  }
  if (deliveries.isPending) return <Loading label="Loading the delivery" lines={8} />
  return (
    <Delivered
      asked={asked.data}
      delivery={delivery}
      build={build.data}
      execution={delivering.data}
      deliveries={deliveries.data ?? []}
      selected={selected}
    />
  )
}

interface DeliveredProps {
  asked: Execution
  delivery: Delivery | null
  build: Execution | undefined
  execution: Execution | undefined
  deliveries: Delivery[]
  selected: string
}

function Delivered({ asked, delivery, build, execution, deliveries, selected }: DeliveredProps) {
  const now = useNow()
  const details = useRef<HTMLDivElement>(null)
  const releases = useReleases(asked.application)
  const phases = flow({ delivery, build, execution, releases: releases.data ?? [], now })
  const { phase, step } = found(phases, selected)
  const select = (part: string): void => {
    window.location.replace(address.execution(asked.id, part))
    // Where the track fills the screen, what was asked for would stay out of sight.
    if (window.innerWidth <= NARROW_PIXELS) requestAnimationFrame(() => details.current?.scrollIntoView())
  }
  const owner = (step?.executionId ?? phase?.executionId) === build?.id ? build : execution
  const approval = phase?.kind === 'approval' ? owner?.stages.find((one) => one.id === phase.id) : undefined
  return (
    <div className="delivery-view">
      <DeliveryHeader delivery={delivery} releases={releases.data ?? []} execution={execution ?? asked} now={now} />
      {phases.length > 0 ? (
        <Track phases={phases} selected={step?.id ?? phase?.id ?? ''} now={now} onSelect={select} />
      ) : (
        <NothingBegun execution={execution ?? asked} />
      )}
      <div className="columns">
        <div className="main-column" ref={details}>
          {approval && owner && isAsked(approval.status) ? (
            <ApprovalView key={approval.id} execution={owner} stage={approval} now={now} />
          ) : (
            phase && (
              <DetailView
                phase={phase}
                step={step}
                execution={owner}
                commits={releaseNotes(build)}
                now={now}
                onSelect={select}
              />
            )
          )}
        </div>
        <div className="aside">
          <TrafficAside application={asked.application} execution={execution ?? build} />
          <ReleasesAside application={asked.application} />
          <section className="panel" aria-label="Deliveries">
            <h2>Deliveries</h2>
            <DeliveryList deliveries={deliveries.slice(0, 8)} releases={releases.data ?? []} selected={asked.id} hasOthers now={now} />
          </section>
        </div>
      </div>
    </div>
  )
}

function NothingBegun({ execution }: { execution: Execution }) {
  if (isComplete(execution.status)) {
    return (
      <Notice title="It ended before its first stage" tone="empty">
        <Problems problems={execution.problems} />
      </Notice>
    )
  }
  return (
    <Notice title="Nothing has begun yet" tone="empty">
      <p>{execution.waitingFor ? `Waiting for ${execution.waitingFor}` : 'The first stage is being prepared.'}</p>
    </Notice>
  )
}

function isAsked(status: Execution['status']): boolean {
  return status === 'RUNNING' || isComplete(status)
}

function found(phases: Phase[], selected: string): { phase: Phase | undefined; step: Step | null } {
  for (const phase of phases) {
    if (phase.id === selected) return { phase, step: null }
    const step = phase.steps.find((one) => one.id === selected)
    if (step) return { phase, step }
  }
  return mostInteresting(phases)
}
