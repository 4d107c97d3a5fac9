"""Which audit records a step makes: decisions, effects and their outcome, beginnings and ends."""

from datetime import datetime

import msgspec

from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.event import (
    Again,
    Done,
    Event,
    Failed,
    NotificationReported,
    StagePrepared,
    SubmissionPrepared,
    TaskReported,
    TaskStopped,
)
from gennaker.model.execution import Execution, Stage
from gennaker.model.principal import Principal
from gennaker.model.waiting import ForJudgment

_ENGINE = "gennaker"


def entries(before: Execution, event: Event, after: Execution, *, is_ignored: bool) -> list[AuditEntry]:
    """What the event decided or told; commands are recorded by `command`, with who gave them."""
    found = [] if is_ignored else _of_event(before, event)
    status = after.head.status
    if status is not before.head.status:
        found.append(
            _entry(
                event,
                f"execution.{status.value.lower()}",
                before,
                {"before": before.head.status.value, "application": before.head.application},
            )
        )
    return found


def command(principal: Principal, event: Event, execution_id: str) -> AuditEntry:
    """The record of a command: who asked for what."""
    details: JsonObject = {"via": principal.via}
    asked = msgspec.to_builtins(event)
    details.update({key: value for key, value in asked.items() if key not in ("at", "type", "by", "roles")})
    return AuditEntry(
        at=event.at,
        actor=principal.name,
        action=f"command.{type(event).__name__}",
        subject=f"execution:{execution_id}",
        details=details,
    )


def _of_event(before: Execution, event: Event) -> list[AuditEntry]:
    match event:
        case TaskReported():
            return _of_task(before, event)
        case StagePrepared(problem=problem):
            return [_entry(event, "stage.unplannable", before, {"problem": str(problem)})] if problem else []
        case TaskStopped(problem=problem):
            return [_entry(event, "effect.stopped", before, {"key": event.key, "problem": str(problem or "")})]
        case NotificationReported(outcome=outcome, problem=problem):
            details = {"key": event.key, "outcome": outcome.value, "repeat": event.is_repeat}
            return [_entry(event, "notification.sent", before, {**details, "problem": str(problem or "")})]
        case SubmissionPrepared(problems=problems) if problems:
            return [_entry(event, "submission.refused", before, {"problems": [str(p) for p in problems]})]
        case _:
            return []


def _of_task(before: Execution, event: TaskReported) -> list[AuditEntry]:
    stage = before.stages[event.stage_id]
    match event.result:
        case Done() | Failed() as result:
            [task] = [task.name for task in stage.tasks if task.id == event.task_id]
            details: JsonObject = {
                "stage": stage.name,
                "stageType": stage.type,
                "task": task,
                "key": event.key,
                "status": str(result.status),
            }
            if isinstance(result, Failed):
                details["problem"] = result.problem.message
                details["retryable"] = result.retryable
            if event.is_repeat:
                details["repeat"] = True
            return [_entry(event, "effect.performed", before, details)]
        case Again(waiting_for=ForJudgment() as waits, context=cleared):
            # The answer itself is the record of a command; that it didn't count is decided here, and said again at each look.
            return [_refused(event.at, before, stage, waits)] if waits.refused and cleared else []
        case Again():
            return []


def _refused(at: datetime, execution: Execution, stage: Stage, waits: ForJudgment) -> AuditEntry:
    return AuditEntry(
        at=at,
        actor=waits.refused,
        action="judgment.refused",
        subject=f"execution:{execution.head.id}",
        details={"stage": stage.name, "stageId": stage.id, "why": f"It waits for {waits.reason}."},
    )


def _entry(event: Event, action: str, execution: Execution, details: JsonObject) -> AuditEntry:
    return AuditEntry(
        at=event.at,
        actor=_ENGINE,
        action=action,
        subject=f"execution:{execution.head.id}",
        details=details,
    )
