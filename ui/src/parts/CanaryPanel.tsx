// A canary analysis: its scores against the thresholds, and every metric's baseline and canary side by side.

import type { CanaryMetric, CanaryReport } from '../api/reports'
import { number } from '../model/format'
import type { Tone } from '../model/status'
import { StatusIcon } from './Icon'

export interface CanaryPanelProps {
  /** Null: there is none, or none yet. */
  report: CanaryReport | null
  scoresSoFar: number[]
  /** Nothing is analysed any more. */
  isOver?: boolean
}

export function CanaryPanel({ report, scoresSoFar, isOver = false }: CanaryPanelProps) {
  if (!report) return <p className="muted">{withoutReport(scoresSoFar, isOver)}</p>
  return (
    <section className="canary" aria-label="Canary report">
      <div className="scores">
        {report.intervals.map((one) => (
          <Score key={one.number} label={`Interval ${one.number}`} score={one.score} report={report} />
        ))}
        {report.groups.length > 0 && (
          <ul className="groups" aria-label="Scores of groups of metrics">
            {report.groups.map((group) => (
              <li key={group.name}>
                <span>{group.name}</span>
                <span className="number">{number(group.score)}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
      <p className="canary-message">{report.message}</p>
      <p className="muted">
        Baseline {report.baselineVersion ?? report.baseline} against canary {report.canaryVersion ?? report.canary}; passes at{' '}
        {number(report.thresholds.pass)}, fails at {number(report.thresholds.marginal)} or below.
      </p>
      <MetricTable metrics={report.metrics} />
      {report.warnings.map((warning) => (
        <p key={warning} className="warning">
          <StatusIcon tone="attention" size={14} />
          {warning}
        </p>
      ))}
    </section>
  )
}

function withoutReport(scores: number[], isOver: boolean): string {
  if (scores.length > 0) {
    return `${isOver ? 'Scores until it ended' : 'Scores so far'}: ${scores.map((score) => number(score)).join(', ')}.`
  }
  return isOver ? 'It ended before anything was judged.' : 'No judgement yet: samples of baseline and canary are being collected.'
}

function Score({ label, score, report }: { label: string; score: number; report: CanaryReport }) {
  const { pass, marginal } = report.thresholds
  const tone: Tone = score >= pass ? 'good' : score > marginal ? 'attention' : 'bad'
  const word = { good: 'pass', attention: 'marginal', bad: 'fail' }[tone]
  return (
    <div className={`score score-${tone}`}>
      <span className="score-label">{label}</span>
      <span className="score-number">{number(score)}</span>
      <span className="score-word">
        <StatusIcon tone={tone} size={13} />
        {word}
      </span>
      <span className="score-bar" aria-hidden="true">
        <span style={{ width: `${Math.max(2, score)}%` }} />
        <i style={{ left: `${pass}%` }} />
      </span>
    </div>
  )
}

function MetricTable({ metrics }: { metrics: CanaryMetric[] }) {
  if (metrics.length === 0) return null
  return (
    <div className="table-scroll">
      <table className="metrics">
        <caption className="hidden">Means of baseline and canary, metric by metric</caption>
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col" className="number">
              Baseline
            </th>
            <th scope="col" className="number">
              Canary
            </th>
            <th scope="col" className="number">
              Ratio
            </th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        <tbody>
          {metrics.map((metric) => (
            <tr key={metric.name} title={metric.sentence || metric.reason}>
              <th scope="row">
                {metric.name}
                {metric.critical && <span className="tag">critical</span>}
                {metric.muted && <span className="tag">muted</span>}
              </th>
              <td className="number" data-label="Baseline">{number(metric.baselineMean)}</td>
              <td className="number" data-label="Canary">{number(metric.canaryMean)}</td>
              <td className="number" data-label="Ratio">{number(metric.ratio) === '–' ? '–' : `× ${number(metric.ratio)}`}</td>
              <td>
                <span className="verdict">
                  <StatusIcon tone={metric.passed ? 'good' : 'bad'} size={14} />
                  {metric.classification}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
