// The page's frame: which view the address names, sign-in where nobody is signed in, the state of live updates.

import { isSignedOut, useApplications } from './api/queries'
import { useConnection, useRoute } from './live_hooks'
import { Frame } from './parts/Frame'
import { Notice } from './parts/Notices'
import { SignIn } from './parts/SignIn'
import { ApplicationView } from './views/ApplicationView'
import { DeliveryView } from './views/DeliveryView'
import { ExecutionsView } from './views/ExecutionsView'
import { Overview } from './views/Overview'

export function App() {
  const route = useRoute()
  const connection = useConnection()
  const applications = useApplications()
  if (isSignedOut(applications.error)) return <SignIn />
  const here = 'application' in route ? route.application : ''
  return (
    <Frame applications={applications.data ?? []} here={here} connection={connection}>
      {route.view === 'overview' && <Overview />}
      {route.view === 'application' && <ApplicationView application={route.application} />}
      {route.view === 'executions' && <ExecutionsView key={route.application} application={route.application} />}
      {route.view === 'execution' && <DeliveryView key={route.id} id={route.id} selected={route.selected} />}
      {route.view === 'unknown' && (
        <Notice title="There is no such page" tone="empty">
          <a href="#/">All applications</a>
        </Notice>
      )}
    </Frame>
  )
}
