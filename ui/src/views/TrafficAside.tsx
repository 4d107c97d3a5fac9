// Fetches the traffic of one application, and which versions its server groups run.

import { useReleases, useTraffic } from '../api/queries'
import type { Execution } from '../api/types'
import { balancersOf, versionsOf } from '../model/versions'
import { Failure, Loading } from '../parts/Notices'
import { TrafficPanel } from '../parts/TrafficPanel'

export function TrafficAside({ application, execution }: { application: string; execution: Execution | undefined }) {
  const traffic = useTraffic()
  const releases = useReleases(application)
  if (!traffic.data) {
    if (traffic.error) return <Failure error={traffic.error} again={() => void traffic.refetch()} />
    return <Loading label="Loading traffic" />
  }
  const known = releases.data ?? []
  return <TrafficPanel balancers={balancersOf(traffic.data, application, known)} versions={versionsOf(known, execution)} />
}
