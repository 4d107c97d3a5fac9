"""Why: names what keeps an execution from moving on, or what has ended it. Pure.

Theory of operation. Whatever hasn't ended waits, and every wait is a record with a reason (model/waiting.py). From the
execution the waits are followed: a stage to its parts, a turn in a queue to the executions that have theirs, a child or
the holder of a lock to that execution, and so on until something is reached that waits for no other execution: that is
the cause, and the way to it is the chain. A circle is a cause of its own (`deadlock`).

A wait says what the engine believes; the outbox and the workers say whether anybody is at it. An effect that is asked
for and due, but with no worker at it, comes before anything that the wait says.

Of parallel branches each gives an answer; the first is the one that most needs somebody (`_URGENCY`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from gennaker.engine import graph, keys, timing, why_ended, why_waiting
from gennaker.engine.answers import Answer, Link, Way, Why
from gennaker.engine.draft import Draft
from gennaker.engine.rules import Rules
from gennaker.interfaces.inspection import Facts, Known
from gennaker.model import time_limits
from gennaker.model.effect import Deliver, PendingEffect
from gennaker.model.execution import Execution, Stage, Task
from gennaker.model.statuses import Status
from gennaker.model.waiting import (
    ForExecution,
    ForLock,
    ForObject,
    ForRetry,
    ForTime,
    ForTurn,
    ForWindow,
    ForWork,
    Waiting,
)

_ACTIVE = frozenset({Status.RUNNING, Status.PAUSED})
_GRACE = timedelta(seconds=5)
"""An effect that has just become due may not have been taken yet."""
_URGENCY = (
    "deadlock",
    "lost",
    "worker",
    "execution.lost",
    "judgment",
    "pause",
    "retry",
    "lock",
    "turn",
    "artifact",
    "object",
    "other",
    "execution",
    "work",
    "window",
    "time",
    "failed",
    "timed-out",
    "effect",
    "canceled",
    "never-started",
    "skipped",
    "notification",
    "succeeded",
)
"""Beginnings of codes: what needs a person first, what ends by itself last."""


def explain(facts: Facts, rules: Rules, *, stage_ref: str = "") -> Why:
    """Explains an execution, or one stage of it (id, refId or name). An unknown stage gives no answer."""
    known = facts.known[facts.execution_id]
    head = known.execution.head
    search = _Search(facts, rules)
    if stage_ref:
        answers = [
            answer
            for stage in known.execution.in_order()
            if stage_ref in (stage.id, stage.ref_id, stage.name)
            for answer in search.of_stage(known, stage, ())
        ]
    else:
        answers = list(search.of_execution(known, ()))
    answers = [why_waiting.counted_from_ahead(why_waiting.too_late(one), facts.at) for one in answers]
    answers = sorted(answers, key=_urgency)
    return Why(
        execution_id=head.id,
        name=head.name or head.description,
        status=head.status.value,
        at=facts.at,
        answers=tuple(answers),
    )


def _urgency(answer: Answer) -> int:
    found = [place for place, code in enumerate(_URGENCY) if answer.code.startswith(code)]
    return found[0] if found else len(_URGENCY)


class _Search:
    """The following of waits from one execution."""

    def __init__(self, facts: Facts, rules: Rules) -> None:
        self._facts = facts
        self._rules = rules

    def of_execution(self, known: Known, chain: tuple[Link, ...]) -> Iterator[Answer]:
        """All causes of an execution being as it is."""
        execution = known.execution
        head = execution.head
        if head.status.is_complete:
            yield from why_ended.of_execution(self._facts, known, chain)
        elif any(link.execution_id == head.id for link in chain):
            yield why_waiting.deadlock(execution, chain)
        elif head.status is Status.PAUSED:
            yield why_waiting.paused(execution, chain)
        elif head.status is Status.BUFFERED and head.waiting_for is not None:
            yield why_waiting.of_wait(execution, None, None, head.waiting_for, chain=chain)
        elif head.status is Status.NOT_STARTED:
            yield from self._not_started(known, chain)
        else:
            yield from self._running(known, chain)

    def of_stage(self, known: Known, stage: Stage, chain: tuple[Link, ...]) -> Iterator[Answer]:
        """All causes of one stage being as it is."""
        execution = known.execution
        if stage.status.is_complete:
            yield from why_ended.of_stage(self._facts, known, stage, chain)
        elif execution.head.status.is_complete:
            yield why_ended.never_started(execution, stage, chain)
        elif execution.head.status is not Status.RUNNING:
            yield from self.of_execution(known, chain)
        elif stage.status is Status.NOT_STARTED and not stage.is_preparing:
            yield from self._requisites(known, stage, chain)
        else:
            for leaf in _leaves(execution, [stage]):
                yield from self._leaf(known, leaf, chain)

    def _requisites(self, known: Known, stage: Stage, chain: tuple[Link, ...]) -> Iterator[Answer]:
        execution = known.execution
        relations = graph.of(execution)
        open_ones = [
            one for one in graph.requisites(relations, execution.stages, stage) if not one.status.satisfies_downstream
        ]
        # One that has ended badly keeps the stage from starting whatever the others do.
        open_ones = [one for one in open_ones if one.status.is_complete] or open_ones
        if not open_ones and stage.parent_id is not None:
            open_ones = [execution.stages[stage.parent_id]]
        if not open_ones:
            yield why_waiting.lost(execution, stage, "requires stages that don't exist", chain)
        for one in open_ones:
            said = f"{stage.name} starts after {one.name}, which is {one.status.value.lower().replace('_', ' ')}."
            link = Link(code="requisite", sentence=said, execution_id=execution.head.id, stage_id=stage.id)
            if any(before.stage_id == one.id and before.code == "requisite" for before in chain):
                yield why_waiting.lost(execution, stage, "requires stages that require it", chain)
            else:
                yield from self.of_stage(known, one, (*chain, link))

    def _not_started(self, known: Known, chain: tuple[Link, ...]) -> Iterator[Answer]:
        head = known.execution.head
        wait = head.waiting_for
        if not head.is_submitted:
            yield self._of_effect(known, keys.submission(head.id), wait or _SUBMISSION, chain)
            return
        started = next((one for one in known.outbox if isinstance(one.effect, Deliver)), None)
        if started is not None:
            yield self._of_effect(known, started.effect.key, wait or _SUBMISSION, chain)
        elif isinstance(wait, ForTurn):
            for answer in self._turn(known, wait, chain):
                yield why_waiting.expiring(answer, head.start_time_expiry)
        else:
            yield why_waiting.lost(known.execution, None, "has neither begun nor been queued", chain)

    def _turn(
        self, known: Known, wait: ForTurn, chain: tuple[Link, ...], stage: Stage | None = None
    ) -> Iterator[Answer]:
        queue = self._facts.queues.get(wait.queue)
        running = queue.running if queue else wait.running
        base = why_waiting.of_wait(known.execution, stage, None, wait, chain=chain)
        found = False
        for other in running:
            if other in self._facts.known:
                found = True
                yield from self._follow(known, stage, wait, self._facts.known[other], chain, base)
        if not found:
            yield base

    def _running(self, known: Known, chain: tuple[Link, ...]) -> Iterator[Answer]:
        execution = known.execution
        leaves = _leaves(execution, execution.top_level())
        if not leaves:
            yield why_waiting.lost(execution, None, "runs, but no stage of it does", chain)
        for stage in leaves:
            yield from self._leaf(known, stage, chain)

    def _leaf(self, known: Known, stage: Stage, chain: tuple[Link, ...]) -> Iterator[Answer]:
        """Causes of a stage without active parts."""
        execution = known.execution
        if stage.is_preparing:
            key = next((one.effect.key for one in known.outbox if _prepares(one, execution, stage)), "")
            wait = stage.waiting_for or ForWork(reason="its plan", what="plan")
            yield self._of_effect(known, key, wait, chain, stage)
            return
        tasks = [task for task in stage.tasks if task.status in _ACTIVE]
        if not tasks:
            yield why_waiting.lost(execution, stage, "runs, but no task of it does", chain)
        for task in tasks:
            yield from self._task(known, stage, task, chain)

    def _task(self, known: Known, stage: Stage, task: Task, chain: tuple[Link, ...]) -> Iterator[Answer]:
        execution = known.execution
        run = keys.run if task.is_prepared else keys.prepare_task
        key = run(execution.head.id, stage, task)
        wait: Waiting = task.waiting_for or ForWork(reason="its first run to end", what="run")
        answer = self._limited(known, stage, task, self._of_effect(known, key, wait, chain, stage, task))
        if answer.code.startswith(("worker", "lost")):
            yield answer
            return
        match wait:
            case ForExecution(execution_id=other) | ForLock(holder=other) if other:
                if other in self._facts.known:
                    yield from self._follow(known, stage, wait, self._facts.known[other], chain, answer)
                elif isinstance(wait, ForExecution):
                    yield replace(answer, code="execution.lost", sentence=f"There is no execution {other} (any more).")
                else:
                    yield answer
            case ForTurn():
                found = False
                for other in wait.running:
                    if other in self._facts.known and other != execution.head.id:
                        found = True
                        yield from self._follow(known, stage, wait, self._facts.known[other], chain, answer)
                if not found:
                    yield answer
            case _:
                yield answer

    def _follow(  # noqa: PLR0917 - private: who follows what from where
        self, known: Known, stage: Stage | None, wait: Waiting, other: Known, chain: tuple[Link, ...], base: Answer
    ) -> Iterator[Answer]:
        """On to another execution; `base` is the answer if that one can't be what is waited for."""
        head = known.execution.head
        link = Link(
            code=why_waiting.code_of(wait),
            sentence=base.sentence,
            execution_id=head.id,
            stage_id=stage.id if stage else "",
            since=base.since,
        )
        if other.execution.head.status.is_complete:
            ended = f"{other.execution.head.id} has ended {other.execution.head.status.value}"
            looks = Way(who="the engine", how="It looks again by itself.")
            yield replace(base, code=f"{base.code}.ended", observed=ended, ways=(looks, *base.ways))
            return
        for answer in self.of_execution(other, (*chain, link)):
            own = answer.times_out_at is None or (base.times_out_at or answer.times_out_at) < answer.times_out_at
            limit = (base.times_out_at, base.then) if own else (answer.times_out_at, answer.then)
            yield replace(answer, times_out_at=limit[0], then=limit[1])

    def _of_effect(  # noqa: PLR0917 - private: one wait of one task
        self,
        known: Known,
        key: str,
        wait: Waiting,
        chain: tuple[Link, ...],
        stage: Stage | None = None,
        task: Task | None = None,
    ) -> Answer:
        """What the wait says, unless nobody is at the effect that it needs."""
        execution, facts = known.execution, self._facts
        base = why_waiting.of_wait(execution, stage, task, wait, chain=chain)
        pending = next((one for one in known.outbox if one.effect.key == key), None)
        if pending is None:
            return why_waiting.unasked(execution, stage, task, base)
        if pending.due is not None and pending.due > facts.at:
            if not facts.workforce.name:
                return why_waiting.no_worker(base, facts.workforce)
            # The next look at anything else moves nothing on unless that has changed.
            ends_by_itself = isinstance(wait, ForTime | ForWindow | ForRetry)
            return replace(base, goes_on_at=base.goes_on_at or pending.due) if ends_by_itself else base
        work = facts.workforce.at_work.get(key)
        if not facts.workforce.name or not facts.workforce.is_ready:
            return why_waiting.no_worker(base, facts.workforce)
        if work is None:
            is_late = pending.due is None or facts.at - pending.due > _GRACE
            return why_waiting.not_taken(base, pending, facts.workforce) if is_late else base
        if work.is_elsewhere:
            return why_waiting.elsewhere(base, work)
        if work.since is None:
            return why_waiting.no_hand(base, facts.workforce)
        return why_waiting.at_work(base, wait, work)

    def _limited(self, known: Known, stage: Stage, task: Task, answer: Answer) -> Answer:
        """The answer with the nearest time limit."""
        draft = Draft(known.execution, at=self._facts.at, rules=self._rules)
        limits: list[tuple[datetime, str]] = []
        wait = task.waiting_for
        if isinstance(wait, ForObject | ForRetry) and wait.gives_up_at is not None:
            said = f"{wait.name} isn't what it waits for" if isinstance(wait, ForObject) else "there is no answer"
            limits.append((wait.gives_up_at, why_waiting.after_failure(stage, f"{said} by then")))
        of_task = timing.task_deadline(draft, stage, task)
        if of_task is not None:
            what = f"task {task.name} of stage {stage.name}"
            limits.append((of_task, why_waiting.after_time_out(stage, what)))
        limiting = time_limits.limiting_stage(draft.stages, stage)
        of_stage = timing.stage_deadline(draft, limiting) if limiting else None
        if limiting is not None and of_stage is not None and stage.type != timing.WINDOW_TYPE:
            limits.append((of_stage, why_waiting.after_time_out(stage, f"stage {limiting.name}")))
        if not limits:
            return answer
        at, then = min(limits)
        return replace(answer, times_out_at=at, then=then)


def _leaves(execution: Execution, stages: "Iterator[Stage] | list[Stage]") -> list[Stage]:
    """Active stages without active parts: those in which something is really waited for."""
    relations = graph.of(execution)
    found: list[Stage] = []
    for stage in stages:
        if not (stage.status in _ACTIVE or stage.is_preparing):
            continue
        below = _leaves(execution, graph.children(relations, execution.stages, stage.id))
        has_own = stage.is_preparing or any(task.status in _ACTIVE for task in stage.tasks)
        found += [*below, stage] if has_own or not below else below
    return found


def _prepares(pending: PendingEffect, execution: Execution, stage: Stage) -> bool:
    head = execution.head
    wanted = (
        keys.prepare_stage(head.id, stage),
        keys.prepare_after(head.id, stage, "after"),
        keys.prepare_after(head.id, stage, "on-failure"),
    )
    return pending.effect.key in wanted


_SUBMISSION = ForWork(reason="the submission to be prepared", what="submission")
