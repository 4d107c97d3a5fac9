"""Which audit records a step makes: decisions, effects and their outcome, beginnings and ends."""

import msgspec

from gennaker.engine.step import Step
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
from gennaker.model.execution import Execution
from gennaker.model.principal import Principal

_ENGINE = "gennaker"


def entries(before: Execution, event: Event, step: Step) -> tuple[AuditEntry, ...]:
    """What the step decided or learned; commands are recorded by `command`, with who gave them."""
    found: list[AuditEntry] = []
    if not step.ignored:
        found += _of_event(before, event)
    status = step.execution.head.status
    if status != before.head.status:
        found.append(
            _entry(
                event,
                f"execution.{status.value.lower()}",
                before,
                {"before": before.head.status.value, "application": before.head.application},
            )
        )
    return tuple(found)


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
        case TaskReported(result=Again()):
            return []
        case TaskReported(stage_id=stage_id, task_id=task_id, result=Done() | Failed() as result):
            stage = before.stages[stage_id]
            task = next(task for task in stage.tasks if task.id == task_id)
            details: JsonObject = {
                "stage": stage.name,
                "stageType": stage.type,
                "task": task.name,
                "key": event.key,
                "status": result.status.value,
            }
            if isinstance(result, Failed):
                details["problem"] = result.problem.message
                details["retryable"] = result.retryable
            if event.is_repeat:
                details["repeat"] = True
            return [_entry(event, "effect.performed", before, details)]
        case TaskStopped(problem=problem):
            return [_entry(event, "effect.stopped", before, {"key": event.key, "problem": str(problem or "")})]
        case NotificationReported(outcome=outcome, problem=problem):
            details = {"key": event.key, "outcome": outcome.value, "repeat": event.is_repeat}
            return [_entry(event, "notification.sent", before, {**details, "problem": str(problem or "")})]
        case SubmissionPrepared(problems=problems) if problems:
            return [_entry(event, "submission.refused", before, {"problems": [str(p) for p in problems]})]
        case StagePrepared(problem=problem) if problem is not None:
            return [_entry(event, "stage.unplannable", before, {"problem": str(problem)})]
        case _:
            return []


def _entry(event: Event, action: str, execution: Execution, details: JsonObject) -> AuditEntry:
    return AuditEntry(
        at=event.at,
        actor=_ENGINE,
        action=action,
        subject=f"execution:{execution.head.id}",
        details=details,
    )
