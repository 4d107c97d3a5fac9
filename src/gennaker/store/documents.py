"""Documents in a database: versioned JSON of one namespace."""

from sqlalchemy import Connection, delete, select

from gennaker.interfaces.documents import Document, VersionMismatch
from gennaker.model import codec
from gennaker.model.codec import JsonObject
from gennaker.store import tables
from gennaker.store.transactions import Transactions, inserting

_columns = tables.documents.c


class DatabaseDocuments:
    """The documents of one namespace of a database."""

    def __init__(self, database: Transactions, namespace: str) -> None:
        """Namespaces don't see one another."""
        self._database = database
        self._namespace = namespace

    async def get(self, key: str) -> Document | None:
        """The document as last written."""
        return await self._database.read(lambda connection: self._find(connection, key))

    async def put(self, key: str, body: JsonObject, *, if_version: int | None = None) -> Document:
        """Writes; `if_version=0` only if it is new, `None` whatever there is. Raises VersionMismatch."""
        text = codec.encode(body).decode()

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
            return Document(key=key, body=body, version=version)

        return await self._database.write(change)

    async def delete(self, key: str, *, if_version: int | None = None) -> None:
        """Removes; removing what isn't there is no error unless `if_version` says it should be."""

        def change(connection: Connection) -> None:
            self._checked(connection, key, if_version)
            connection.execute(
                delete(tables.documents).where(_columns.namespace == self._namespace, _columns.key == key)
            )

        await self._database.write(change)

    async def list(self, prefix: str = "") -> tuple[Document, ...]:
        """All documents whose keys begin so, by key."""

        def look(connection: Connection) -> tuple[Document, ...]:
            # A range uses the index; LIKE would need escaping and ignores case.
            query = select(_columns.key, _columns.body, _columns.version).where(
                _columns.namespace == self._namespace, _columns.key >= prefix
            )
            end = _after(prefix)
            if end:
                query = query.where(_columns.key < end)
            return tuple(_document(*row) for row in connection.execute(query.order_by(_columns.key)))

        return await self._database.read(look)

    def _find(self, connection: Connection, key: str) -> Document | None:
        query = select(_columns.key, _columns.body, _columns.version).where(
            _columns.namespace == self._namespace, _columns.key == key
        )
        row = connection.execute(query).one_or_none()
        return None if row is None else _document(*row)

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
