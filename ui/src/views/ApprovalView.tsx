// Fetches the facts of an approval and sends the answer.

import { useApproval, useJudge } from '../api/queries'
import type { Execution, Stage } from '../api/types'
import { nextNames, targetsAfter } from '../model/after'
import { ApprovalCard } from '../parts/ApprovalCard'
import { Failure, Loading } from '../parts/Notices'

export interface ApprovalViewProps {
  execution: Execution
  stage: Stage
  now: number
}

export function ApprovalView({ execution, stage, now }: ApprovalViewProps) {
  const approval = useApproval(execution.id, stage.id)
  const judge = useJudge(execution.id, stage.id, approval.data?.etag)
  if (!approval.data) {
    if (approval.error) return <Failure error={approval.error} again={() => void approval.refetch()} />
    return <Loading label="Loading what there is to decide" lines={8} />
  }
  return (
    <ApprovalCard
      approval={approval.data}
      targets={targetsAfter(execution, stage)}
      next={nextNames(execution, stage)}
      waitingFor={stage.waitingFor}
      now={now}
      isSending={judge.isPending || judge.isSuccess}
      error={judge.error?.message ?? ''}
      onAnswer={(answer) => judge.mutate(answer)}
    />
  )
}
