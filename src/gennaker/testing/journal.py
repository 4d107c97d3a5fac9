"""A journal in memory, and searches in it: for tests of whatever stands on the journal."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from gennaker.interfaces.executions import Found, Listed
from gennaker.interfaces.journal import Commit, Conflict, ExecutionChange, RecordedEvent, SubmissionExists
from gennaker.model import foreign
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import Execution, ExecutionKind, StageMap
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status

_AT_ONCE = datetime.min.replace(tzinfo=UTC)


class MemoryJournal:
    """Commits change a copy, which replaces the old state when all of it went well."""

    def __init__(self) -> None:
        self._state = _State()

    @property
    def audit(self) -> tuple[AuditEntry, ...]:
        """All audit entries of all commits."""
        return tuple(self._state.audit)

    async def commit(self, commit: Commit) -> None:
        await asyncio.sleep(0)  # a real one always gives way, too
        self.commit_now(commit)

    def commit_now(self, commit: Commit) -> None:
        """As `commit`, for stores around this one that give way themselves."""
        state = self._state.copied()
        for change in commit.executions:
            state.change(change)
        for queue in commit.queues:
            state.put_queue(queue)
        for key in commit.dropped_effects:
            state.outbox.pop(key, None)
        for pending in (*commit.effects, *commit.handed_over):
            state.outbox[pending.effect.key] = pending
        state.audit += commit.audit
        self._state = state

    async def load(self, execution_id: str) -> Execution | None:
        return self._state.executions.get(execution_id)

    async def load_queue(self, key: str) -> Queue:
        return self._state.queues.get(key, Queue(key=key))

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        recorded = self._state.events.get(execution_id, ())
        return tuple(event for event in recorded if event.number > after)

    async def engine_versions(self, execution_id: str) -> tuple[str, ...]:
        return ("memory",) if execution_id in self._state.events else ()

    async def delete(self, execution_id: str, audit: tuple[AuditEntry, ...]) -> None:
        found = self._state.executions.get(execution_id)
        if found is None or not found.head.status.is_complete:
            raise Conflict(f"execution {execution_id} is not there, or not over")
        if any(one.execution_id == execution_id for one in self._state.outbox.values()):
            raise Conflict(f"something of execution {execution_id} is still to be done")
        state = self._state.copied()
        del state.executions[execution_id]
        state.events.pop(execution_id, None)
        state.submissions = {key: one for key, one in state.submissions.items() if one != execution_id}
        state.audit += audit
        self._state = state

    async def pending(self) -> tuple[PendingEffect, ...]:
        return tuple(sorted(self._state.outbox.values(), key=lambda pending: pending.due or _AT_ONCE))

    async def pending_of(self, execution_id: str) -> tuple[PendingEffect, ...]:
        own = [one for one in self._state.outbox.values() if one.execution_id == execution_id]
        return tuple(sorted(own, key=lambda pending: pending.due or _AT_ONCE))

    async def raise_tries(self, key: str) -> int:
        pending = self._state.outbox.get(key)
        if pending is None:
            raise Conflict(f"effect {key!r} is no longer in the outbox")
        self._state.outbox[key] = msgspec.structs.replace(pending, tries=pending.tries + 1)
        return pending.tries + 1

    async def find(self, wanted: Found) -> Sequence[Execution]:
        found = [execution for execution in self._state.executions.values() if _is_wanted(execution, wanted)]
        found.sort(key=_age, reverse=not wanted.is_oldest_first)
        last = self._state.executions.get(wanted.before_id or "")
        if last is not None:
            found = [execution for execution in found if _age(execution) < _age(last)]
        elif wanted.before_id is not None:
            found = [execution for execution in found if execution.head.id < wanted.before_id]
        first = self._state.executions.get(wanted.from_id or "")
        if first is not None:
            found = [execution for execution in found if _age(execution) >= _age(first)]
        elif wanted.from_id is not None:
            found = [execution for execution in found if execution.head.id >= wanted.from_id]
        if wanted.is_per_config:
            return tuple(_of_each(found, wanted.limit)) if wanted.config_ids else ()
        return tuple(found[: wanted.limit])

    async def listed(self, wanted: Found) -> Sequence[Listed]:
        return tuple(
            Listed(
                id=one.head.id,
                application=one.head.application.lower(),
                version=one.head.version,
                build_time=one.head.build_time,
            )
            for one in await self.find(wanted)
        )

    async def several(self, ids: Sequence[str]) -> Sequence[Execution]:
        return tuple(self._state.executions[one] for one in ids if one in self._state.executions)

    async def triggers(self, ids: Sequence[str]) -> Mapping[str, JsonObject]:
        return {one.head.id: one.head.trigger for one in await self.several(ids)}

    async def count(self, status: Status) -> int:
        return sum(one.head.status is status for one in self._state.executions.values())


class _State:
    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}
        self.submissions: dict[str, str] = {}
        self.events: dict[str, tuple[RecordedEvent, ...]] = {}
        self.queues: dict[str, Queue] = {}
        self.outbox: dict[str, PendingEffect] = {}
        self.audit: list[AuditEntry] = []

    def copied(self) -> "_State":
        state = _State()
        state.executions = dict(self.executions)
        state.submissions = dict(self.submissions)
        state.events = dict(self.events)
        state.queues = dict(self.queues)
        state.outbox = dict(self.outbox)
        state.audit = list(self.audit)
        return state

    def change(self, change: ExecutionChange) -> None:
        execution_id = change.head.id
        stored = self.executions.get(execution_id)
        if change.expected_version == 0 and change.submission_key in self.submissions:
            raise SubmissionExists(change.submission_key, self.submissions[change.submission_key])
        if change.expected_version != (0 if stored is None else stored.head.version):
            raise Conflict(f"execution {execution_id} is no longer at version {change.expected_version}")
        if change.submission_key and stored is None:
            self.submissions[change.submission_key] = execution_id
        stages = StageMap() if stored is None else stored.stages
        for stage_id in change.removed_stages:
            stages = stages.delete(stage_id) if stage_id in stages else stages
        for stage in change.stages:
            stages = stages.set(stage.id, stage)
        self.executions[execution_id] = Execution(head=change.head, stages=stages)
        self._add_events(execution_id, change.events)

    def _add_events(self, execution_id: str, added: Sequence[RecordedEvent]) -> None:
        recorded = self.events.get(execution_id, ())
        last = recorded[-1].number if recorded else 0
        if all(event.number == number for number, event in enumerate(added, last + 1)):
            self.events[execution_id] = (*recorded, *added)  # as nearly always: a wide execution has thousands
            return
        numbers = {event.number for event in recorded}
        for event in added:
            if event.number in numbers:
                raise Conflict(f"execution {execution_id} has an event of this number")
            numbers.add(event.number)
        self.events[execution_id] = tuple(sorted((*recorded, *added), key=lambda event: event.number))

    def put_queue(self, queue: Queue) -> None:
        stored = self.queues.get(queue.key)
        if queue.version != (0 if stored is None else stored.version) + 1:
            raise Conflict(f"queue {queue.key} is no longer at version {queue.version - 1}")
        self.queues[queue.key] = queue


def _age(execution: Execution) -> tuple[datetime, str]:
    return execution.head.build_time, execution.head.id


def _of_each(found: Sequence[Execution], limit: int) -> Iterator[Execution]:
    """So many of each pipeline."""
    taken: Counter[str | None] = Counter()
    for execution in found:
        taken[execution.head.pipeline_config_id] += 1
        if taken[execution.head.pipeline_config_id] <= limit:
            yield execution


def _is_wanted(execution: Execution, wanted: Found) -> bool:
    head = execution.head
    is_by_trigger = bool(wanted.trigger_types or wanted.event_id)
    return all(
        (
            not is_by_trigger or head.kind is ExecutionKind.PIPELINE,
            not wanted.trigger_types or foreign.text_at(head.trigger, "type") in wanted.trigger_types,
            not wanted.event_id or head.trigger.get("eventId") == wanted.event_id,
            wanted.application is None or wanted.application.lower() == head.application.lower(),
            not wanted.ids or head.id in wanted.ids,
            not wanted.config_ids or head.pipeline_config_id in wanted.config_ids,
            not wanted.statuses or head.status in wanted.statuses,
            wanted.kind in (None, head.kind),
            wanted.name in (None, head.name),
            wanted.correlation_id in (None, head.trigger.get("correlationId")),
        )
    )
