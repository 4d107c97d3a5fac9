// Details of what was clicked in the track: problems, steps with tasks, reports, log, outputs.

import type { Evidence, Log } from '../api/reports'
import type { Commit, Execution } from '../api/types'
import { clock, duration, secondsBetween } from '../model/format'
import type { Phase, Step } from '../model/phases'
import { canaryReport, scoresSoFar } from '../model/stage_phases'
import { isComplete } from '../model/status'
import { CanaryPanel } from './CanaryPanel'
import { CommitDetail } from './CommitDetail'
import { Icon, StatusIcon } from './Icon'
import { LogPanel } from './LogPanel'
import { Problems } from './Notices'
import { Outputs } from './Outputs'
import { ReleaseDetail } from './ReleaseDetail'
import { Pictures } from './Pictures'
import { Reports } from './Reports'
import { StepList } from './StepList'

export interface StageDetailProps {
  phase: Phase
  /** Null: the whole phase was clicked. */
  step: Step | null
  execution: Execution | undefined
  evidence: Evidence[]
  logs: Log[]
  commits: Commit[]
  now: number
  onSelect: (id: string) => void
}

export function StageDetail({ phase, step, execution, evidence, logs, commits, now, onSelect }: StageDetailProps) {
  const shown = step ?? phase
  const stage = step?.stage ?? execution?.stages.find((one) => one.id === phase.id) ?? phase.steps[0]?.stage ?? null
  const report = canaryReport(stage)
  const time = duration(step?.seconds ?? secondsBetween(shown.start, shown.end, now))
  const isWhole = step === null
  const ids = idsOf(phase, step)
  const ownEvidence = evidence.filter((item) => ids.has(item.stageId) && (isWhole || belongs(item, step)))
  const ownLogs = logs.filter((log) => (step?.buildStep ? log.path === step.buildStep.log : ids.has(log.stageId)))
  return (
    <section className="detail" aria-label={`Details of ${shown.name}`}>
      <header className="detail-head">
        <span className={`detail-mark phase-${shown.standing.tone}`}>
          <Icon name={phase.kind} />
        </span>
        <div>
          <h2>{step ? step.name : phase.name}</h2>
          <p className="detail-line">
            <StatusIcon tone={shown.standing.tone} size={14} />
            <span>{shown.standing.word}</span>
            {time && phase.kind !== 'commit' && <span className="muted">{time}</span>}
            {shown.start && <span className="muted">from {clock(shown.start)}</span>}
          </p>
        </div>
        {step && (
          <button type="button" className="button button-quiet" onClick={() => onSelect(phase.id)}>
            All of {phase.name}
          </button>
        )}
      </header>
      {shown.waitingFor && <p className="waiting">Waiting for {shown.waitingFor}</p>}
      <Problems problems={shown.problems} />
      {phase.kind === 'commit' && <CommitDetail commits={commits} now={now} />}
      {phase.kind === 'release' && phase.releases.length > 0 && <ReleaseDetail releases={phase.releases} now={now} />}
      {phase.kind === 'canary' && isWhole && stage && execution && (
        <CanaryPanel report={report} scoresSoFar={scoresSoFar(execution, stage)} isOver={isComplete(stage.status)} />
      )}
      {isWhole && phase.steps.length > 0 && <StepList steps={phase.steps} now={now} onSelect={onSelect} />}
      {step && <StepFacts step={step} />}
      <Reports evidence={ownEvidence} />
      <Pictures evidence={ownEvidence} />
      {ownLogs.length > 0 && shown.executionId && (
        <LogPanel key={shown.id} executionId={shown.executionId} logs={ownLogs} preferred={lastRunning(phase)} />
      )}
      {stage && phase.kind !== 'commit' && <Outputs stage={stage} now={now} />}
    </section>
  )
}

function StepFacts({ step }: { step: Step }) {
  const own = step.buildStep
  if (!own) return null
  return (
    <div className="step-facts">
      {own.message && <p>{own.message}</p>}
      {own.command && (
        <pre className="command">
          <code>{own.command}</code>
        </pre>
      )}
      {own.exitStatus !== null && <p className="muted">Ended with exit status {own.exitStatus}.</p>}
    </div>
  )
}

function idsOf(phase: Phase, step: Step | null): Set<string> {
  if (step) return new Set(step.stage ? [step.stage.id] : [])
  const ids = phase.steps.flatMap((one) => (one.stage ? [one.stage.id] : []))
  return new Set([phase.id, ...ids])
}

/** A build's reports name the step that wrote them. */
function belongs(item: Evidence, step: Step): boolean {
  return step.buildStep === null || item.summary?.step === step.buildStep.name
}

function lastRunning(phase: Phase): string {
  const running = phase.steps.findLast((one) => one.standing.tone === 'running' || one.standing.tone === 'bad')
  return running?.buildStep?.log ?? running?.stage?.id ?? ''
}
