// The steps of a phase as a list, with what came of each and its tasks.

import type { Task } from '../api/types'
import { duration, secondsBetween } from '../model/format'
import type { Step } from '../model/phases'
import { standing } from '../model/status'
import { StatusIcon } from './Icon'
import { stepTime } from './Track'

export interface StepListProps {
  steps: Step[]
  now: number
  onSelect: (id: string) => void
}

export function StepList({ steps, now, onSelect }: StepListProps) {
  return (
    <ul className="rows" aria-label="Steps">
      {steps.map((one) => (
        <li key={one.id}>
          <button type="button" className="row" onClick={() => onSelect(one.id)}>
            <StatusIcon tone={one.standing.tone} size={14} />
            <span className="row-name">{one.name}</span>
            <span className="row-note">{noteOf(one)}</span>
            <span className="row-time">{stepTime(one, now)}</span>
          </button>
        </li>
      ))}
    </ul>
  )
}

export function TaskList({ tasks, now }: { tasks: Task[]; now: number }) {
  return (
    <ul className="rows rows-small" aria-label="Tasks">
      {tasks.map((task) => {
        const { tone, word } = standing(task.status)
        return (
          <li key={task.id} className="row">
            <StatusIcon tone={tone} size={14} />
            <span className="row-name">{task.name}</span>
            <span className="row-note">{task.waitingFor ? `waiting for ${task.waitingFor}` : word}</span>
            <span className="row-time">{duration(secondsBetween(task.startTime, task.endTime, now))}</span>
          </li>
        )
      })}
    </ul>
  )
}

function noteOf(one: Step): string {
  if (one.buildStep?.message) return one.buildStep.message
  if (one.buildStep?.status === 'RUNNING') return one.buildStep.command
  if (one.waitingFor) return `waiting for ${one.waitingFor}`
  return one.standing.word
}
