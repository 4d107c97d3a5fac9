// The question before a rollback: exactly what will happen.

import { useEffect, useRef } from 'react'
import type { Release } from '../api/types'
import { address } from '../live_hooks'

export interface RollbackDialogProps {
  release: Release
  isSending: boolean
  error: string
  /** The execution that rolls back, once it was started. */
  started: { executionId: string; sentence: string } | undefined
  onConfirm: () => void
  onClose: () => void
}

export function RollbackDialog({ release, isSending, error, started, onConfirm, onClose }: RollbackDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  const restored = release.replacedVersion || release.replaced
  const balancers = release.loadBalancers?.join(', ') || release.cluster
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="rollback-title" onClose={onClose}>
      <h2 id="rollback-title">Roll {release.cluster} back?</h2>
      {started ? (
        <>
          <p role="status">{started.sentence}</p>
          <div className="dialog-actions">
            <button type="button" className="button" onClick={onClose}>
              Close
            </button>
            <a className="button button-primary" href={address.execution(started.executionId)}>
              Follow it
            </a>
          </div>
        </>
      ) : (
        <>
          <p>
            All traffic of <strong>{balancers}</strong> goes from <code>{release.version || release.serverGroup}</code> back to{' '}
            <code>{restored}</code>, in one switch, within a second.
          </p>
          <ul className="dialog-facts">
            <li>
              <code>{restored}</code> still runs as {release.replaced}: nothing is deployed.
            </li>
            <li>
              {release.serverGroup} gets no new requests, finishes those under way, and is then removed from traffic.
            </li>
            <li>Who rolled back and when is recorded in the audit log.</li>
          </ul>
          {error && (
            <p className="form-error" role="alert">
              {error}
            </p>
          )}
          <div className="dialog-actions">
            <button type="button" className="button" onClick={onClose}>
              Keep {release.version || 'it as it is'}
            </button>
            <button type="button" className="button button-danger" disabled={isSending} onClick={onConfirm}>
              {isSending ? 'Rolling back…' : `Restore ${restored}`}
            </button>
          </div>
        </>
      )}
    </dialog>
  )
}
