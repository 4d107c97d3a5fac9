"""Blockers: the other executions and the queues that an execution's waits point at."""

from collections.abc import Iterator

from gennaker.engine import starting
from gennaker.model.execution import Execution, Stage
from gennaker.model.waiting import ForExecution, ForLock, ForTurn, Waiting


def waits_of(stage: Stage) -> Iterator[Waiting]:
    """What the tasks of a stage that hasn't ended wait for; else what the stage itself does."""
    waits = [task.waiting_for for task in stage.tasks if task.waiting_for and not task.status.is_complete]
    yield from waits or ([stage.waiting_for] if stage.waiting_for else [])


def executions(execution: Execution) -> Iterator[str]:
    """Ids of the executions that it waits for, or whose end explains its own."""
    waits = [execution.head.waiting_for] if execution.head.waiting_for else []
    for stage in execution.in_order():
        child = stage.context.get("executionId")
        if isinstance(child, str) and child:
            yield child
        if not stage.status.is_complete:
            waits += waits_of(stage)
    for wait in waits:
        match wait:
            case ForExecution(execution_id=found):
                yield found
            case ForLock(holder=holder):
                yield holder
            case ForTurn(running=running, ahead=ahead):
                yield from (*running, *ahead)
            case _:
                pass
    parent = execution.head.trigger.get("parentExecution")
    parent_id = parent.get("id") if isinstance(parent, dict) else None
    if isinstance(parent_id, str) and execution.head.is_canceled:
        yield parent_id


def queue(execution: Execution) -> str | None:
    """Key of the queue in which it waits, if it does."""
    return None if execution.head.status.is_complete else starting.queue_key(execution.head)
