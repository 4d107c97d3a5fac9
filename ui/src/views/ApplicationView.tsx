// One application: its recent deliveries, what is released, how traffic flows.

import { useDeliveries, useOthers, useReleases } from '../api/queries'
import { address, useNow } from '../live_hooks'
import { DeliveryList } from '../parts/DeliveryList'
import { ExecutionList } from '../parts/ExecutionList'
import { Failure, Loading } from '../parts/Notices'
import { ReleasesAside } from './ReleasesAside'
import { ScheduleAside } from './ScheduleAside'
import { TrafficAside } from './TrafficAside'

export function ApplicationView({ application }: { application: string }) {
  const now = useNow()
  const deliveries = useDeliveries(application)
  const others = useOthers(application)
  const releases = useReleases(application)
  return (
    <div className="application">
      <h1 className="page-title">{application}</h1>
      <div className="columns">
        <div className="main-column">
          <section className="panel" aria-label="Deliveries">
            <h2>Deliveries</h2>
            {deliveries.data ? (
              <DeliveryList
                deliveries={deliveries.data}
                releases={releases.data ?? []}
                selected=""
                hasOthers={(others.data ?? []).length > 0}
                now={now}
              />
            ) : deliveries.error ? (
              <Failure error={deliveries.error} again={() => void deliveries.refetch()} />
            ) : (
              <Loading label="Loading deliveries" lines={8} />
            )}
          </section>
          {others.data && others.data.length > 0 && (
            <section className="panel" aria-label="Other executions">
              <h2>Other executions</h2>
              <ExecutionList executions={others.data} now={now} />
            </section>
          )}
          <a className="card-more" href={address.executions(application)}>
            All executions of {application}
          </a>
        </div>
        <div className="aside">
          <TrafficAside application={application} execution={undefined} />
          <ReleasesAside application={application} />
          <ScheduleAside application={application} />
        </div>
      </div>
    </div>
  )
}
