"""Documents in a database: versioned JSON of one namespace."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, delete, select

from gennaker.interfaces.documents import Document, VersionMismatch
from gennaker.model import codec
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.store import chain, tables
from gennaker.store.decoding import decoded
from gennaker.store.transactions import Transactions, direct, inserting

Result = TypeVar("Result")
SELDOM_CHANGED: Final = frozenset({"migration.phases"})
"""Namespaces whose documents are kept in memory when they were read; migration 0007 counts their changes."""
_columns = tables.documents.c
_BODY: Final = 1
"""Which column of a row is the body, which may be long."""


class DatabaseDocuments:
    """The documents of one namespace of a database."""

    def __init__(self, database: Transactions, namespace: str) -> None:
        """Namespaces don't see one another."""
        self._database = database
        self._namespace = namespace
        self._is_kept = namespace in SELDOM_CHANGED

    async def get(self, key: str) -> Document | None:
        """The document as last written."""

        def look(connection: Connection) -> tuple[Document | None, int]:
            row = direct(connection).execute(self._database.sql.document, (self._namespace, key)).fetchone()
            return (None, 0) if row is None else (_document(*row), len(row[_BODY]))

        async def read() -> tuple[Document | None, int]:
            return await self._database.read(look, is_one_statement=True, is_small=True)

        return (
            await self._database.kept.read(("document", self._namespace, key), read)
            if self._is_kept
            else (await read())[0]
        )

    async def put(
        self, key: str, body: JsonObject, *, if_version: int | None = None, audit: Sequence[AuditEntry] = ()
    ) -> Document:
        """Writes, with its audit records; `if_version=0` only if it is new, `None` whatever there is. Raises VersionMismatch."""
        text, records = codec.encode(body).decode(), chain.encoded_entries(audit)

        def change(connection: Connection) -> Document:
            version = self._checked(connection, key, if_version) + 1
            statement = inserting(connection, tables.documents).values(
                namespace=self._namespace, key=key, version=version, body=text
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["namespace", "key"], set_={"version": version, "body": text}
                )
            )
            chain.append(direct(connection), self._database.sql, records)
            return Document(key=key, body=body, version=version)

        return await self._write(change)

    async def delete(self, key: str, *, if_version: int | None = None, audit: Sequence[AuditEntry] = ()) -> None:
        """Removes, with its audit records; what isn't there is no error unless `if_version` says it should be."""
        records = chain.encoded_entries(audit)

        def change(connection: Connection) -> None:
            self._checked(connection, key, if_version)
            connection.execute(
                delete(tables.documents).where(_columns.namespace == self._namespace, _columns.key == key)
            )
            chain.append(direct(connection), self._database.sql, records)

        await self._write(change)

    async def list(self, prefix: str = "") -> tuple[Document, ...]:
        """All documents whose keys begin so, by key."""

        def look(connection: Connection) -> Sequence[Any]:
            # A range uses the index; LIKE would need escaping and ignores case.
            sql, end = self._database.sql, _after(prefix)
            values = (self._namespace, prefix, end) if end else (self._namespace, prefix)
            return direct(connection).execute(sql.documents_until if end else sql.documents, values).fetchall()

        rows = await self._database.read(look, is_one_statement=True, is_small=True)
        return await decoded(rows, _document, text=_BODY)

    async def _write(self, change: Callable[[Connection], Result]) -> Result:
        with self._database.kept.writing() if self._is_kept else nullcontext():
            return await self._database.write(change)

    def _checked(self, connection: Connection, key: str, if_version: int | None) -> int:
        query = select(_columns.version).where(_columns.namespace == self._namespace, _columns.key == key)
        found = connection.execute(query).scalar_one_or_none() or 0
        if if_version is not None and found != if_version:
            raise VersionMismatch(key, expected=if_version, found=found)
        return found


def _document(key: str, body: str, version: int) -> Document:
    return Document(key=key, body=codec.decode(body, JsonObject), version=version)


def _after(prefix: str) -> str:
    """The first text after all that begin with the prefix, in the order of code points; empty: there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return ""
    following = ord(stem[-1]) + 1
    # Surrogates are no characters: UTF-8 goes on after them.
    return stem[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)
