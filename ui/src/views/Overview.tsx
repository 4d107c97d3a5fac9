// All applications: what serves, what goes on, and the newest deliveries of each.

import { useApplications, useDeliveries, useOthers, useReleases } from '../api/queries'
import { address, useNow } from '../live_hooks'
import { isComplete } from '../model/status'
import { DeliveryList } from '../parts/DeliveryList'
import { ExecutionList } from '../parts/ExecutionList'
import { Failure, Loading, Notice } from '../parts/Notices'
import { ServingLine } from '../parts/ServingLine'

const SHOWN = 5

export function Overview() {
  const applications = useApplications()
  if (applications.isPending) return <Loading label="Loading the applications" lines={6} />
  if (!applications.data) return <Failure error={applications.error} again={() => void applications.refetch()} />
  if (applications.data.length === 0) {
    return (
      <Notice title="No application yet" tone="empty">
        <p>
          An application appears with its first pipeline. <code>gennaker run FILE</code> saves one and runs it.
        </p>
      </Notice>
    )
  }
  return (
    <div className="overview">
      <h1 className="page-title">Applications</h1>
      <div className="cards">
        {applications.data.map((name) => (
          <ApplicationCard key={name} name={name} />
        ))}
      </div>
    </div>
  )
}

function ApplicationCard({ name }: { name: string }) {
  const now = useNow()
  const deliveries = useDeliveries(name, SHOWN)
  const releases = useReleases(name)
  const others = useOthers(name, SHOWN).data ?? []
  // Where nothing delivers, what else has run is all that there is to see.
  const isAll = deliveries.data?.length === 0 && others.length > 0
  const shown = isAll ? others.slice(0, SHOWN) : others.filter((one) => !isComplete(one.status))
  return (
    <section className="panel card" aria-label={name}>
      <header className="card-head">
        <h2>
          <a href={address.application(name)}>{name}</a>
        </h2>
        {releases.data && <ServingLine releases={releases.data} now={now} />}
      </header>
      {shown.length > 0 && <ExecutionList executions={shown} now={now} />}
      {isAll ? null : deliveries.data ? (
        <DeliveryList deliveries={deliveries.data} releases={releases.data ?? []} selected="" now={now} />
      ) : deliveries.error ? (
        <Failure error={deliveries.error} again={() => void deliveries.refetch()} />
      ) : (
        <Loading label={`Loading deliveries of ${name}`} />
      )}
      <a className="card-more" href={address.application(name)}>
        All of {name}
      </a>
    </section>
  )
}
