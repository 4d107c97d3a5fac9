// Reports that stages left behind: tests, findings, components; each can be downloaded as it was written.

import type { Evidence } from '../api/reports'
import type { JsonObject } from '../api/types'
import { bytes, counted, number } from '../model/format'
import type { Tone } from '../model/status'
import { StatusIcon } from './Icon'

export function Reports({ evidence }: { evidence: Evidence[] }) {
  if (evidence.length === 0) return null
  return (
    <section className="block" aria-label="Reports">
      <h3>Reports</h3>
      <ul className="rows">
        {evidence.map((item) => (
          <Report key={`${item.stageId}/${item.name}`} item={item} />
        ))}
      </ul>
    </section>
  )
}

export function Report({ item }: { item: Evidence }) {
  const { tone, text } = verdictOf(item)
  return (
    <li className="row row-report">
      <StatusIcon tone={tone} size={14} />
      <span className="row-name">{titleOf(item)}</span>
      <span className="row-note">{text}</span>
      <a className="row-time" href={`/api/v1/evidence/${encodeURIComponent(item.digest)}`} download={item.name}>
        {bytes(item.sizeBytes)}
        <span className="hidden"> of {item.name}, download</span>
      </a>
    </li>
  )
}

export function titleOf(item: Evidence): string {
  const step = item.summary?.step
  return typeof step === 'string' ? step : item.name.replace(/\.(junit|http\.json|json)$/, '')
}

export function verdictOf(item: Evidence): { tone: Tone; text: string } {
  const summary = item.summary ?? {}
  switch (item.kind) {
    case 'junit':
    case 'http':
      return tests(summary, item.kind === 'http' ? 'request' : 'test')
    case 'sarif':
      return findings(summary)
    case 'sbom':
      return { tone: 'good', text: counted(count(summary, 'components'), 'component') }
    case 'canary':
      return {
        tone: summary.classification === 'Pass' ? 'good' : summary.classification === 'Marginal' ? 'attention' : 'bad',
        text: `score ${number(count(summary, 'score'))}, ${String(summary.classification ?? '').toLowerCase()}`,
      }
    case 'file':
      return { tone: 'skipped', text: summary.metricSetPairs ? `samples of ${counted(count(summary, 'metricSetPairs'), 'metric')}` : 'file' }
    default:
      return { tone: 'skipped', text: item.kind }
  }
}

function tests(summary: JsonObject, noun: string): { tone: Tone; text: string } {
  const failed = count(summary, 'failed')
  const all = count(summary, 'tests')
  const skipped = count(summary, 'skipped')
  const tail = skipped > 0 ? `, ${skipped} skipped` : ''
  const word = noun === 'request' ? 'as expected' : 'passed'
  if (failed > 0) return { tone: 'bad', text: `${failed} of ${counted(all, noun)} failed${tail}` }
  return { tone: all > 0 ? 'good' : 'attention', text: `${counted(count(summary, 'passed'), noun)} ${word}${tail}` }
}

function findings(summary: JsonObject): { tone: Tone; text: string } {
  const found = count(summary, 'findings')
  if (typeof summary.incomplete === 'string' && summary.incomplete) return { tone: 'attention', text: summary.incomplete }
  return found > 0 ? { tone: 'attention', text: counted(found, 'finding') } : { tone: 'good', text: 'no findings' }
}

function count(summary: JsonObject, key: string): number {
  const value = summary[key]
  return typeof value === 'number' ? value : 0
}
