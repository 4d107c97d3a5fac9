"""Kill points: where the tellings of the kill test have their server killed, each once.

Several tellings share them, so that two can be told side by side: in the first two the server dies before and after effects
and commits of all kinds, many times in one run, and again while it recovers. A notification that is cut off a second time
is given up, and may never have been sent: that is done on purpose in the third only, after it was sent.
"""

KILLED_FIRST = (
    # Executions begin and end
    "commit.before:Submitted",
    "commit.after:Submitted",
    "effect.before:PrepareSubmission",
    "commit.before:SubmissionPrepared",
    "effect.before:Announce:execution.ended",
    "commit.before:Announced",
    "effect.before:RunTask:pipeline.startPipeline",
    "effect.before:Deliver:ChildEnded",
    "commit.before:ChildEnded",
    "commit.after:ChildEnded",
    # Build and registry
    "effect.after:RunTask:build.runSteps",
    "effect.before:RunTask:build.pushImage",
    # Instances and jobs
    "commit.before:QueueChanged",
    "effect.before:RunTask:createServerGroup.createServerGroup",
    "effect.after:RunTask:runJob.runJob",
    "effect.after:RunTask:destroyServerGroup.destroyServerGroup",
    # Traffic and releases
    "effect.before:RunTask:shiftTraffic.shiftTraffic",
    "effect.after:RunTask:shiftTraffic.joinTraffic",
    "effect.after:RunTask:shiftTraffic.recordRelease",
    "effect.after:RunTask:rollbackRelease.switchTraffic",
    # Canary, outside its windows (those: KILLED_WHILE_MEASURING)
    "effect.before:PrepareStage:kayentaCanary",
    "commit.before:StagePrepared",
    "effect.before:PrepareAfterStages:kayentaCanary",
    "commit.before:AfterStagesPrepared",
    # Time limits, and what is evaluated again before a task
    "effect.before:PrepareTask:wait",
    "commit.before:TaskPrepared",
    "effect.before:StartTimer",
    "commit.before:TimerRang",
    # People: notifications, a judgment, a cancellation
    "effect.before:Notify:pipeline.complete",
    "commit.before:RepeatCounted",
    "commit.before:NotificationReported",
    "commit.before:ManualJudgmentGiven",
    "commit.before:CancelAsked",
    "effect.before:StopTask:runJob.waitOnJobCompletion",
    "commit.before:TaskStopped",
    # Any result
    "commit.before:TaskReported#3",
)
KILLED_SECOND = (
    # Executions begin and end
    "effect.after:PrepareSubmission",
    "commit.after:SubmissionPrepared",
    "effect.after:Announce:execution.ended",
    "commit.after:Announced",
    "effect.after:RunTask:pipeline.startPipeline",
    "effect.after:Deliver:ChildEnded",
    # Build and registry
    "effect.after:RunTask:build.buildImage",
    "effect.after:RunTask:build.pushImage",
    # Instances and jobs
    "commit.after:QueueChanged",
    "effect.after:RunTask:createServerGroup.createServerGroup",
    "effect.after:RunTask:resizeServerGroup.resizeServerGroup",
    "effect.after:RunTask:decommission.destroyServerGroup",
    # Traffic and releases
    "effect.after:RunTask:shiftTraffic.shiftTraffic",
    "effect.after:RunTask:disableServerGroup.takeFromTraffic",
    # Canary, outside its windows
    "effect.after:PrepareStage:kayentaCanary",
    "commit.after:StagePrepared",
    "effect.after:RunTask:runCanary.judgeCanary#2",
    "effect.after:PrepareAfterStages:kayentaCanary",
    "commit.after:AfterStagesPrepared",
    # Time limits, and what is evaluated again before a task
    "effect.after:PrepareTask:wait",
    "commit.after:TaskPrepared",
    "effect.after:StartTimer",
    "commit.after:TimerRang",
    # People: notifications, a judgment, a cancellation
    "commit.after:NotificationReported",
    "commit.after:ManualJudgmentGiven",
    "commit.after:CancelAsked",
    "effect.after:StopTask:runJob.waitOnJobCompletion",
    "commit.after:TaskStopped",
    # Any result
    "commit.after:TaskReported#5",
)
KILLED_WHILE_MEASURING = (
    # Samples that the embedded metrics had are lost then (docs/guarantees.md): the canary takes longer and says so, but
    # comes to the same judgement.
    "effect.before:RunTask:runCanary.fetchMetrics",
    "effect.after:RunTask:runCanary.fetchMetrics#2",
    "effect.before:RunTask:runCanary.judgeCanary",
    # A notification that is cut off twice: its outcome is unknown.
    "effect.after:Notify:stage.complete",
    "commit.after:RepeatCounted",
)


def kind(point: str) -> tuple[str, str]:
    """What the point belongs to (`effect` or `commit`, of which type), whatever it is before or after of."""
    moment, _, name = point.partition("#")[0].partition(":")
    return moment.partition(".")[0], name.partition(":")[0]
