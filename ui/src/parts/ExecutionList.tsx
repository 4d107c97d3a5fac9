// Executions as a list, newest first: those that are no delivery (a pipeline run by hand, a rollback), or all.

import type { Summary } from '../api/types'
import { address } from '../live_hooks'
import { ago, duration, secondsBetween } from '../model/format'
import { isComplete } from '../model/status'
import { starterOf, stateOfExecution } from '../model/wording'
import { StatusIcon } from './Icon'

export function ExecutionList({ executions, now }: { executions: Summary[]; now: number }) {
  return (
    <ul className="deliveries" aria-label="Executions">
      {executions.map((one) => (
        <li key={one.id}>
          <Row execution={one} now={now} />
        </li>
      ))}
    </ul>
  )
}

function Row({ execution, now }: { execution: Summary; now: number }) {
  const state = stateOfExecution(execution)
  const { startTime: start, endTime, buildTime, status } = execution
  return (
    <a className="delivery" href={address.execution(execution.id)}>
      <StatusIcon tone={state.tone} />
      <span className="delivery-subject">{execution.name || execution.id}</span>
      <span className="delivery-state">{state.phrase}</span>
      <span className="delivery-meta">
        <span>started by {starterOf(execution)}</span>
        <span>{duration(secondsBetween(start, isComplete(status) ? endTime : null, now))}</span>
        <span>{ago(start ?? buildTime, now)}</span>
      </span>
    </a>
  )
}
