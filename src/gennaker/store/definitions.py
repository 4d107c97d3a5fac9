"""Definitions in a database: every revision is kept, the newest is marked."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, select, update

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.definitions import Definition
from gennaker.model import codec
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.store import chain, tables
from gennaker.store.decoding import decoded
from gennaker.store.statements import Statements
from gennaker.store.transactions import Transactions, direct

Result = TypeVar("Result")
_columns = tables.definitions.c
_BODY: Final = 5
"""Which column of a row is the body, which may be long."""


class DatabaseDefinitions:
    """The definitions of a database."""

    def __init__(self, database: Transactions, clock: Clock) -> None:
        """The clock says when a revision was written."""
        self._database = database
        self._clock = clock

    async def save(
        self, kind: str, definition_id: str, body: JsonObject, *, author: str, if_revision: int | None = None
    ) -> Definition:
        """Writes a new revision; `if_revision` must be the present one (0: new or deleted). Raises Refused(409).

        Revisions go on counting after a deletion.
        """
        at = self._clock.now()

        def change(connection: Connection) -> Definition:
            newest = _newest(connection, self._database.sql, kind, definition_id)
            _check(newest, kind, definition_id, if_revision)
            revision = 1 if newest is None else newest.revision + 1
            definition = Definition(kind=kind, id=definition_id, body=body, revision=revision, author=author, at=at)
            _add(connection, self._database.sql, definition)
            return definition

        return await self._write(change)

    async def delete(self, kind: str, definition_id: str, *, author: str) -> None:
        """Marks as deleted, by a revision of its own; deleting twice is no error. Raises Refused(404)."""
        at = self._clock.now()

        def change(connection: Connection) -> None:
            newest = _newest(connection, self._database.sql, kind, definition_id)
            if newest is None:
                raise Refused(
                    Problem(code="definition.unknown", message=f"There is no {kind} {definition_id}."), status=404
                )
            if newest.is_deleted:
                return
            _add(
                connection,
                self._database.sql,
                msgspec.structs.replace(newest, revision=newest.revision + 1, author=author, at=at, is_deleted=True),
            )

        await self._write(change)

    async def get(self, kind: str, definition_id: str) -> Definition | None:
        """The newest revision, unless it is deleted."""
        found = await self._read(self._database.sql.definition, kind, definition_id, is_small=True)
        return next((one for one in found if not one.is_deleted), None)

    async def list(self, kind: str, application: str | None = None) -> tuple[Definition, ...]:
        """The newest revisions of all that aren't deleted, by id; of one application (the body's) where given."""
        sql = self._database.sql
        if application is None:
            return await self._read(sql.definitions, kind)
        return await self._read(sql.definitions_of, kind, application.lower())

    async def applications(self, kind: str) -> tuple[str, ...]:
        """Without reading the definitions."""

        def look(connection: Connection) -> tuple[tuple[str, ...], int]:
            query = (
                select(_columns.application)
                .where(_columns.kind == kind, _columns.is_newest == 1, _columns.is_deleted == 0)
                .where(_columns.application.is_not(None))
                .distinct()
            )
            found = tuple(sorted(connection.execute(query).scalars()))
            return found, sum(map(len, found))

        return await self._found(("applications", kind), look)

    async def history(self, kind: str, definition_id: str, limit: int = 20) -> tuple[Definition, ...]:
        """Revisions, newest first; a deletion is one."""

        def look(connection: Connection) -> Sequence[Any]:
            return direct(connection).execute(self._database.sql.revisions, (kind, definition_id, limit)).fetchall()

        rows = await self._database.read(look, is_one_statement=True, is_small=True)
        return await decoded(rows, _definition, text=_BODY)

    async def _write(self, change: Callable[[Connection], Result]) -> Result:
        with self._database.kept.writing():
            return await self._database.write(change)

    async def _read(self, statement: str, *values: str, is_small: bool = False) -> tuple[Definition, ...]:
        def look(connection: Connection) -> tuple[tuple[Definition, ...], int]:
            rows = direct(connection).execute(statement, values).fetchall()
            return tuple(_definition(*row) for row in rows), sum(len(row[_BODY]) for row in rows)

        return await self._found((statement, values), look, is_small=is_small)

    async def _found(
        self, asked: object, look: Callable[[Connection], tuple[Result, int]], *, is_small: bool = False
    ) -> Result:
        """Kept; `look` says how many characters it holds, too."""

        async def read() -> tuple[Result, int]:
            return await self._database.read(look, is_one_statement=True, is_small=is_small)

        return await self._database.kept.read(asked, read)


def _newest(connection: Connection, sql: Statements, kind: str, definition_id: str) -> Definition | None:
    row = direct(connection).execute(sql.definition, (kind, definition_id)).fetchone()
    return None if row is None else _definition(*row)


def _check(newest: Definition | None, kind: str, definition_id: str, if_revision: int | None) -> None:
    present = 0 if newest is None else newest.revision
    allowed = {present, 0} if newest is not None and newest.is_deleted else {present}
    if if_revision is None or if_revision in allowed:
        return
    raise Refused(
        Problem(
            code="definition.changed",
            message=f"The {kind} {definition_id} is at revision {present}, not {if_revision}: somebody has changed it.",
            remedy="Load it again and repeat the change.",
            details={"expected": if_revision, "found": present},
        ),
        status=409,
    )


def _add(connection: Connection, sql: Statements, definition: Definition) -> None:
    """The new revision and its audit record: what a definition says is a decision like any other."""
    connection.execute(
        update(tables.definitions)
        .where(_columns.kind == definition.kind, _columns.id == definition.id, _columns.is_newest == 1)
        .values(is_newest=0)
    )
    application = definition.body.get("application")
    connection.execute(
        tables.definitions.insert().values(
            kind=definition.kind,
            id=definition.id,
            revision=definition.revision,
            is_newest=1,
            is_deleted=int(definition.is_deleted),
            application=application.lower() if isinstance(application, str) else None,
            author=definition.author,
            at=codec.microseconds(definition.at),
            body=codec.encode(definition.body).decode(),
        )
    )
    chain.append(direct(connection), sql, chain.encoded_entries((_recorded(definition),)))


def _recorded(definition: Definition) -> AuditEntry:
    digest = hashlib.sha256(codec.encode_sorted(definition.body)).hexdigest()
    return AuditEntry(
        at=definition.at,
        actor=definition.author,
        action="definition.deleted" if definition.is_deleted else "definition.saved",
        subject=f"{definition.kind}:{definition.id}",
        details={"name": definition.body.get("name"), "revision": definition.revision, "content": f"sha256:{digest}"},
    )


def _definition(  # noqa: PLR0913, PLR0917 - the columns DEFINITION
    kind: str, definition_id: str, revision: int, author: str, at: int, body: str, is_deleted: int
) -> Definition:
    return Definition(
        kind=kind,
        id=definition_id,
        body=codec.decode(body, JsonObject),
        revision=revision,
        author=author,
        at=codec.from_microseconds(at),
        is_deleted=bool(is_deleted),
    )
