"""Limits: by which effect a shell learns when to ring.

A stage's limit is a timer of its own. A task's rides on what is asked for the task (`until`): hardly any is ever reached, and a
row for each would cost every task a tenth of what it costs. Only where the limit moves while a run is under way (a pause, a
patch, a clock that was set back) it gets a timer of its own, and what is asked from then on carries none
(`is_limit_carried`).
"""

from collections.abc import Iterable

from msgspec.structs import replace

from gennaker.engine import keys, timing
from gennaker.engine.draft import Draft
from gennaker.model.effect import PendingEffect, PrepareTask, RunTask, StartTimer
from gennaker.model.execution import Execution, Stage, Task


def carried(pending: PendingEffect) -> PendingEffect | None:
    """The timer that an effect carries: rung by its shell as if it had a row of its own, as long as the effect is wanted."""
    effect = pending.effect
    if not isinstance(effect, RunTask | PrepareTask) or effect.until is None:
        return None
    timer = StartTimer(key=keys.carried_deadline(effect.key), rings_at=effect.until, about="time limit of a task")
    return PendingEffect(effect=timer, execution_id=pending.execution_id, due=effect.until)


def gone_with(gone: Iterable[str], execution: Execution) -> set[str]:
    """Keys of the timers that effects of these keys may have carried, but for those that have rows of their own now."""
    found = {keys.carried_deadline(key) for key in gone}
    return {key for key in found if not _is_apart(execution, key)}


def _is_apart(execution: Execution, key: str) -> bool:
    about = keys.timed_stage(execution.head.id, key)
    stage = execution.stages.get(about[0]) if about else None
    task = next((one for one in stage.tasks if one.id == about[1]), None) if about and stage else None
    return (
        stage is not None
        and task is not None
        and not task.is_limit_carried
        and keys.task_deadline(execution.head.id, stage, task) == key
    )


def arm(draft: Draft, stage: Stage, task: Task) -> None:
    """Sets a timer for the task's limit, apart from its run."""
    deadline = timing.task_deadline(draft, stage, task)
    if deadline is not None:
        key = keys.task_deadline(draft.id, stage, task)
        about = f"time limit of task {task.name} of stage {stage.name}"
        draft.emit(StartTimer(key=key, rings_at=deadline, about=about), due=deadline)
        draft.put_task(stage.id, replace(task, is_limit_carried=False))


def arm_stage(draft: Draft, stage: Stage) -> None:
    """Sets the timer of the stage's limit, if it has one of its own."""
    deadline = timing.stage_deadline(draft, stage)
    if deadline is not None:
        key = keys.stage_deadline(draft.id, stage)
        about = f"time limit of stage {stage.name}"
        draft.emit(StartTimer(key=key, rings_at=deadline, about=about), due=deadline)
