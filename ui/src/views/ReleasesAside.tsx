// Fetches the releases of one application and sends a confirmed rollback.

import { useState } from 'react'
import { useReleases, useRollback } from '../api/queries'
import type { Release } from '../api/types'
import { useNow } from '../live_hooks'
import { Failure, Loading } from '../parts/Notices'
import { ReleasePanel } from '../parts/ReleasePanel'
import { RollbackDialog } from '../parts/RollbackDialog'

export function ReleasesAside({ application }: { application: string }) {
  const now = useNow()
  const releases = useReleases(application)
  const rollback = useRollback(application)
  const [asked, setAsked] = useState<Release | null>(null)
  if (!releases.data) {
    if (releases.error) return <Failure error={releases.error} again={() => void releases.refetch()} />
    return <Loading label="Loading releases" />
  }
  const ask = (release: Release): void => {
    rollback.reset()
    setAsked(release)
  }
  return (
    <>
      <ReleasePanel releases={releases.data} now={now} onRollback={ask} />
      {asked && (
        <RollbackDialog
          release={asked}
          isSending={rollback.isPending}
          error={rollback.error?.message ?? ''}
          started={rollback.data}
          onConfirm={() => rollback.mutate(asked)}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  )
}
