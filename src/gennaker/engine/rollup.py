"""Roll-up: the status of a stage from its parts, of an execution from its stages. Nothing else sets them.

Follows Orca's CompleteStageHandler and CompleteExecutionHandler; "first match" below means the order of the rules
there.
"""

from collections.abc import Callable, Sequence

from gennaker.model import records
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Stage
from gennaker.model.statuses import Status

_PASSED = frozenset(status for status in Status if status.satisfies_downstream)
_WELL = frozenset({Status.SUCCEEDED, Status.SKIPPED})


def failure_status(context: JsonObject, default: Status = Status.TERMINAL) -> Status:
    """What a failure of a stage with this context counts as: the three choices of "if the stage fails".

    Only the boolean true counts as true, so that `failPipeline: "true"` stops the branch, as in Orca. A value that is neither
    true nor false in any form says nothing: it is refused when the stage starts, and that mustn't pass for a success.
    """
    if context.get("continuePipeline") is True:
        return Status.FAILED_CONTINUE
    fails: Json = context.get("failPipeline")
    return Status.STOPPED if fails is not True and records.is_flag(fails) else default


def stage_status(stage: Stage, children: Sequence[Stage], *, has_unstarted_after: bool) -> Status:
    """The status of a stage from its tasks and synthetic stages; first match."""
    statuses = _statuses(stage, children)
    if not statuses:
        return Status.NOT_STARTED
    if Status.TERMINAL in statuses:
        return failure_status(stage.context)
    for status in (Status.STOPPED, Status.CANCELED, Status.FAILED_CONTINUE):
        if status in statuses:
            return status
    if statuses <= _WELL:
        return Status.SUCCEEDED
    if has_unstarted_after:
        return Status.RUNNING
    return Status.TERMINAL


def cut_status(stage: Stage, children: Sequence[Stage]) -> Status:
    """The status of a stage that is cut off: what had failed in it stays a failure (its parts for that case were running)."""
    statuses = _statuses(stage, children)
    failed = failure_status(stage.context) if Status.TERMINAL in statuses else Status.CANCELED
    if failed is Status.CANCELED and Status.STOPPED in statuses:
        failed = Status.STOPPED
    return failed if failed.is_halt else Status.CANCELED


def _statuses(stage: Stage, children: Sequence[Stage]) -> set[Status]:
    statuses = {task.status for task in stage.tasks}
    for child in children:
        statuses.add(child.status)
    if stage.context.get("beforeStagePlanningFailed") is True:
        statuses.add(failure_status(stage.context))
    return statuses


def fails_on_expressions(stage: Stage) -> bool:
    """The stage wants to fail because an expression in it did."""
    return stage.context.get("failOnFailedExpressions") is True and bool(
        stage.context.get("expressionEvaluationSummary")
    )


def execution_status(
    top: Sequence[Stage],
    *,
    is_ready: Callable[[Stage], bool],
    fails_late: Callable[[], bool],
) -> Status | None:
    """The final status of an execution from its own stages, first match; None: something is left to do.

    `is_ready` says whether a stage that hasn't started could start now; `fails_late` whether any stopped stage of any
    level asks for failure once the other branches are complete.
    """
    statuses = {stage.status for stage in top}
    if statuses <= _PASSED:
        return Status.SUCCEEDED
    for status in (Status.TERMINAL, Status.CANCELED):
        if status in statuses:
            return status
    if Status.STOPPED not in statuses:
        return None
    if statuses & {Status.RUNNING, Status.PAUSED}:
        return None
    if any(stage.status is Status.NOT_STARTED and is_ready(stage) for stage in top):
        return None
    return Status.TERMINAL if fails_late() else Status.SUCCEEDED
