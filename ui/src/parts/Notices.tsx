// What a view says when it has nothing to show yet, nothing at all, or old facts.

import type { ReactNode } from 'react'
import { Refusal } from '../api/client'
import type { Connection } from '../api/live'
import type { Problem } from '../api/types'
import { clock } from '../model/format'
import { StatusIcon } from './Icon'

export function Notice({ title, tone, children }: { title: string; tone: 'empty' | 'error'; children?: ReactNode }) {
  return (
    <section className={`notice notice-${tone}`} role={tone === 'error' ? 'alert' : 'status'}>
      <h2>{title}</h2>
      {children}
    </section>
  )
}

export function Failure({ error, again }: { error: Error; again: () => void }) {
  const problems = error instanceof Refusal ? error.problems : [{ code: '', message: error.message }]
  return (
    <Notice title="This could not be loaded" tone="error">
      {problems.map((problem) => (
        <p key={problem.message}>
          <Said text={problem.message} /> <Said text={problem.remedy ?? ''} />
        </p>
      ))}
      <button type="button" className="button" onClick={again}>
        Try again
      </button>
    </Notice>
  )
}

export function Loading({ label, lines = 4 }: { label: string; lines?: number }) {
  return (
    <div className="loading" role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} className="loading-line" style={{ width: `${92 - ((index * 23) % 55)}%` }} />
      ))}
    </div>
  )
}

export function Problems({ problems }: { problems: Problem[] }) {
  if (problems.length === 0) return null
  return (
    <ul className="problems" aria-label="What went wrong">
      {problems.map((problem) => (
        <li key={`${problem.code}${problem.message}`}>
          <StatusIcon tone="bad" />
          <div>
            <p className="problem-message">
              <Said text={problem.message} />
            </p>
            {problem.remedy && (
              <p className="problem-remedy">
                <Said text={problem.remedy} />
              </p>
            )}
            {typeof problem.details?.log === 'string' && problem.details.log && <pre className="problem-log">{problem.details.log}</pre>}
          </div>
        </li>
      ))}
    </ul>
  )
}

/** A sentence of the server's: names and commands stand in backticks, as on a terminal. */
function Said({ text }: { text: string }) {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))
}

/** Facts that are shown although newer ones may exist. */
export function Stale({ connection }: { connection: Connection }) {
  if (connection.state !== 'lost') return null
  return (
    <div className="stale" role="status">
      <StatusIcon tone="attention" />
      <span>
        Live updates stopped at {clock(new Date(connection.since).toISOString())}. What you see may be old; reconnecting…
      </span>
    </div>
  )
}
