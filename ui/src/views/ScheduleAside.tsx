// Fetches which pipelines of one application the clock starts next; shows nothing where it starts none.

import { useScheduled } from '../api/queries'
import { SchedulePanel } from '../parts/SchedulePanel'

export function ScheduleAside({ application }: { application: string }) {
  const found = useScheduled(application)
  return found.data && found.data.length > 0 ? <SchedulePanel pipelines={found.data} /> : null
}
