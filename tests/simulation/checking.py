"""Checking: a journal in memory that works every commit out again, event by event, with the invariants after each.

What a commit changes must be what its events give: the execution, the rows of the outbox, the queues. A result that comes
a second time must change nothing.
"""

from collections import defaultdict

from tests import invariants
from tests.playbook import without_version

from gennaker.engine import advance, replay
from gennaker.engine.rules import Rules
from gennaker.engine.step import Step
from gennaker.interfaces.journal import Commit, ExecutionChange
from gennaker.model.effect import Deliver, PendingEffect, TellQueue
from gennaker.model.event import (
    AfterStagesPrepared,
    CancelAsked,
    Event,
    StagePrepared,
    Started,
    SubmissionPrepared,
    TaskPrepared,
    TaskReported,
)
from gennaker.model.execution import Execution
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status
from gennaker.testing.journal import MemoryJournal

RESULTS = (SubmissionPrepared, StagePrepared, AfterStagesPrepared, TaskPrepared, TaskReported)
_QUEUE = "pipeline:"


class Violated(BaseException):
    """An invariant doesn't hold: not an Exception, so that nothing in a server can catch this and live on."""


class CheckedJournal(MemoryJournal):
    """Raises Violated at the first commit that breaks a rule."""

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self._rules = rules
        self._answered: dict[str, set[str]] = defaultdict(set)
        self.steps = 0
        """Events that were applied and checked."""

    def commit_now(self, commit: Commit) -> None:
        before = self._state
        super().commit_now(commit)
        try:
            for change in commit.executions:
                self._check_change(before.executions.get(change.head.id), before.outbox, change)
            for queue in commit.queues:
                if queue.key.startswith(_QUEUE):
                    self._check_queue(queue)
        except AssertionError as error:
            raise Violated(str(error)) from error

    @property
    def outbox(self) -> dict[str, PendingEffect]:
        """What is pending."""
        return self._state.outbox

    @property
    def queues(self) -> dict[str, Queue]:
        """All queues by key."""
        return self._state.queues

    def all_executions(self) -> tuple[Execution, ...]:
        """Oldest first."""
        return tuple(self._state.executions.values())

    def all_events(self, execution_id: str) -> tuple[Event, ...]:
        """The journal of one."""
        return tuple(one.event for one in self._state.events.get(execution_id, ()))

    def _check_change(
        self, stored: Execution | None, outbox: dict[str, PendingEffect], change: ExecutionChange
    ) -> None:
        execution_id = change.head.id
        now = self._state.executions[execution_id]
        execution = stored or replay.accepted(change.head)
        own = {key: one for key, one in outbox.items() if one.execution_id == execution_id}
        for recorded in change.events:
            step = self._checked(execution, recorded.event, own)
            assert step.ignored == recorded.ignored
            execution = step.execution
        assert execution == now, "the commit holds another state than its events give"
        assert _work(own) == _work({key: one for key, one in self.outbox.items() if one.execution_id == execution_id})

    def _checked(self, before: Execution, event: Event, own: dict[str, PendingEffect]) -> Step:
        """One event: `own`, the execution's rows of the outbox, is brought up to date."""
        self.steps += 1
        answered = self._answered[before.head.id]
        step = advance.advance(before, event, self._rules)
        key = getattr(event, "key", "")
        if own.pop(key, None) is not None:
            answered.add(key)
        for dropped in step.dropped:
            own.pop(dropped, None)
        for pending in step.effects:
            own[pending.effect.key] = pending
        invariants.check(before, event, step, outbox=own, answered=answered)
        for told in [one.effect.key for one in own.values() if isinstance(one.effect, TellQueue)]:
            del own[told]
        if isinstance(event, RESULTS):
            again = advance.advance(step.execution, event, self._rules)
            assert again.ignored, f"{type(event).__name__} counts twice"
            assert without_version(again.execution) == without_version(step.execution)
        return step

    def _check_queue(self, queue: Queue) -> None:
        """Who runs, is held or waits in a queue is in that state, or will be told so: orca.md §11 rule 10."""
        told: dict[str, list[type[Event]]] = defaultdict(list)
        for one in self.outbox.values():
            if isinstance(one.effect, Deliver):
                told[one.effect.execution_id].append(type(one.effect.event))
        waiting = [one.execution_id for one in queue.waiting]
        everyone = [*queue.running, *queue.held, *waiting]
        assert len(set(everyone)) == len(everyone), "an execution is twice in its queue"
        for execution in self.all_executions():
            head = execution.head
            if f"{_QUEUE}{head.pipeline_config_id}" != queue.key or not head.is_submitted:
                continue
            is_told = Started in told[head.id] or CancelAsked in told[head.id]
            match head.status:
                case Status.RUNNING:
                    assert head.id in queue.running, f"{head.id} runs without its queue's leave"
                case Status.PAUSED:
                    assert head.id in queue.held, f"{head.id} is paused and takes a place"
                case Status.NOT_STARTED:
                    assert head.id in waiting or is_told, f"{head.id} waits and nobody will call it"
                case _:
                    assert head.id not in everyone, f"{head.id} has ended and is still in its queue"


def _work(outbox: dict[str, PendingEffect]) -> dict[str, PendingEffect]:
    """All but what is for other executions, whose rows a queue may have written, too."""
    return {key: one for key, one in outbox.items() if not isinstance(one.effect, Deliver)}
