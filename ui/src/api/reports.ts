// Shapes of what stages leave behind: reports, logs, canary analyses.

import type { JsonObject } from './types'

export interface CanaryMetric {
  name: string
  classification: string
  reason?: string
  critical: boolean
  muted: boolean
  passed: boolean
  baselineMean?: number | null
  canaryMean?: number | null
  /** As text where it isn't finite. */
  ratio?: number | string | null
  sentence?: string
}

export interface CanaryInterval {
  number: number
  score: number
  classification: string
  start: string
  end: string
}

export interface CanaryReport {
  didPassThresholds: boolean
  score: number | null
  message: string
  thresholds: { pass: number; marginal: number }
  baseline?: string | null
  canary?: string | null
  baselineVersion?: string | null
  canaryVersion?: string | null
  intervals: CanaryInterval[]
  groups: { name: string; score: number }[]
  metrics: CanaryMetric[]
  warnings: string[]
}

export interface Evidence {
  executionId: string
  stageId: string
  name: string
  kind: string
  mediaType: string
  digest: string
  sizeBytes: number
  at: string
  summary?: JsonObject
}

export interface Log {
  executionId: string
  stageId: string
  name: string
  path: string
  at: string
}
