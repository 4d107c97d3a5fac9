// The approval card: everything that somebody needs who decides whether a version goes to production.

import type { Answer } from '../api/queries'
import type { Approval, Release } from '../api/types'
import { dateAndTime, shortDigest } from '../model/format'
import { ApprovalForm } from './ApprovalForm'
import { CanaryPanel } from './CanaryPanel'
import { CommitDetail } from './CommitDetail'
import { Copy } from './Copy'
import { Icon, StatusIcon } from './Icon'
import { Report } from './Reports'

export interface ApprovalCardProps {
  approval: Approval
  /** Clusters that the stages after the decision deploy to; empty: unknown. */
  targets: string[]
  /** Names of the stages that follow. */
  next: string[]
  /** What the stage itself says that it waits for. */
  waitingFor: string
  now: number
  isSending: boolean
  error: string
  onAnswer: (answer: Answer) => void
}

export function ApprovalCard({ approval, targets, next, waitingFor, now, isSending, error, onAnswer }: ApprovalCardProps) {
  const isOpen = approval.status === 'RUNNING'
  const replaced = approval.running.filter((one) => (targets.length > 0 ? targets.includes(one.cluster) : !isThis(approval, one)))
  return (
    <article className={`approval ${isOpen ? 'approval-open' : ''}`} aria-labelledby="approval-title">
      <header className="approval-head">
        <span className="approval-mark">
          <Icon name="approval" size={20} />
        </span>
        <div>
          <p className="approval-kicker">{isOpen ? 'Your decision' : 'Decision'}</p>
          <h2 id="approval-title">{approval.instructions || `Let ${approval.image || 'it'} go on?`}</h2>
        </div>
      </header>
      <Decision approval={approval} />
      {isOpen && waitingFor.startsWith('someone') && <p className="waiting">Waiting for {waitingFor}</p>}
      <Versions approval={approval} replaced={replaced} />
      <div className="approval-grid">
        <section className="block" aria-label="Release notes">
          <h3>What is new</h3>
          {approval.releaseNotes.length > 0 ? (
            <CommitDetail commits={approval.releaseNotes} now={now} />
          ) : (
            <p className="muted">No commits that production does not have.</p>
          )}
        </section>
        <section className="block" aria-label="Test results">
          <h3>Tests and findings</h3>
          <ul className="rows">
            {[...approval.tests, ...approval.findings].map((item) => (
              <Report key={`${item.executionId}${item.stageId}${item.name}`} item={item} />
            ))}
          </ul>
          {approval.tests.length === 0 && <p className="muted">No test left a report.</p>}
        </section>
      </div>
      <section className="block" aria-label="Canary">
        <h3>Canary</h3>
        {approval.canary ? (
          <CanaryPanel report={approval.canary.report} scoresSoFar={approval.canary.scores ?? []} />
        ) : (
          <p className="muted">This pipeline has analysed no canary.</p>
        )}
      </section>
      <Links approval={approval} />
      {isOpen && <ApprovalForm approval={approval} next={next} isSending={isSending} error={error} onAnswer={onAnswer} />}
    </article>
  )
}

function Decision({ approval }: { approval: Approval }) {
  const { judgment, status } = approval
  if (!judgment) {
    if (status === 'RUNNING' || status === 'NOT_STARTED') return null
    return <p className="decision">Nobody decided: the run ended before.</p>
  }
  const isYes = judgment.judgment === 'continue'
  return (
    <div className={`decision decision-${isYes ? 'good' : 'bad'}`} role="status">
      <StatusIcon tone={isYes ? 'good' : 'bad'} size={18} />
      <div>
        <p>
          <strong>{isYes ? 'Approved' : 'Rejected'}</strong> by {judgment.by}, {dateAndTime(judgment.at)}
          {judgment.judgmentInput && <span className="tag">{judgment.judgmentInput}</span>}
        </p>
        {judgment.comment && <blockquote>{judgment.comment}</blockquote>}
      </div>
    </div>
  )
}

function Versions({ approval, replaced }: { approval: Approval; replaced: Release[] }) {
  const before = replaced.filter((one) => !isThis(approval, one))
  const isKnown = Boolean(approval.version || approval.image || approval.digest)
  if (!isKnown && replaced.length === 0) return <p className="muted">This pipeline has built or deployed no image.</p>
  return (
    <div className="versions">
      <div className="version">
        <p className="version-label">In production now</p>
        {replaced.length === 0 && <p className="muted">Nothing yet</p>}
        {(before.length > 0 ? before : replaced).map((one) => (
          <div key={one.id}>
            <p className="version-tag">{one.version || one.serverGroup}</p>
            <p className="muted">
              {one.cluster}, since {dateAndTime(one.releasedAt)}
              {isThis(approval, one) && ' (this version)'}
            </p>
          </div>
        ))}
      </div>
      <span className="version-arrow" aria-hidden="true">
        <Icon name="arrow" size={20} />
      </span>
      <div className="version version-new">
        <p className="version-label">This version</p>
        {isKnown ? <p className="version-tag">{approval.version || approval.image}</p> : <p className="muted">No image of this run</p>}
        <p className="muted">
          <code title={approval.digest}>{shortDigest(approval.digest)}</code>
          {approval.digest && <Copy text={approval.digest} what="digest" />}
        </p>
      </div>
    </div>
  )
}

function Links({ approval }: { approval: Approval }) {
  if (approval.links.length === 0) return null
  return (
    <nav className="approval-links" aria-label="Links">
      {approval.links.map((link) => (
        <a key={link.url} href={link.url} {...(link.url.includes('/ui/#') ? {} : { target: '_blank', rel: 'noreferrer' })}>
          <Icon name="link" size={14} />
          {link.label}
        </a>
      ))}
    </nav>
  )
}

function isThis(approval: Approval, release: Release): boolean {
  return approval.digest !== '' && release.image.endsWith(approval.digest)
}
