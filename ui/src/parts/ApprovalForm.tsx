// The answer to an approval: a reason, a choice where the pipeline offers some, yes or no.

import { useRef, useState } from 'react'
import type { Answer } from '../api/queries'
import type { Approval } from '../api/types'

export interface ApprovalFormProps {
  approval: Approval
  next: string[]
  isSending: boolean
  error: string
  onAnswer: (answer: Answer) => void
}

export function ApprovalForm({ approval, next, isSending, error, onAnswer }: ApprovalFormProps) {
  const [comment, setComment] = useState('')
  const [judgmentInput, setJudgmentInput] = useState('')
  const [missing, setMissing] = useState('')
  const reason = useRef<HTMLTextAreaElement>(null)
  const choices = approval.judgmentInputs.map((one) => one.value)

  const approve = (): void => {
    if (choices.length > 0 && !judgmentInput) setMissing('Choose one of the answers first.')
    else onAnswer({ judgment: 'continue', judgmentInput, comment })
  }
  const reject = (): void => {
    if (comment.trim()) {
      onAnswer({ judgment: 'stop', judgmentInput, comment })
      return
    }
    setMissing('Say why you reject it, so that its author knows what to do.')
    reason.current?.focus()
  }
  const complaint = missing || error
  return (
    <form
      className="answer"
      aria-label="Your decision"
      onSubmit={(event) => {
        event.preventDefault()
        approve()
      }}
    >
      {choices.length > 0 && (
        <fieldset className="choices">
          <legend>Answer</legend>
          {choices.map((choice) => (
            <label key={choice}>
              <input
                type="radio"
                name="judgmentInput"
                value={choice}
                checked={judgmentInput === choice}
                onChange={() => setJudgmentInput(choice)}
              />
              {choice}
            </label>
          ))}
        </fieldset>
      )}
      <label className="reason">
        <span>Reason</span>
        <textarea
          ref={reason}
          rows={1}
          placeholder="Why? Kept in the audit log."
          value={comment}
          aria-describedby={complaint ? 'answer-error' : undefined}
          onChange={(event) => {
            setComment(event.target.value)
            setMissing('')
          }}
        />
      </label>
      {complaint && (
        <p id="answer-error" className="form-error" role="alert">
          {complaint}
        </p>
      )}
      <div className="answer-actions">
        <button type="button" className="button button-danger" disabled={isSending} onClick={reject}>
          Reject
        </button>
        <button type="submit" className="button button-primary" disabled={isSending}>
          {isSending ? 'Sending…' : 'Approve'}
          {!isSending && approval.version && <span className="wide"> {approval.version}</span>}
        </button>
      </div>
      <p className="answer-hint muted">
        Approving goes on with {next.length > 0 ? next.join(' and ') : 'what follows'}. Rejecting ends this delivery; production
        stays as it is.
      </p>
    </form>
  )
}
