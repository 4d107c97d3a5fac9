"""The workflow of an execution: a loop that must not change, because histories of running ones are replayed through it.

Theory of operation. It holds what is at work: an asyncio task for each effect that waits for its instant, or for an activity
to perform it. What came of it goes into `answers`; they are applied one after the other, each by a local activity (`step`) that
writes the store and says what is asked and dropped next. A signal says that the outbox holds more than this workflow knows of;
then a local activity looks. All that this loop knows can be read from the store again, so a run may end at any time.

What an event means is decided in the activities. It runs without Temporal's sandbox and has to keep its rules by itself: no clock but
`workflow.now`, no I/O, nothing that another run would meet otherwise. tests/golden holds histories that it has to replay.
"""

import asyncio
from collections import deque
from datetime import timedelta

import msgspec
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from gennaker.interfaces.shells import Parcel
from gennaker.worker.temporal.messages import (
    EXECUTION,
    LOOK,
    PERFORM,
    STEP,
    Answer,
    Asked,
    Begin,
    Found,
    Performed,
    Wanted,
)

_LONGEST_STEP = timedelta(minutes=5)
_LONGEST_TASK = timedelta(days=365)
"""Time limits of tasks are the engine's; whether the worker lives is told by heartbeats."""
_AGAIN = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))
"""Only for what Gennaker itself can't do now: it retries nothing that has an outcome."""


class _AtWork:
    """An effect that waits or is performed."""

    def __init__(self, asked: Asked, *, is_repeat: bool) -> None:
        self.asked = asked
        self.is_repeat = is_repeat
        self.task: asyncio.Task[None] | None = None
        self.is_begun = False
        self.is_dropped = False
        self.following: Asked | None = None
        """Asked for again under the same key while this one is still ending."""


@workflow.defn(name=EXECUTION)
class ExecutionWorkflow:
    """Sees to it that every effect of one execution is performed when it is due, and that its answer is recorded."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._at_work: dict[str, _AtWork] = {}
        self._answers: deque[Answer] = deque()
        self._has_news = True
        self._is_over = False
        self._is_draining = False

    @workflow.signal(name=LOOK)
    def look(self) -> None:
        """There is something new in the outbox."""
        self._has_news = True

    @workflow.run
    async def run(self, begin: Begin) -> None:
        """Until the execution has ended and nothing of it is outstanding."""
        self._begin = begin
        are_repeats = not begin.is_continued
        while True:
            if self._has_news:
                self._has_news = False
                self._take(await self._locally(LOOK, begin.execution_id), are_repeats=are_repeats)
                are_repeats = False
            elif self._answers:
                self._take(await self._locally(STEP, self._answers.popleft()), are_repeats=False)
            elif self._is_over and not self._at_work:
                return
            elif self._is_draining and self._is_idle():
                workflow.continue_as_new(msgspec.structs.replace(begin, is_continued=True))
            else:
                await workflow.wait_condition(self._can_go_on)
            self._is_draining |= workflow.info().is_continue_as_new_suggested()

    def _is_idle(self) -> bool:
        return not any(one.is_begun for one in self._at_work.values())

    def _can_go_on(self) -> bool:
        return (
            self._has_news
            or bool(self._answers)
            or (self._is_over and not self._at_work)
            or (self._is_draining and self._is_idle())
        )

    async def _locally(self, name: str, what: "str | Answer") -> Found:
        found: Found = await workflow.execute_local_activity(
            name, what, result_type=Found, start_to_close_timeout=_LONGEST_STEP, retry_policy=_AGAIN
        )
        return found

    def _take(self, found: Found, *, are_repeats: bool) -> None:
        self._is_over = found.is_over
        asked = {one.key for one in found.asked}
        gone = set(found.dropped)
        if found.is_whole:
            known = (*self._at_work, *(answer.key for answer in self._answers))
            gone.update(key for key in known if key not in asked)
        for key in sorted(gone):
            self._drop(key)
        self._answers = deque(answer for answer in self._answers if answer.key not in gone)
        answered = {answer.key for answer in self._answers}
        for one in found.asked:
            if one.key not in answered:
                self._begin_work(one, is_repeat=are_repeats)

    def _begin_work(self, asked: Asked, *, is_repeat: bool) -> None:
        before = self._at_work.get(asked.key)
        if before is not None and before.is_begun:
            before.following = asked if before.is_dropped else None
            return
        if before is not None:
            if before.asked == asked:
                return
            self._drop(asked.key)
        own = self._at_work[asked.key] = _AtWork(asked, is_repeat=is_repeat)
        own.task = asyncio.create_task(self._work(own))

    def _drop(self, key: str) -> None:
        own = self._at_work.get(key)
        if own is None:
            return
        own.is_dropped = True
        own.following = None
        if not own.is_begun:
            del self._at_work[key]
        if own.task is not None:
            own.task.cancel()

    async def _work(self, own: _AtWork) -> None:
        asked = own.asked
        if asked.due is not None:
            await asyncio.sleep(max(0.0, (asked.due - workflow.now()).total_seconds()))
        await workflow.wait_condition(lambda: not self._is_draining and not self._is_preceded(asked))
        own.is_begun = True
        event = await self._event(own) if asked.is_performed else None
        del self._at_work[asked.key]
        if own.following is not None:
            self._begin_work(own.following, is_repeat=not own.is_dropped)
        elif not own.is_dropped and (event is not None or not asked.is_performed):
            self._answers.append(Answer(execution_id=self._begin.execution_id, key=asked.key, event=event))

    def _is_preceded(self, asked: Asked) -> bool:
        return bool(asked.after) and any(
            one.is_begun and key.startswith(asked.after) for key, one in self._at_work.items()
        )

    async def _event(self, own: _AtWork) -> Parcel | None:
        """What came of an effect, once it has really ended; None: nothing that has to be recorded."""
        begin = self._begin
        try:
            performed: Performed = await workflow.execute_activity(
                PERFORM,
                Wanted(execution_id=begin.execution_id, key=own.asked.key, is_repeat=own.is_repeat),
                result_type=Performed,
                start_to_close_timeout=_LONGEST_TASK,
                heartbeat_timeout=timedelta(seconds=begin.heartbeat_seconds),
                retry_policy=_AGAIN,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        except ActivityError:
            if not own.is_dropped:
                own.following = own.asked  # somebody has ended it in Temporal: nobody knows how far it had come
            return None
        except asyncio.CancelledError:
            if not own.is_dropped:
                raise
            return None
        return performed.event
