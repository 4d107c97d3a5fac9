"""Tasks: starting, polling, retrying, timing out, holding and completing them.

Theory of operation. A task that runs has exactly one current effect: PrepareTask until its stage's context was
evaluated for it (left out where the context holds no expression), then one RunTask after the other, each poll under a
key of its own, which carry its limit (limits.py). `due` says which of two cases it is: None, or not in the future: a run is
under way, and its answer must be waited for; in the future: the row in the outbox waits, and may be replaced by one
that is due now. While the execution is paused a running task is PAUSED: one under way may still answer, one that
waited has lost its row and gets a new one when the execution is resumed, one without a start time hasn't begun.
"""

from datetime import timedelta

from msgspec.structs import replace

from gennaker.engine import failures, keys, limits, moves, notifying, rollup, timing
from gennaker.engine.contexts import has_expressions
from gennaker.engine.draft import Draft
from gennaker.model import foreign, time_limits
from gennaker.model.codec import JsonObject, merged
from gennaker.model.effect import PrepareTask, RunTask, StopTask
from gennaker.model.event import Again, Done, Failed, TaskPrepared, TaskReported
from gennaker.model.execution import NO_TIME, Stage, SystemNotification, Task
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForObject, ForPause, ForRetry, ForWindow, ForWork, begun

RESUMING = "someone to resume the execution"
_MOST_NOTES = 50
"""System notifications that are kept: each step writes them again."""
_ACTIVE = frozenset({Status.RUNNING, Status.PAUSED})


def find(draft: Draft, stage_id: str, task_id: str) -> tuple[Stage, Task] | None:
    """A task and its stage; None: there is no such task now."""
    stage = draft.stages.get(stage_id)
    if stage is not None:
        for task in stage.tasks:
            if task.id == task_id:
                return stage, task
    return None


def is_begun(task: Task) -> bool:
    """It runs, or is paused while running."""
    return task.status in _ACTIVE and task.start_time is not None


def is_dry(draft: Draft, stage: Stage) -> bool:
    """The execution is a dry run and the stage's type acts on the world: planned and evaluated, its tasks not run."""
    return foreign.flag(draft.head.trigger.get("dryRun")) and not draft.rules.of(stage).runs_in_dry_run


def held(draft: Draft) -> ForPause:
    """What something waits for that would begin while the execution is paused."""
    by = draft.head.paused.paused_by if draft.head.paused else ""
    return ForPause(reason=RESUMING, by=by, since=draft.at)


def start(draft: Draft, move: moves.StartTask) -> None:
    """Begins an attempt at a task, or holds it while the execution is paused."""
    found = find(draft, move.stage_id, move.task_id)
    if found is None or found[0].status not in _ACTIVE or found[1].status is not Status.NOT_STARTED:
        return
    stage, task = found
    if draft.is_paused:
        draft.put_task(stage.id, replace(task, status=Status.PAUSED, waiting_for=held(draft)))
        mark_paused(draft, stage.id)
        return
    if task.name in draft.rules.disabled_tasks:
        skipped = replace(task, start_time=draft.at, attempt=task.attempt + 1)
        _complete(draft, stage, skipped, Status.SKIPPED, original=Status.SKIPPED)
        return
    task = replace(
        task,
        status=Status.RUNNING,
        start_time=draft.at,
        end_time=None,
        attempt=task.attempt + 1,
        poll=0,
        failures=0,
        memory={},
        waiting_for=ForWork(reason="its first run to end", what="run", since=draft.at),
        due=None,
        is_prepared=not has_expressions(stage.context),
        is_nudged=False,
        paused_for=NO_TIME,
        is_limit_carried=True,
        exception={},
    )
    stage = draft.put_task(stage.id, task)
    limit = time_limits.limiting_stage(draft.stages, stage)
    limit_at = timing.stage_deadline(draft, limit) if limit else None
    if limit and limit_at is not None and limit_at <= draft.at and stage.type != timing.WINDOW_TYPE:
        time_out(draft, stage, task, _stage_timed_out(limit, task))
        return
    _ask(draft, stage, task)


def mark_paused(draft: Draft, stage_id: str) -> None:
    """Shows a running stage and all above it as paused."""
    current = draft.stages.get(stage_id)
    while current is not None:
        if current.status is Status.RUNNING:
            draft.put(replace(current, status=Status.PAUSED))
        current = draft.stages.get(current.parent_id) if current.parent_id else None


def prepared(draft: Draft, event: TaskPrepared) -> str:
    """The stage's context was evaluated for a task."""
    found = find(draft, event.stage_id, event.task_id)
    if found is None:
        return f"stage {event.stage_id} has no task {event.task_id}"
    stage, task = found
    if not is_begun(task) or task.is_prepared or keys.prepare_task(draft.id, stage, task) != event.key:
        return "the task no longer waits for this preparation"
    if event.problem is not None:
        fail(draft, stage, task, Failed(problem=event.problem, context=event.context))
        return ""
    had = stage.context.get("stageTimeoutMs")
    stage = draft.put_context(stage.id, event.context)
    task = replace(task, is_prepared=True)
    if task.status is Status.PAUSED:
        task = replace(task, due=draft.at)
    stage = draft.put_task(stage.id, task)
    if task.status is Status.RUNNING:
        if stage.context.get("stageTimeoutMs") != had:  # it was an expression
            limits.arm_stage(draft, stage)
            if not task.is_limit_carried:
                limits.arm(draft, stage, task)
        _ask(draft, stage, task)
    return ""


def reported(draft: Draft, event: TaskReported) -> str:
    """A task was run once."""
    found = find(draft, event.stage_id, event.task_id)
    if found is None:
        return f"stage {event.stage_id} has no task {event.task_id}"
    stage, task = found
    if not is_begun(task) or not task.is_prepared or keys.run(draft.id, stage, task) != event.key:
        return "the task no longer waits for this result"
    result = event.result
    if result.context or result.outputs:
        outputs = merged(
            stage.outputs, {key: value for key, value in result.outputs.items() if key != "stageTimeoutMs"}
        )
        if None in result.outputs.values():
            # Orca stores none: it takes away what the stage had, and hides no ancestor's output.
            outputs = {key: value for key, value in outputs.items() if value is not None}
        stage = draft.put(
            replace(
                stage,
                context=merged(stage.context, result.context),
                outputs=outputs,
            )
        )
    for moment in result.announce:
        notifying.announced(draft, stage, task, moment)
    if isinstance(result, Failed) and result.retryable and (task.retries < 0 or task.failures < task.retries):
        _retry(draft, stage, task, result)
        return ""
    _closed(draft, stage, task)
    match result:
        case Done():
            _done(draft, stage, task, result.status)
        case Again():
            _poll_again(draft, stage, task, result)
        case Failed():
            fail(draft, stage, task, result)
    return ""


def _poll_again(draft: Draft, stage: Stage, task: Task, result: Again) -> None:
    pause = timedelta() if task.is_nudged else timing.poll_pause(draft.rules, stage, result.after)
    if isinstance(result.waiting_for, ForWindow):
        stage = draft.put(replace(stage, scheduled_time=result.waiting_for.opens_at))
    task = replace(
        task,
        memory=result.memory,
        waiting_for=begun(result.waiting_for, task.waiting_for, draft.at),
        failures=0,
    )
    _rest(draft, stage, task, pause)


def _noted(draft: Draft, stage: Stage, task: Task, problem: Problem) -> None:
    """Shows that a task has to be tried again, once for all failures in a row."""
    note = SystemNotification(
        created_at=draft.at,
        group=_group(stage, task),
        message=f"{task.name} of stage {stage.name} is tried again after: {problem.message}",
    )
    draft.head = replace(draft.head, system_notifications=(*draft.head.system_notifications, note)[-_MOST_NOTES:])


def _closed(draft: Draft, stage: Stage, task: Task) -> None:
    """Closes what was shown of a task's failures: it has gone on, or is over."""
    if task.failures:
        group = _group(stage, task)
        notes = draft.head.system_notifications
        closed = tuple(replace(one, is_closed=True) if one.group == group else one for one in notes)
        draft.head = replace(draft.head, system_notifications=closed)


def _group(stage: Stage, task: Task) -> str:
    return f"retry:{stage.ref_id}.{task.id}"


def _retry(draft: Draft, stage: Stage, task: Task, result: Failed) -> None:
    if not task.failures:
        _noted(draft, stage, task, result.problem)
    task = replace(task, failures=task.failures + 1)
    pause = timing.poll_pause(draft.rules, stage, timing.retry_pause(task, keys.run(draft.id, stage, task)))
    again = ForRetry(
        reason=f"another try, number {task.failures + 1}, after: {result.problem.message}",
        problem=result.problem,
        attempt=task.failures + 1,
        at_most=None if task.retries < 0 else task.retries + 1,
        due=draft.at + pause,
    )
    _rest(draft, stage, replace(task, waiting_for=begun(again, task.waiting_for, draft.at)), pause)


def _rest(draft: Draft, stage: Stage, task: Task, pause: timedelta) -> None:
    task = replace(task, poll=task.poll + 1, due=draft.at + pause, is_nudged=False)
    stage = draft.put_task(stage.id, task)
    if task.status is Status.RUNNING:
        _ask(draft, stage, task)


def _ask(draft: Draft, stage: Stage, task: Task) -> None:
    if task.is_prepared and _is_skipped(draft, stage):
        draft.then(moves.SkipByHand(stage.id))
    elif task.is_prepared and is_dry(draft, stage):
        _complete(draft, stage, task, Status.SUCCEEDED, original=Status.SUCCEEDED)
    else:
        asked, make_key = (RunTask, keys.run) if task.is_prepared else (PrepareTask, keys.prepare_task)
        until = timing.task_deadline(draft, stage, task) if task.is_limit_carried else None
        key = make_key(draft.id, stage, task)
        draft.emit(asked(key=key, stage_id=stage.id, task_id=task.id, until=until), due=task.due)


def _is_skipped(draft: Draft, stage: Stage) -> bool:
    """The stage, or one above it, says that it is to be skipped; only the boolean true counts, as in Orca."""
    current: Stage | None = stage
    while current is not None:
        if current.context.get("manualSkip") is True:
            return True
        current = draft.stages.get(current.parent_id) if current.parent_id else None
    return False


def nudge(draft: Draft, stage_id: str) -> None:
    """Lets the running task of a stage look again at once: something that it may wait for has changed."""
    for task in draft.stages[stage_id].tasks:
        if is_begun(task):
            _nudge(draft, draft.stages[stage_id], task)


def _nudge(draft: Draft, stage: Stage, task: Task) -> None:
    if not task.is_prepared:
        draft.drop(keys.prepare_task(draft.id, stage, task))
        _ask_anew(draft, stage, replace(task, due=None))
    elif _waits(draft, task):
        if task.status is Status.RUNNING:  # one that is paused is asked when the execution is resumed
            draft.drop(keys.run(draft.id, stage, task))
            _ask_anew(draft, stage, replace(task, due=draft.at))
    else:
        draft.put_task(stage.id, replace(task, is_nudged=True))


def _waits(draft: Draft, task: Task) -> bool:
    """Its next poll lies in the future, or was put off: no run is under way."""
    return task.due is not None and (task.due > draft.at or task.status is Status.PAUSED)


def _ask_anew(draft: Draft, stage: Stage, task: Task) -> None:
    task = replace(task, poll=task.poll + 1)
    _ask(draft, draft.put_task(stage.id, task), task)


def hold(draft: Draft, stage_id: str) -> None:
    """Pauses the running task of a stage: a run under way may still answer, one that waits is put off."""
    for task in draft.stages[stage_id].tasks:
        if task.status is not Status.RUNNING:
            continue
        stage = draft.stages[stage_id]
        waits = task.is_prepared and _waits(draft, task)
        if waits:
            draft.drop(keys.run(draft.id, stage, task))
        if not task.is_limit_carried:
            draft.drop(keys.task_deadline(draft.id, stage, task))
        draft.put_task(stage_id, replace(task, status=Status.PAUSED, due=task.due if waits else None))


def release(draft: Draft, stage_id: str, paused_for: timedelta) -> None:
    """Lets the paused tasks of a stage go on."""
    for task in draft.stages[stage_id].tasks:
        if task.status is not Status.PAUSED:
            continue
        if task.start_time is None:
            draft.put_task(stage_id, replace(task, status=Status.NOT_STARTED, waiting_for=None))
            draft.then(moves.StartTask(stage_id, task.id))
        else:
            _release(draft, stage_id, task, paused_for)


def _release(draft: Draft, stage_id: str, task: Task, paused_for: timedelta) -> None:
    # No task begins while the execution is paused, so the whole pause lies within the task's run.
    running = replace(task, status=Status.RUNNING, paused_for=task.paused_for + paused_for)
    stage = draft.put_task(stage_id, running)
    if task.due is None:
        limits.arm(draft, stage, running)  # a run is under way, with the limit as it was
    else:
        _ask_anew(draft, stage, replace(running, due=draft.at, is_limit_carried=True))


def time_out(draft: Draft, stage: Stage, task: Task, problem: Problem) -> None:
    """Ends a task whose time is up; what it has begun outside is stopped."""
    _closed(draft, stage, task)
    _stop(draft, stage, task, "its time was up")
    if stage.context.get("markSuccessfulOnTimeout") is True:
        _complete(draft, stage, task, Status.SUCCEEDED, original=Status.SUCCEEDED)
    else:
        fail(draft, stage, task, Failed(problem=problem))


def task_limit_reached(draft: Draft, stage: Stage, task: Task) -> str:
    """The timer of a task's limit has rung."""
    deadline = timing.task_deadline(draft, stage, task)
    if task.status is not Status.RUNNING or deadline is None:
        return "the task isn't running"
    if deadline > draft.at:
        limits.arm(draft, stage, task)
        return ""
    time_out(draft, stage, task, _timed_out(draft, stage, task))
    return ""


def stage_limit_reached(draft: Draft, stage: Stage) -> None:
    """Times out what runs in a stage because its limit, or that of a stage above it, is reached."""
    for task in stage.tasks:
        if task.status is Status.RUNNING:
            stage = draft.stages[stage.id]
            time_out(draft, stage, task, _timed_out(draft, stage, task))


def _timed_out(draft: Draft, stage: Stage, task: Task) -> Problem:
    """The limit that was reached first, the stage's where both were at once: not the one whose timer is heard first."""
    limit = time_limits.limiting_stage(draft.stages, stage)
    of_stage = timing.stage_deadline(draft, limit) if limit else None
    of_task = timing.task_deadline(draft, stage, task)
    if limit and of_stage is not None and (of_task is None or of_stage <= of_task):
        return _stage_timed_out(limit, task)
    spent = draft.at - task.start_time - task.paused_for if task.start_time else timedelta()
    return Problem(
        code="task.timed_out",
        message=f"{task.name} of stage {stage.name} timed out after {timing.in_words(spent)}.{_waited_for(task)}",
        remedy="Raise the stage's time limit (`stageTimeoutMs`) if it needs longer.",
    )


def _waited_for(task: Task) -> str:
    """What would have had to change: that says more than the time."""
    seen = task.waiting_for
    return f" It waited for {seen.reason.rstrip('.')}." if isinstance(seen, ForObject) else ""


def _stage_timed_out(stage: Stage, task: Task) -> Problem:
    limit = time_limits.of_stage(stage) or timedelta()
    return Problem(
        code="stage.timed_out",
        message=f"Stage {stage.name} timed out after {timing.in_words(limit)}.{_waited_for(task)}",
        remedy="Raise the stage's time limit (`stageTimeoutMs`) if it needs longer.",
    )


def fail(draft: Draft, stage: Stage, task: Task, result: Failed) -> None:
    """Ends a task that has failed for good; the stage's flags decide what that counts as."""
    shape = failures.exception(result.problem, at=draft.at, operation=task.name, is_retryable=result.retryable)
    context = failures.in_context(draft.stages[stage.id].context, result.problem, shape)
    if "exception" in result.context:
        context["exception"] = result.context["exception"]
    stage = draft.put_context(stage.id, context)
    details: JsonObject = {"exception": context["exception"]}
    task = replace(task, exception=details)
    original = result.status if result.status is Status.CANCELED else Status.TERMINAL
    if original is Status.CANCELED:
        _stop(draft, stage, task, result.problem.message)
    _complete(
        draft,
        stage,
        task,
        rollup.failure_status(stage.context, original),
        original=original,
    )


def _done(draft: Draft, stage: Stage, task: Task, status: Status) -> None:
    if status is Status.REDIRECT:
        _redirect(draft, stage, task)
    elif status in (Status.TERMINAL, Status.CANCELED):
        _complete(
            draft,
            stage,
            task,
            rollup.failure_status(stage.context, status),
            original=status,
        )
    elif status.is_complete:
        _complete(draft, stage, task, status, original=status)
    else:
        fail(draft, stage, task, Failed(problem=_impossible(task, status)))


def _impossible(task: Task, status: Status) -> Problem:
    return Problem(
        code="task.impossible_status",
        message=f"Task {task.name} has ended with the status {status.value}, which no ended task can have.",
        remedy="This is a fault in the code of the task.",
    )


def _complete(draft: Draft, stage: Stage, task: Task, status: Status, *, original: Status) -> None:
    _forget(draft, stage, task)
    task = replace(
        task,
        status=status,
        end_time=draft.at,
        waiting_for=None,
        due=None,
        is_nudged=False,
        is_limit_carried=False,
    )
    stage = draft.put_task(stage.id, task)
    following = _next(stage, task)
    halts = original is not Status.FAILED_CONTINUE and status.is_halt
    if halts or following is None:
        draft.then(moves.CompleteStage(stage.id))
    else:
        draft.then(moves.StartTask(stage.id, following.id))


def _next(stage: Stage, task: Task) -> Task | None:
    place = stage.tasks.index(task) + 1
    return stage.tasks[place] if place < len(stage.tasks) else None


def _redirect(draft: Draft, stage: Stage, task: Task) -> None:
    starts = [place for place, one in enumerate(stage.tasks) if one.is_loop_start]
    ends = [place for place, one in enumerate(stage.tasks) if one.is_loop_end]
    if not starts or not ends or not starts[0] <= stage.tasks.index(task) <= ends[-1]:
        fail(draft, stage, task, Failed(problem=_impossible(task, Status.REDIRECT)))
        return
    _forget(draft, stage, task)
    for one in stage.tasks[starts[0] : ends[-1] + 1]:
        again = replace(
            one,
            status=Status.NOT_STARTED,
            start_time=None,
            end_time=None,
            due=None,
            waiting_for=None,
            is_limit_carried=False,
        )
        draft.put_task(stage.id, again)
    draft.then(moves.StartTask(stage.id, stage.tasks[starts[0]].id))


def cut(draft: Draft, stage_id: str, status: Status, *, reason: str, stops: bool = True) -> None:
    """Ends what runs in a stage with this status; results that come later are stale."""
    for task in draft.stages[stage_id].tasks:
        stage = draft.stages[stage_id]
        if is_begun(task):
            _forget(draft, stage, task)
            _closed(draft, stage, task)
            if stops:
                _stop(draft, stage, task, reason)
            draft.put_task(
                stage_id,
                replace(task, status=status, end_time=draft.at, waiting_for=None, due=None, is_limit_carried=False),
            )
        elif task.status is Status.PAUSED:
            draft.put_task(stage_id, replace(task, status=Status.NOT_STARTED, waiting_for=None))


def _stop(draft: Draft, stage: Stage, task: Task, reason: str) -> None:
    key = keys.stop(draft.id, stage, task)
    draft.emit(StopTask(key=key, stage_id=stage.id, task_id=task.id, reason=reason))


def _forget(draft: Draft, stage: Stage, task: Task) -> None:
    draft.drop(keys.run(draft.id, stage, task) if task.is_prepared else keys.prepare_task(draft.id, stage, task))
    if not task.is_limit_carried:
        draft.drop(keys.task_deadline(draft.id, stage, task))
