"""Reading a journal's rows: executions, events and queues as last committed, whichever database holds them."""

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


class JournalReads:
    """What every journal over a database reads alike."""

    def __init__(self, database: Transactions) -> None:
        """Of this database."""
        self._database = database

    async def load(self, execution_id: str) -> Execution | None:
        """The execution as last committed."""
        return await self._database.read(lambda connection: load(direct(connection), self._database.sql, execution_id))

    async def load_queue(self, key: str) -> Queue:
        """The queue as last committed; an empty one of version 0 where there is none."""

        def look(connection: Connection) -> Queue:
            row = direct(connection).execute(self._database.sql.queue, (key,)).fetchone()
            return Queue(key=key) if row is None else codec.decode(row[0], Queue)

        return await self._database.read(look, is_one_statement=True)

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


def load(connection: Direct, sql: Statements, execution_id: str) -> Execution | None:
    """The execution as this transaction sees it."""
    row = connection.execute(sql.head, (execution_id,)).fetchone()
    if row is None:
        return None
    stages = [
        record(connection, sql, (body, blobs), Stage)
        for body, blobs in connection.execute(sql.stages, (execution_id,)).fetchall()
    ]
    return Execution(
        head=stored.convert(
            outlines.together(_plain(connection, sql, row[2:]), _plain(connection, sql, row[:2])), Head
        ),
        stages=immutables.Map({stage.id: stage for stage in stages}),
    )


def record(connection: Direct, sql: Statements, row: tuple[str, str | None], kind: type[Kind]) -> Kind:
    """The record of a row's JSON and its `blobs` column."""
    body, column = row
    return stored.read(body, kind) if column is None else stored.convert(_plain(connection, sql, row), kind)


def _plain(connection: Direct, sql: Statements, row: tuple[str, str | None]) -> Json:
    """The plain JSON of a row, with its large values in their places."""
    body, column = row
    if column is None:
        return codec.decode_json(body)
    wanted = values.references(column)
    blobs = {digest: _blob(connection, sql, digest) for digest in {reference.digest for reference in wanted}}
    return values.unpacked(body, wanted, blobs)


def _blob(connection: Direct, sql: Statements, digest: str) -> bytes:
    row = connection.execute(sql.blob, (digest,)).fetchone()
    assert row is not None, "a row refers to a blob that was never written"
    return bytes(row[0])
