// The frame around every view: name, applications, state of live updates.

import type { ReactNode } from 'react'
import type { Connection } from '../api/live'
import { address } from '../live_hooks'
import { Stale } from './Notices'

const WORDS: Record<Connection['state'], string> = { connecting: 'Connecting', live: 'Live', lost: 'Reconnecting' }

export interface FrameProps {
  applications: string[]
  here: string
  connection: Connection
  children: ReactNode
}

export function Frame({ applications, here, connection, children }: FrameProps) {
  return (
    <>
      <a className="skip" href="#content" onClick={focusContent}>
        Skip to content
      </a>
      <header className="top">
        <a className="brand" href={address.overview}>
          <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width="24" height="24" />
          Gennaker
        </a>
        <nav className="top-nav" aria-label="Applications">
          {applications.map((name) => (
            <a key={name} href={address.application(name)} aria-current={name === here ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <span className={`connection connection-${connection.state}`} role="status">
          <span className="connection-dot" aria-hidden="true" />
          {WORDS[connection.state]}
        </span>
      </header>
      <Stale connection={connection} />
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </>
  )
}

/** The address after # is the view's, so the jump is made by hand. */
function focusContent(event: { preventDefault: () => void }): void {
  event.preventDefault()
  document.getElementById('content')?.focus()
}
