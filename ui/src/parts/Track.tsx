// The flow as a track: one column a phase, its steps below; on a narrow screen from top to bottom.

import { ago, duration, secondsBetween } from '../model/format'
import type { Phase, Step } from '../model/phases'
import { Icon, StatusIcon } from './Icon'

export interface TrackProps {
  phases: Phase[]
  /** Id of the phase or step whose details are shown. */
  selected: string
  now: number
  onSelect: (id: string) => void
}

const MOST_STEPS = 7

export function Track({ phases, selected, now, onSelect }: TrackProps) {
  return (
    <ol className="track" aria-label="Flow of the delivery">
      {phases.map((phase) => (
        <li
          key={phase.id}
          className={`phase phase-${phase.standing.tone}`}
          data-kind={phase.kind}
          data-open={phase.id === selected || phase.steps.some((one) => one.id === selected) || undefined}
        >
          <button
            type="button"
            className="phase-head"
            aria-current={phase.id === selected ? 'true' : undefined}
            onClick={() => onSelect(phase.id)}
          >
            <span className="phase-mark">
              <Icon name={phase.kind} size={16} />
            </span>
            <span className="phase-name">{phase.name}</span>
            <span className="phase-standing">
              <StatusIcon tone={phase.standing.tone} size={14} />
              <span>{phase.standing.word}</span>
            </span>
            <span className="phase-facts">
              <span className="phase-time">{phaseTime(phase, now)}</span>
              {phase.note && <span className="phase-note">{phase.note}</span>}
            </span>
            {phase.waitingFor && phase.kind !== 'approval' && <span className="phase-waiting">Waiting for {phase.waitingFor}</span>}
          </button>
          {phase.steps.length > 0 && <Steps phase={phase} selected={selected} now={now} onSelect={onSelect} />}
        </li>
      ))}
    </ol>
  )
}

function Steps({ phase, selected, now, onSelect }: { phase: Phase } & Omit<TrackProps, 'phases'>) {
  const shown = phase.steps.slice(0, MOST_STEPS)
  const rest = phase.steps.length - shown.length
  return (
    <ul className="steps" aria-label={`Steps of ${phase.name}`}>
      {shown.map((one) => (
        <li key={one.id}>
          <button
            type="button"
            className="step"
            title={`${one.name}: ${one.standing.word}`}
            aria-current={one.id === selected ? 'true' : undefined}
            onClick={() => onSelect(one.id)}
          >
            <StatusIcon tone={one.standing.tone} size={12} />
            <span className="step-name">{one.name}</span>
            <span className="hidden">{one.standing.word}</span>
            <span className="step-time">{stepTime(one, now)}</span>
          </button>
        </li>
      ))}
      {rest > 0 && (
        <li>
          <button type="button" className="step step-more" onClick={() => onSelect(phase.id)}>
            {rest} more
          </button>
        </li>
      )}
    </ul>
  )
}

export function stepTime(one: Step, now: number): string {
  return duration(one.seconds ?? secondsBetween(one.start, one.end, now))
}

function phaseTime(phase: Phase, now: number): string {
  if (phase.kind === 'commit') return ago(phase.end, now)
  if (phase.kind === 'release') return ago(phase.start, now)
  return duration(secondsBetween(phase.start, phase.end, now))
}
