// All executions of an application, newest first, as far back as one asks.

import { useExecutions } from '../api/queries'
import { address, useNow } from '../live_hooks'
import { ExecutionList } from '../parts/ExecutionList'
import { Failure, Loading } from '../parts/Notices'

export function ExecutionsView({ application }: { application: string }) {
  const now = useNow()
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useExecutions(application)
  return (
    <div className="application">
      <h1 className="page-title">
        Executions of <a href={address.application(application)}>{application}</a>
      </h1>
      <section className="panel" aria-label="Executions">
        {data ? (
          <ExecutionList executions={data} now={now} />
        ) : error ? (
          <Failure error={error} again={() => void refetch()} />
        ) : (
          <Loading label="Loading executions" lines={8} />
        )}
        {data?.length === 0 && <p className="muted list-empty">Nothing has run yet.</p>}
        {hasNextPage && (
          <button type="button" className="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Older executions
          </button>
        )}
      </section>
    </div>
  )
}
