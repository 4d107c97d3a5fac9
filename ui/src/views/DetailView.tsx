// Fetches reports and logs for the part of a delivery that is looked at.

import { useEvidence, useLogs } from '../api/queries'
import type { Commit, Execution } from '../api/types'
import type { Phase, Step } from '../model/phases'
import { StageDetail } from '../parts/StageDetail'

export interface DetailViewProps {
  phase: Phase
  step: Step | null
  execution: Execution | undefined
  commits: Commit[]
  now: number
  onSelect: (id: string) => void
}

export function DetailView({ phase, step, execution, commits, now, onSelect }: DetailViewProps) {
  const executionId = step?.executionId ?? phase.executionId
  const evidence = useEvidence(executionId)
  const logs = useLogs(executionId)
  return (
    <StageDetail
      phase={phase}
      step={step}
      execution={execution}
      evidence={evidence.data ?? []}
      logs={logs.data ?? []}
      commits={commits}
      now={now}
      onSelect={onSelect}
    />
  )
}
