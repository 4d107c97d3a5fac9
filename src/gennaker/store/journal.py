"""The journal in SQLite: executions, their events, queues, the outbox and audit records, changed together or not at all.

Only rows that changed are written. All encoding is done before the writer's turn (writer.py), the version checks inside
its transaction. Statements go to the driver directly (statements.py says why). Large values: values.py.
"""

import asyncio
import math
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from typing import TypeVar

import immutables
import msgspec
from sqlalchemy import Connection, update

from gennaker.interfaces.journal import Commit, Conflict, ExecutionChange, RecordedEvent, SubmissionExists
from gennaker.model import codec, stored
from gennaker.model.effect import Effect, PendingEffect
from gennaker.model.event import Event
from gennaker.model.execution import Execution, Head, Stage
from gennaker.model.queue import Queue
from gennaker.store import audit, statements, tables, values
from gennaker.store.database import Database
from gennaker.store.statements import Statements
from gennaker.store.values import LARGE_BYTES, Large, Packed, TooMuch
from gennaker.store.writer import driver

_QUICK = 1000
"""How much of a record is looked at on the loop: less than a millisecond."""
_LARGE_KEPT = 1000
"""Records that were large when last written: they are looked into at once."""

Kind = TypeVar("Kind")
_EVENT: type[Event] = Event  # type: ignore[assignment] # a union; the codec takes what msgspec takes
_EFFECT: type[Effect] = Effect  # type: ignore[assignment] # as above


class SqliteJournal:
    """The journal of a database."""

    def __init__(self, database: Database, *, engine_version: str) -> None:
        """`engine_version` is kept with every event: the same version replays it bit for bit."""
        self._database = database
        self._engine_version = engine_version
        self._sql = statements.compiled()
        self._large = Large()
        self._large_keys: OrderedDict[str, None] = OrderedDict()

    async def commit(self, commit: Commit) -> None:
        """Writes all of it or nothing. Raises Conflict.

        Whoever is cancelled while waiting doesn't know whether it was written. Dropped effects go before new ones.
        """
        packing = await self._packed(commit)
        rows = _Rows(commit, packing, self._engine_version)
        await self._database.write(lambda connection: rows.write(driver(connection), self._sql))
        self._remember(packing)

    async def load(self, execution_id: str) -> Execution | None:
        """The execution as last committed."""
        return await self._database.read(lambda connection: load(driver(connection), self._sql, execution_id))

    async def load_queue(self, key: str) -> Queue:
        """The queue as last committed; an empty one of version 0 where there is none."""

        def look(connection: Connection) -> Queue:
            row = driver(connection).execute(self._sql.queue, (key,)).fetchone()
            return Queue(key=key) if row is None else codec.decode(row[0], Queue)

        return await self._database.read(look)

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        """The execution's journal, in order."""

        def look(connection: Connection) -> tuple[RecordedEvent, ...]:
            raw = driver(connection)
            return tuple(
                RecordedEvent(number=number, event=_read(raw, self._sql, (event, blobs), _EVENT), ignored=ignored)
                for number, ignored, event, blobs in raw.execute(self._sql.events, (execution_id, after))
            )

        return await self._database.read(look)

    async def pending(self) -> tuple[PendingEffect, ...]:
        """The whole outbox: what has no instant first, then by instant."""

        def look(connection: Connection) -> tuple[PendingEffect, ...]:
            raw = driver(connection)
            return tuple(
                PendingEffect(
                    effect=_read(raw, self._sql, (effect, blobs), _EFFECT),
                    execution_id=execution_id,
                    due=None if due is None else codec.from_microseconds(due),
                    tries=tries,
                )
                for execution_id, due, tries, effect, blobs in raw.execute(self._sql.pending)
            )

        return await self._database.read(look)

    async def raise_tries(self, key: str) -> int:
        """Counts a repeat before it is made; returns the new count. Raises Conflict if the effect is gone."""

        def change(connection: Connection) -> int:
            outbox = tables.outbox.c
            raised = update(tables.outbox).where(outbox.key == key).values(tries=outbox.tries + 1)
            row = connection.execute(raised.returning(outbox.tries)).one_or_none()
            if row is None:
                raise Conflict(f"effect {key!r} is no longer in the outbox")
            return int(row.tries)

        return await self._database.write(change)

    async def _packed(self, commit: Commit) -> "_Packing":
        """Quickly where the records are small, or large by values that are stored already; else in a thread."""
        packing = _Packing(commit)
        if self._large_keys and not self._large_keys.keys().isdisjoint(packing.keys):
            with suppress(TooMuch):
                packing.pack_all(self._large, _QUICK)
                return packing
        else:
            packing.encode_all()
            if not packing.is_large:
                return packing
        await asyncio.to_thread(packing.pack_all, self._large)
        return packing

    def _remember(self, packing: "_Packing") -> None:
        """Which records are large now; what they hold is durable."""
        if not packing.was_packed:
            return
        self._large.remember(packing.records, packing.packed)
        for key, packed in zip(packing.keys, packing.packed, strict=True):
            if key and (packed.references or len(packed.body) > LARGE_BYTES):
                self._large_keys[key] = None
                self._large_keys.move_to_end(key)
            else:
                self._large_keys.pop(key, None)
        while len(self._large_keys) > _LARGE_KEPT:
            self._large_keys.popitem(last=False)


def load(connection: sqlite3.Connection, sql: Statements, execution_id: str) -> Execution | None:
    """The execution as this transaction sees it."""
    row = connection.execute(sql.head, (execution_id,)).fetchone()
    if row is None:
        return None
    stages = [
        _read(connection, sql, columns, Stage) for columns in connection.execute(sql.stages, (execution_id,)).fetchall()
    ]
    return Execution(
        head=_read(connection, sql, row, Head), stages=immutables.Map({stage.id: stage for stage in stages})
    )


class _Packing:
    """The records of a commit and what their rows hold."""

    def __init__(self, commit: Commit) -> None:
        self.records: list[msgspec.Struct] = []
        self.keys: list[str] = []
        self.packed: list[Packed] = []
        self.is_large = False
        self.was_packed = False
        for change in commit.executions:
            execution_id = change.head.id
            self._add(change.head, execution_id)
            for stage in change.stages:
                self._add(stage, f"{execution_id}/{stage.id}")
            for recorded in change.events:
                self._add(recorded.event, "")
        for pending in commit.effects:
            self._add(pending.effect, "")

    def _add(self, record: msgspec.Struct, key: str) -> None:
        """The key tells a record that is written again and again; empty: written once."""
        self.records.append(record)
        self.keys.append(key)

    def encode_all(self) -> None:
        """The fast way; gives up at the first large record."""
        packed = self.packed
        for record in self.records:
            body = codec.encode(record)
            if len(body) > LARGE_BYTES:
                self.is_large = True
                return
            packed.append(Packed(body=body.decode()))

    def pack_all(self, large: Large, budget: float = math.inf) -> None:
        """The thorough way: for a thread, or with a budget for each record. Raises TooMuch."""
        self.packed = [large.pack(record, budget) for record in self.records]
        self.was_packed = True


class _Rows:
    """The rows of a commit: everything that can be done before the writer's turn is done."""

    def __init__(self, commit: Commit, packing: _Packing, engine_version: str) -> None:
        packed = iter(packing.packed)
        self._blobs = [(digest, content) for one in packing.packed for digest, content in one.blobs.items()]
        self._executions = [_ExecutionRows(change, packed, engine_version) for change in commit.executions]
        self._queues = [(queue, codec.encode(queue).decode()) for queue in commit.queues]
        self._dropped = [(key,) for key in commit.dropped_effects]
        self._effects = [_effect_row(pending, next(packed)) for pending in commit.effects]
        self._audit = audit.encoded_entries(commit.audit)

    def write(self, connection: sqlite3.Connection, sql: Statements) -> None:
        """In the writer's transaction. Raises Conflict."""
        if self._blobs:
            connection.executemany(sql.insert_blob, self._blobs)
        for execution in self._executions:
            execution.write(connection, sql)
        for queue, body in self._queues:
            _write_queue(connection, sql, queue, body)
        if self._dropped:
            connection.executemany(sql.delete_effect, self._dropped)
        if self._effects:
            connection.executemany(sql.upsert_effect, self._effects)
        audit.append(connection, sql, self._audit)


class _ExecutionRows:
    """The rows of one execution's change."""

    def __init__(self, change: ExecutionChange, packed: Iterable[Packed], engine_version: str) -> None:
        following = iter(packed)
        head = change.head
        self._id = head.id
        self._expected = change.expected_version
        self._submission_key = change.submission_key
        self._head = _head_row(head, next(following))
        self._stages = [_stage_row(head.id, stage, next(following)) for stage in change.stages]
        self._removed = [(head.id, stage_id) for stage_id in change.removed_stages]
        self._events = [_event_row(head.id, recorded, next(following), engine_version) for recorded in change.events]

    def write(self, connection: sqlite3.Connection, sql: Statements) -> None:
        """Head first: its version guards the rest."""
        if self._expected:
            found = connection.execute(sql.update_execution, (*self._head, self._id, self._expected)).rowcount
            if found != 1:
                raise Conflict(f"execution {self._id} is no longer at version {self._expected}")
        else:
            self._insert(connection, sql)
        if self._removed:
            connection.executemany(sql.delete_stage, self._removed)
        if self._stages:
            connection.executemany(sql.upsert_stage, self._stages)
        try:
            connection.executemany(sql.insert_event, self._events)
        except sqlite3.IntegrityError as error:
            raise Conflict(f"execution {self._id} has an event of this number") from error

    def _insert(self, connection: sqlite3.Connection, sql: Statements) -> None:
        if self._submission_key:
            taken = connection.execute(sql.submission, (self._submission_key,)).fetchone()
            if taken is not None:
                raise SubmissionExists(self._submission_key, taken[0])
        try:
            connection.execute(sql.insert_execution, (self._id, self._submission_key or None, *self._head))
        except sqlite3.IntegrityError as error:
            raise Conflict(f"execution {self._id} exists") from error


def _write_queue(connection: sqlite3.Connection, sql: Statements, queue: Queue, body: str) -> None:
    if queue.version > 1:
        row = (queue.version, body, queue.key, queue.version - 1)
        if connection.execute(sql.update_queue, row).rowcount != 1:
            raise Conflict(f"queue {queue.key} is no longer at version {queue.version - 1}")
        return
    try:
        connection.execute(sql.insert_queue, (queue.key, queue.version, body))
    except sqlite3.IntegrityError as error:
        raise Conflict(f"queue {queue.key} exists") from error


def _head_row(head: Head, packed: Packed) -> tuple[object, ...]:
    """In the order of `statements.EXECUTION`."""
    correlation_id = head.trigger.get("correlationId")
    return (
        head.version,
        head.kind.value,
        head.application,
        head.name,
        head.pipeline_config_id,
        head.status.value,
        correlation_id if isinstance(correlation_id, str) else None,
        codec.microseconds(head.build_time),
        packed.body,
        packed.references,
    )


def _stage_row(execution_id: str, stage: Stage, packed: Packed) -> tuple[object, ...]:
    return (execution_id, stage.id, packed.body, packed.references)


def _event_row(execution_id: str, recorded: RecordedEvent, packed: Packed, engine_version: str) -> tuple[object, ...]:
    return (execution_id, recorded.number, engine_version, recorded.ignored, packed.body, packed.references)


def _effect_row(pending: PendingEffect, packed: Packed) -> tuple[object, ...]:
    due = None if pending.due is None else codec.microseconds(pending.due)
    return (pending.effect.key, pending.execution_id, due, pending.tries, packed.body, packed.references)


def _read(connection: sqlite3.Connection, sql: Statements, row: tuple[str, str | None], kind: type[Kind]) -> Kind:
    """The record of a row's JSON and its `blobs` column."""
    body, column = row
    if column is None:
        return stored.read(body, kind)
    wanted = values.references(column)
    blobs = {digest: connection.execute(sql.blob, (digest,)).fetchone()[0] for digest in {r.digest for r in wanted}}
    return stored.convert(values.unpacked(body, wanted, blobs), kind)
