"""Reading a journal's rows: executions, events and queues as last committed, whichever database holds them."""

from contextlib import suppress
from typing import TypeVar

import immutables
from sqlalchemy import Connection

from gennaker.interfaces.journal import RecordedEvent
from gennaker.model import codec, stored
from gennaker.model.codec import Json
from gennaker.model.effect import Effect, PendingEffect
from gennaker.model.event import Event
from gennaker.model.execution import Execution, Head, Stage
from gennaker.model.queue import Queue
from gennaker.store import outlines, values
from gennaker.store.statements import Statements
from gennaker.store.transactions import Direct, Transactions, direct

Kind = TypeVar("Kind")
_EVENT: type[Event] = Event  # type: ignore[assignment] # a union; the codec takes what msgspec takes
_EFFECT: type[Effect] = Effect  # type: ignore[assignment] # as above

EffectRow = tuple[str, int | None, int, str, str | None]
"""execution_id, due, tries, effect, blobs"""


SMALL_STAGES = 50
"""Of an execution that is made of its rows in less than a millisecond."""


class NotSmall(Exception):
    """It has more stages, so that it takes a thread."""


class _NeedsBlobs(Exception):
    """Large values must be read in the same moment as what refers to them: one statement isn't enough."""


class JournalReads:
    """What every journal over a database reads alike."""

    def __init__(self, database: Transactions) -> None:
        """Of this database."""
        self._database = database

    async def load(self, execution_id: str) -> Execution | None:
        """The execution as last committed."""
        sql = self._database.sql
        if self._database.reads_here:
            with suppress(NotSmall):
                return await self._database.read(
                    lambda connection: load(direct(connection), sql, execution_id, is_small=True), is_small=True
                )
        with suppress(_NeedsBlobs):
            return await self._database.read(
                lambda connection: _load(direct(connection), sql, execution_id, is_one_statement=True),
                is_one_statement=True,
            )
        return await self._database.read(lambda connection: load(direct(connection), sql, execution_id))

    async def load_queue(self, key: str) -> Queue:
        """The queue as last committed; an empty one of version 0 where there is none."""

        def look(connection: Connection) -> Queue:
            row = direct(connection).execute(self._database.sql.queue, (key,)).fetchone()
            return Queue(key=key) if row is None else codec.decode(row[0], Queue)

        return await self._database.read(look, is_one_statement=True, is_small=True)

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        """The execution's journal, in order."""
        sql = self._database.sql

        def look(connection: Connection) -> tuple[RecordedEvent, ...]:
            raw = direct(connection)
            return tuple(
                RecordedEvent(number=number, event=record(raw, sql, (event, blobs), _EVENT), ignored=ignored)
                for number, ignored, event, blobs in raw.execute(sql.events, (execution_id, after)).fetchall()
            )

        return await self._database.read(look)

    async def engine_versions(self, execution_id: str) -> tuple[str, ...]:
        """Versions of the engine that have applied the execution's events, each once, in order."""
        sql = self._database.sql

        def look(connection: Connection) -> tuple[str, ...]:
            found = direct(connection).execute(sql.engine_versions, (execution_id,)).fetchall()
            return tuple(dict.fromkeys(str(version) for (version,) in found))

        return await self._database.read(look, is_one_statement=True)


def effect(connection: Direct, sql: Statements, row: EffectRow) -> PendingEffect:
    """A row of the outbox."""
    execution_id, due, tries, body, blobs = row
    return PendingEffect(
        effect=record(connection, sql, (body, blobs), _EFFECT),
        execution_id=execution_id,
        due=None if due is None else codec.from_microseconds(due),
        tries=tries,
    )


def load(connection: Direct, sql: Statements, execution_id: str, *, is_small: bool = False) -> Execution | None:
    """The execution as this transaction sees it; `is_small`: raises NotSmall where it isn't."""
    return _load(connection, sql, execution_id, is_small=is_small)


def _load(
    connection: Direct, sql: Statements, execution_id: str, *, is_one_statement: bool = False, is_small: bool = False
) -> Execution | None:
    rows = connection.execute(sql.execution, (execution_id, execution_id)).fetchall()
    if is_small and len(rows) > SMALL_STAGES:
        raise NotSmall
    if is_one_statement and any(row[1] or row[3] for row in rows):
        raise _NeedsBlobs
    head = next((row for row in rows if row[2] is not None), None)
    if head is None:
        return None
    large = _Values(connection, sql)  # one for all records: in them it is mostly the same values
    stages = [_record(large, row[:2], Stage) for row in rows if row is not head]
    return Execution(
        head=stored.convert(outlines.together(large.plain(*head[2:]), large.plain(*head[:2])), Head),
        stages=immutables.Map({stage.id: stage for stage in stages}),
    )


def record(connection: Direct, sql: Statements, row: tuple[str, str | None], kind: type[Kind]) -> Kind:
    """The record of a row's JSON and its `blobs` column."""
    return _record(_Values(connection, sql), row, kind)


def _record(large: "_Values", row: tuple[str, str | None], kind: type[Kind]) -> Kind:
    body, column = row
    return stored.read(body, kind) if column is None else stored.convert(large.plain(body, column), kind)


class _Values:
    """Large values, each read once."""

    def __init__(self, connection: Direct, sql: Statements) -> None:
        self._connection = connection
        self._sql = sql
        self._values: dict[str, Json] = {}

    def plain(self, body: str, column: str | None) -> Json:
        """The plain JSON of a row, with its large values in their places."""
        return values.unpacked(body, values.references(column), self._value)

    def _value(self, digest: str) -> Json:
        if digest not in self._values:
            self._values[digest] = codec.decode_json(self._content(digest))
        return self._values[digest]

    def _content(self, digest: str) -> bytes | bytearray:
        content = self._piece(1, digest)
        if len(content) < self._sql.blob_piece_bytes:
            return content
        whole = bytearray(content)
        while len(content) == self._sql.blob_piece_bytes:
            content = self._piece(len(whole) + 1, digest)
            whole += content
        return whole

    def _piece(self, first: int, digest: str) -> bytes:
        row = self._connection.execute(self._sql.blob, (first, self._sql.blob_piece_bytes, digest)).fetchone()
        assert row is not None, "a row refers to a blob that was never written"
        return bytes(row[0])
