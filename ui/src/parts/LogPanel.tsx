// Logs of a stage: a choice where there are several, and the chosen one as it grows.

import { useLayoutEffect, useRef, useState } from 'react'
import { type Followed, useFollowedLog } from '../api/log'
import type { Log } from '../api/reports'

const WORDS: Record<Followed['state'], string> = {
  opening: 'Opening…',
  following: 'Following',
  ended: 'Complete',
  lost: 'Interrupted, reconnecting…',
}
const NEAR_END_PIXELS = 24

export interface LogPanelProps {
  executionId: string
  logs: Log[]
  /** Path or stage of the log to begin with. */
  preferred: string
}

export function LogPanel({ executionId, logs, preferred }: LogPanelProps) {
  const [chosen, setChosen] = useState('')
  const wanted = chosen || preferred
  const log = logs.find((one) => one.path === wanted || one.stageId === wanted) ?? logs.at(-1)
  if (!log) return null
  return (
    <section className="block" aria-label="Log">
      <div className="log-head">
        <h3>Log</h3>
        {logs.length > 1 ? (
          <select aria-label="Which log" value={log.path} onChange={(event) => setChosen(event.target.value)}>
            {logs.map((one) => (
              <option key={one.path} value={one.path}>
                {one.name}
              </option>
            ))}
          </select>
        ) : (
          <span className="muted">{log.name}</span>
        )}
      </div>
      <FollowedLog key={log.path} executionId={executionId} log={log} />
    </section>
  )
}

function FollowedLog({ executionId, log }: { executionId: string; log: Log }) {
  return <LogText name={log.name} followed={useFollowedLog(executionId, log.path)} />
}

export function LogText({ name, followed }: { name: string; followed: Followed }) {
  const box = useRef<HTMLPreElement>(null)
  const [isAtEnd, setIsAtEnd] = useState(true)
  useLayoutEffect(() => {
    if (isAtEnd && box.current) box.current.scrollTop = box.current.scrollHeight
    // oxlint-disable-next-line exhaustive-effect-dependencies -- new text makes the box higher
  }, [isAtEnd, followed.text])
  const look = (): void => {
    const { current } = box
    if (current) setIsAtEnd(current.scrollHeight - current.scrollTop - current.clientHeight < NEAR_END_PIXELS)
  }
  return (
    <div className="log">
      {/* oxlint-disable-next-line no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <pre ref={box} onScroll={look} tabIndex={0} role="log" aria-live="off" aria-label={`Log of ${name}`}>
        {followed.isCut && <span className="muted">… the beginning is left out{'\n'}</span>}
        {followed.text}
        {followed.text === '' && followed.state === 'ended' && <span className="muted">Nothing was written.</span>}
        {followed.text === '' && followed.state === 'following' && <span className="muted">Nothing written yet.</span>}
      </pre>
      <p className={`log-state log-${followed.state}`}>
        {WORDS[followed.state]}
        {!isAtEnd && (
          <button type="button" className="button button-quiet" onClick={() => setIsAtEnd(true)}>
            To the end
          </button>
        )}
      </p>
    </div>
  )
}
