"""Invariants of the engine (orca.md §11 and our own), checked after every event of every scripted or random run."""

from collections.abc import Mapping, Sequence
from itertools import product

from msgspec.structs import replace

from gennaker.engine import graph, keys, limits, rollup, timing
from gennaker.engine.draft import Draft
from gennaker.engine.rules import Rules
from gennaker.engine.step import Step
from gennaker.model import foreign
from gennaker.model.codec import merged
from gennaker.model.effect import (
    AfterKind,
    PendingEffect,
    PrepareAfterStages,
    PrepareStage,
    PrepareSubmission,
    PrepareTask,
    RunTask,
    StartTimer,
    StopTask,
)
from gennaker.model.event import (
    AfterStagesPrepared,
    CancelAsked,
    Event,
    IgnoreFailureAsked,
    StagePatched,
    StagePrepared,
    SubmissionPrepared,
    TaskPrepared,
    TaskReported,
)
from gennaker.model.execution import Execution, Side, Stage
from gennaker.model.statuses import Status

_WORK = PrepareSubmission | PrepareStage | PrepareAfterStages | PrepareTask | RunTask
_ACTIVE = {Status.RUNNING, Status.PAUSED}
PATCHED = "colour"
"""The key that random patches set: nobody else writes it, so that a lost one is noticed."""
_FAILURES = "expressionFailures"
_ENGINES_OWN = {"exception", "problems", "notifications", "beforeStagePlanningFailed", "canManuallySkip", PATCHED}
"""Keys of a context that the engine itself writes in the step that takes a result."""
_ROLLED_UP = {Status.SUCCEEDED, Status.TERMINAL, Status.STOPPED, Status.FAILED_CONTINUE}


def check(
    before: Execution, event: Event, step: Step, *, outbox: Mapping[str, PendingEffect], answered: set[str]
) -> None:
    """Asserts everything that must hold after an event; `outbox` is what is outstanding after it."""
    after = step.execution
    assert after.head.version == before.head.version + 1
    if step.ignored:
        assert replace(after, head=replace(after.head, version=before.head.version)) == before
        assert step == Step(execution=after, ignored=step.ignored)
    _rows(before, step)
    _nothing_twice(step, answered)
    _outstanding(after, outbox)
    _derived(before, event, after)
    _reasons(after)
    _timers(after, event, outbox, answered)
    if not step.ignored:
        _written(before, event, after)
        _late_stages(step)
        _patches_stay(before, event, after)
        _stopped(before, step)


def _rows(before: Execution, step: Step) -> None:
    """The step names exactly the rows that a store must write."""
    after = step.execution
    assert set(after.head.stage_order) == set(after.stages)
    assert len(after.head.stage_order) == len(after.stages)
    differing = {key for key, stage in after.stages.items() if before.stages.get(key) is not stage}
    assert differing == set(step.changed)
    assert set(before.stages) - set(after.stages) <= set(step.removed)
    assert not set(step.removed) & set(after.stages)


def _nothing_twice(step: Step, answered: set[str]) -> None:
    """What was answered is never asked again under the same key: no stage starts twice, no poll is repeated."""
    for pending in step.effects:
        if not isinstance(pending.effect, StartTimer):
            assert pending.effect.key not in answered, pending.effect


def _outstanding(after: Execution, outbox: Mapping[str, PendingEffect]) -> None:
    """Every part of a running execution that waits does so for an effect that is there; and nothing else is."""
    awaited = set(_awaited(after, outbox))
    work = {key for key, one in outbox.items() if isinstance(one.effect, _WORK)}
    if after.head.status is Status.PAUSED:
        assert work <= awaited
    else:
        assert work == awaited
    if after.head.status is Status.RUNNING:
        assert work, "a running execution waits for nothing"
        for stage in after.stages.values():
            _stage_goes_on(after, stage)
    if after.head.status is Status.NOT_STARTED and after.head.is_submitted:
        assert not work, "an execution that waits for its turn works"
    if after.head.status.is_complete:
        assert not work
        timers = [one for one in outbox.values() if isinstance(one.effect, StartTimer)]
        assert not timers
        assert not [one for one in after.stages.values() if one.status in _ACTIVE or one.is_preparing]


def _awaited(execution: Execution, outbox: Mapping[str, PendingEffect]) -> list[str]:
    found: list[str] = []
    execution_id = execution.head.id
    if execution.head.status is Status.NOT_STARTED and not execution.head.is_submitted:
        found.append(keys.submission(execution_id))
    for stage in execution.stages.values():
        if stage.is_preparing and stage.status is Status.NOT_STARTED:
            found.append(keys.prepare_stage(execution_id, stage))
        elif stage.is_preparing:
            late = [keys.prepare_after(execution_id, stage, kind.value) for kind in AfterKind]
            assert len([key for key in late if key in outbox]) == 1, stage.name
            found += [key for key in late if key in outbox]
        for task in stage.tasks:
            if task.status in _ACTIVE and task.start_time is not None:
                make = keys.run if task.is_prepared else keys.prepare_task
                found.append(make(execution_id, stage, task))
    return found


def _stage_goes_on(execution: Execution, stage: Stage) -> None:
    if stage.status is not Status.RUNNING or stage.is_preparing:
        return
    relations = graph.of(execution)
    below = graph.descendants(relations, execution.stages, stage.id)
    assert any(task.status is Status.RUNNING for one in [stage, *below] for task in one.tasks) or any(
        one.is_preparing for one in below
    ), f"stage {stage.name} is RUNNING but nothing in it goes on"
    running = [task for task in stage.tasks if task.status is Status.RUNNING]
    assert len(running) <= 1, "tasks of a stage run one after the other"


def _derived(before: Execution, event: Event, after: Execution) -> None:
    """Statuses come from parts only: §11 rule 3."""
    if isinstance(event, IgnoreFailureAsked) or (isinstance(event, AfterStagesPrepared) and event.problem):
        return
    for stage in after.stages.values():
        was = before.stages.get(stage.id)
        has_ended = stage.status in _ROLLED_UP and (was is None or was.status is not stage.status)
        if has_ended:
            rolled_up = _status_now(_before_the_cut(before, after), stage)
            assert stage.status is rolled_up or _is_cut_failure(before, after, stage), stage.name
    head = after.head
    if head.status.is_complete and head.status is not before.head.status:
        if (head.status is Status.CANCELED and isinstance(event, CancelAsked)) or head.is_canceled:
            return
        if isinstance(event, SubmissionPrepared) and event.problems:
            return
        relations = graph.of(after)
        top = [after.stages[one] for one in relations.top]
        if all(one.requisite_ref_ids for one in top):
            assert head.status is Status.TERMINAL
            return
        # What the end cut off was still open when the status was derived.
        was_open = [one if one.status is not Status.CANCELED else replace(one, status=Status.RUNNING) for one in top]
        stopped = [one for one in after.stages.values() if one.status is Status.STOPPED]
        # A part that the end has cut off may be STOPPED, too: it didn't count, one that ended just before did.
        known = [one for one in stopped if one.parent_id is None or before.stages.get(one.id) == one]
        derived = {
            rollup.execution_status(
                was_open if any(one.status is Status.TERMINAL for one in top) else top,
                is_ready=lambda one: graph.is_ready(relations, after.stages, one),
                fails_late=lambda: any(
                    one.context.get("completeOtherBranchesThenFail") is True
                    for one in some  # noqa: B023 - likewise
                ),
            )
            for some in (stopped, known)
        }
        assert head.status in {one or Status.TERMINAL for one in derived}  # nothing left can start: it can't go on


def _is_cut_failure(before: Execution, after: Execution, stage: Stage) -> bool:
    """The end of the execution has cut the stage off, or parts of it after its status had been derived, and these had failed."""
    if not after.head.status.is_complete or before.head.status.is_complete:
        return False
    children = graph.children(graph.of(after), after.stages, stage.id)
    if rollup.cut_status(stage, children) is stage.status:
        return True
    each = [(one, before.stages.get(one.id, one)) for one in children]
    return any(_rolled_up(stage, some) is stage.status for some in product(*each))


def _before_the_cut(before: Execution, after: Execution) -> Execution:
    """The state with those stages as they were that the end of the execution has cut off in the same step."""
    stages = after.stages
    for key, stage in after.stages.items():
        was = before.stages.get(key)
        if stage.status is Status.CANCELED and was is not None and was.status is not Status.CANCELED:
            stages = stages.set(key, was)
    return replace(after, stages=stages)


def _status_now(execution: Execution, stage: Stage) -> Status:
    return _rolled_up(stage, graph.children(graph.of(execution), execution.stages, stage.id))


def _rolled_up(stage: Stage, children: Sequence[Stage]) -> Status:
    has_unstarted = any(one.side is Side.AFTER and one.status is Status.NOT_STARTED for one in children)
    status = rollup.stage_status(stage, children, has_unstarted_after=has_unstarted)
    return Status.TERMINAL if rollup.fails_on_expressions(stage) else status


def _timers(after: Execution, event: Event, outbox: Mapping[str, PendingEffect], answered: set[str]) -> None:
    """Nothing waits for a time limit without a timer; one that has rung is counted whenever a task starts."""
    if after.head.status is not Status.RUNNING:
        return
    known = set(outbox) | answered
    draft = Draft(after, at=event.at, rules=Rules())
    carried = [one for one in map(limits.carried, outbox.values()) if one is not None]
    carried_until = {one.effect.key: one.due for one in carried if one.due is not None}
    for stage in after.stages.values():
        if stage.status is Status.RUNNING and timing.stage_deadline(draft, stage) is not None:
            assert keys.stage_deadline(after.head.id, stage) in known, f"no timer for {stage.name}"
        for task in stage.tasks:
            deadline = timing.task_deadline(draft, stage, task)
            if task.status is not Status.RUNNING or deadline is None:
                continue
            key, name = keys.task_deadline(after.head.id, stage, task), f"{stage.name}.{task.name}"
            if not task.is_limit_carried:
                assert key in known, f"no timer for {name}"
            else:
                assert key in carried_until, f"no run carries the limit of {name}"
                assert carried_until[key] <= deadline, f"the limit of {name} is heard too late"


def _reasons(after: Execution) -> None:
    """Whatever hasn't ended says what it waits for."""
    if after.head.status in (Status.NOT_STARTED, Status.PAUSED):
        assert after.head.waiting_for
    for stage in after.stages.values():
        assert not (stage.is_preparing and not stage.waiting_for), stage.name
        for task in stage.tasks:
            assert not (task.status in _ACTIVE and not task.waiting_for), task.name
            assert not (task.status.is_complete and task.waiting_for), task.name


def _written(before: Execution, event: Event, after: Execution) -> None:
    """What a task says goes where it belongs, and evaluated contexts are written back: §11 rules 4 and 5."""
    match event:
        case TaskReported(stage_id=stage_id, result=result):
            was, now = before.stages[stage_id], after.stages[stage_id]
            outputs = {key: value for key, value in result.outputs.items() if key != "stageTimeoutMs"}
            assert now.outputs == merged(was.outputs, outputs)
            expected = merged(was.context, result.context)
        case StagePrepared(stage_id=stage_id, context=context):
            now = after.stages[stage_id]
            if not context or (event.is_retryable and now.is_preparing):
                return
            expected = context
        case TaskPrepared(stage_id=stage_id, context=context) if event.problem is None:
            now, expected = after.stages[stage_id], context
        case _:
            return
    failed = {foreign.said_at(one, "pointer").split("/")[1] for one in foreign.mappings(expected.get(_FAILURES))}
    again = {*failed, _FAILURES, "expressionEvaluationSummary"} if failed else set()  # evaluated once more at its end
    kept = {key: value for key, value in expected.items() if key not in _ENGINES_OWN and key not in again}
    assert kept == {key: value for key, value in now.context.items() if key in kept}


def _late_stages(step: Step) -> None:
    """After-stages are planned when the tasks are over, hooks for failures alone: §11 rules 6 and 7."""
    after = step.execution
    relations = graph.of(after)
    for pending in step.effects:
        if not isinstance(pending.effect, PrepareAfterStages):
            continue
        stage = after.stages[pending.effect.stage_id]
        assert not [task for task in stage.tasks if task.status in _ACTIVE], "planned before its tasks are over"
        has_failed = _status_now(after, stage) in (Status.TERMINAL, Status.STOPPED)
        assert has_failed is (pending.effect.kind is AfterKind.ON_FAILURE), stage.name
    for stage_id in step.changed:
        stage = after.stages[stage_id]
        if not (stage.are_after_stages_planned or stage.are_failure_stages_planned):
            children = graph.children(relations, after.stages, stage_id)
            assert not [one for one in children if one.side is Side.AFTER], "after-stages that nobody has planned"


def _patches_stay(before: Execution, event: Event, after: Execution) -> None:
    """What a person has patched in isn't undone by a result that was on its way: §11 rule 9."""
    for stage_id, was in before.stages.items():
        now = after.stages.get(stage_id)
        if now is None or PATCHED not in was.context or isinstance(event, StagePatched):
            continue
        assert now.context.get(PATCHED) == was.context[PATCHED], f"the patch of {now.name} is lost"


def _stopped(before: Execution, step: Step) -> None:
    """Whatever ran when the execution ended is told to stop: §11 rule 8, which is stricter here."""
    after = step.execution
    if before.head.status.is_complete or not after.head.status.is_complete:
        return
    told = {one.effect.key for one in step.effects if isinstance(one.effect, StopTask)}
    for stage in before.stages.values():
        for task in stage.tasks:
            now = next((one for one in after.stages[stage.id].tasks if one.id == task.id), None)
            is_begun = task.status in _ACTIVE and task.start_time is not None
            if is_begun and now is not None and now.status is Status.CANCELED and now.attempt == task.attempt:
                assert keys.stop(after.head.id, stage, task) in told, f"{stage.name}.{task.name} goes on"
