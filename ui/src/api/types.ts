// Shapes of the native API (src/gennaker/web): what the server says, nothing derived.

import type { CanaryReport, Evidence } from './reports'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

export type Status =
  | 'NOT_STARTED'
  | 'RUNNING'
  | 'PAUSED'
  | 'SUSPENDED'
  | 'BUFFERED'
  | 'REDIRECT'
  | 'SUCCEEDED'
  | 'SKIPPED'
  | 'FAILED_CONTINUE'
  | 'TERMINAL'
  | 'CANCELED'
  | 'STOPPED'

export interface Problem {
  code: string
  message: string
  remedy?: string
  pointer?: string
  /** `log`: the end of what a program has said. */
  details?: { log?: unknown }
}

export interface Commit {
  hash: string
  subject: string
  author: string
  at?: string
}

export interface Image {
  name?: string
  tag?: string
  digest?: string
  reference?: string
  pinned?: string
}

export interface Summary {
  id: string
  kind: 'PIPELINE' | 'ORCHESTRATION'
  application: string
  name: string
  status: Status
  isCanceled: boolean
  canceledBy: string | null
  cancellationReason: string | null
  buildTime: string | null
  startTime: string | null
  endTime: string | null
  user: string
  trigger: JsonObject
  waitingFor: string
  currentStage: string | null
  failedStage: string | null
  problems: Problem[]
  version: number
  /** Planned only; nothing outside was changed. */
  isDryRun?: boolean
  /** The same, because another system still runs the application. */
  isShadow?: boolean
}

export interface Task {
  id: string
  name: string
  status: Status
  startTime: string | null
  endTime: string | null
  waitingFor: string
  due: string | null
}

export interface Stage {
  id: string
  refId: string
  type: string
  name: string
  status: Status
  requisiteStageRefIds: string[]
  parentId: string | null
  side: 'STAGE_BEFORE' | 'STAGE_AFTER' | null
  startTime: string | null
  endTime: string | null
  waitingFor: string
  context: JsonObject
  outputs: JsonObject
  problems: Problem[]
  judgedBy: string | null
  judgedAt: string | null
  tasks: Task[]
}

export interface Execution extends Summary {
  stages: Stage[]
}

export interface Delivery {
  id: string
  application: string
  commit: Commit | null
  branch: string | null
  build: Summary | null
  image: Image | null
  delivery: Summary | null
  /** The pipeline that builds the image deploys it as well. */
  isDeployedByBuild: boolean
  status: Status
  currentStage: string | null
  waitingFor: string
}

/** Of the build stage's outputs. */
export interface BuildStep {
  name: string
  kind: string
  command: string
  status: 'WAITING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'NOT_SCANNED'
  seconds: number | null
  exitStatus: number | null
  log: string
  message: string
}

export interface Release {
  id: string
  application: string
  account: string
  region: string
  cluster: string
  loadBalancers?: string[]
  serverGroup: string
  image: string
  version?: string
  replaced?: string
  replacedVersion?: string
  executionId: string
  releasedAt: string
  warmUntil?: string
  /** What it replaced stays, disabled, until somebody removes it. */
  keepsReplaced?: boolean
  state?: 'current' | 'settled' | 'superseded' | 'rolled-back'
  endedAt?: string
  endedBecause?: string
}

export interface Share {
  serverGroup: string
  weight: number
  addresses: string[]
  /** Requests that it gets whatever the weights are, each in words. */
  routes: string[]
  /** Requests under way; null where the load balancer can't tell. */
  inFlight: number | null
}

export interface LoadBalancer {
  name: string
  provider: string
  address: string
  shares: Share[]
}

export interface Judgment {
  judgment: string
  judgmentInput: string | null
  comment: string | null
  by: string
  at: string
}

export interface Approval {
  /** Of what is shown; older servers have none. */
  etag?: string
  executionId: string
  stageId: string
  application: string
  pipeline: string
  status: Status
  instructions: string
  judgmentInputs: { value: string }[]
  judgment: Judgment | null
  version: string | null
  digest: string
  image: string
  releaseNotes: Commit[]
  tests: Evidence[]
  findings: Evidence[]
  canary: { stage: string; status: Status; scores: number[] | null; message: string | null; report: CanaryReport } | null
  running: Release[]
  links: { label: string; url: string }[]
}
