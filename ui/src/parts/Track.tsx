// The flow as a track: from left to right, what runs side by side one below the other; on a narrow screen from top to bottom.

import type { CSSProperties } from 'react'
import { ago, duration, secondsBetween } from '../model/format'
import type { Phase, Step } from '../model/phases'
import { layout, type Layout, type Line as Drawn, type Place } from '../model/places'
import { Icon, StatusIcon } from './Icon'

export interface TrackProps {
  phases: Phase[]
  /** Id of the phase or step whose details are shown. */
  selected: string
  now: number
  onSelect: (id: string) => void
}

const MOST_STEPS = 7
const WIDE = 'minmax(146px, 1fr)'
const NOWHERE: Place = { column: 1, row: 1 }

export function Track({ phases, selected, now, onSelect }: TrackProps) {
  const drawn = layout(phases)
  const placed = phases.map((phase) => ({ phase, at: drawn.places.get(phase.id) ?? NOWHERE })).toSorted(byPlace)
  const good = new Set(phases.filter((one) => one.standing.tone === 'good').map((one) => one.id))
  return (
    <div className="track" style={columns(placed)}>
      <ol className="phases" aria-label="Flow of the delivery">
        {placed.map(({ phase, at }) => (
          <li
            key={phase.id}
            style={variables({ column: at.column, row: at.row })}
            data-first={placed.find((one) => one.at.column === at.column)?.phase === phase || undefined}
            data-beside={placed.some((one) => one.phase !== phase && one.at.column === at.column) || undefined}
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
      {drawn.edges.map((edge) => (
        <Line key={`${edge.from} ${edge.to}`} edge={edge} drawn={drawn} isGood={good.has(edge.from)} />
      ))}
    </div>
  )
}

/** To the right in its own row, then up or down, then into the other phase. */
function Line({ edge, drawn, isGood }: { edge: Drawn; drawn: Layout; isGood: boolean }) {
  const [from, to] = [drawn.places.get(edge.from) ?? NOWHERE, drawn.places.get(edge.to) ?? NOWHERE]
  const tone = isGood ? 'line line-good' : 'line'
  const along = { column: from.column, end: to.column, row: from.row, lane: edge.lane }
  if (from.row === to.row) return <span className={tone} style={variables(along)} />
  const turn = { column: to.column - 1, row: Math.min(from.row, to.row), last: Math.max(from.row, to.row), lane: edge.lane }
  return (
    <>
      <span className={`${tone} line-short`} style={variables(along)} />
      <span className={`${tone} line-turn`} style={variables(turn)} />
      <span className={`${tone} line-in`} style={variables({ column: to.column, row: to.row, lane: edge.lane })} />
    </>
  )
}

interface Placed {
  phase: Phase
  at: Place
}

function byPlace(left: Placed, right: Placed): number {
  return left.at.column - right.at.column || left.at.row - right.at.row
}

/** The widths of the columns: some kinds have less to say. */
function columns(placed: Placed[]): CSSProperties {
  const widths: string[] = []
  for (const { phase, at } of placed) {
    const known = widths[at.column - 1] ?? width(phase)
    widths[at.column - 1] = known === width(phase) ? known : WIDE
  }
  return { ...variables({ columns: widths.length }), '--widths': widths.join(' ') } as CSSProperties
}

function width({ kind }: Phase): string {
  if (kind === 'commit') return 'minmax(108px, 0.5fr)'
  return kind === 'approval' || kind === 'release' ? 'minmax(146px, 0.75fr)' : WIDE
}

/** Read by flow.css, which lays out in columns on wide screens only. */
function variables(values: Record<string, number>): CSSProperties {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`--${name}`, value])) as CSSProperties
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
