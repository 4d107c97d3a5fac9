"""Finding executions, newest first unless told otherwise: by application, definition, status, kind, name or correlation id."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from gennaker.interfaces.executions import Found
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.store import journal_reads, tables
from gennaker.store.transactions import Transactions, direct

_columns = tables.executions.c


class DatabaseSearches:
    """Searches in a database."""

    def __init__(self, database: Transactions) -> None:
        """Of this database."""
        self._database = database

    async def find(self, wanted: Found) -> Sequence[Execution]:
        """Newest first: by build time, then by id (a caller may have chosen an id that doesn't sort by time)."""

        def look(connection: Connection) -> tuple[Execution, ...]:
            query = (
                select(_columns.id)
                .where(*_conditions(connection, wanted))
                .order_by(*_order(wanted))
                .limit(wanted.limit)
            )
            raw = direct(connection)
            found = [journal_reads.load(raw, self._database.sql, row.id) for row in connection.execute(query).all()]
            return tuple(execution for execution in found if execution is not None)

        return await self._database.read(look)

    async def count(self, status: Status) -> int:
        """Without reading them."""
        query = select(func.count()).select_from(tables.executions).where(_columns.status == status.value)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one())


def _order(wanted: Found) -> tuple[ColumnElement[object], ...]:
    if wanted.is_oldest_first:
        return _columns.build_time.asc(), _columns.id.asc()
    return _columns.build_time.desc(), _columns.id.desc()


def _conditions(connection: Connection, wanted: Found) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.application is not None:
        conditions.append(_columns.application == wanted.application.lower())
    if wanted.config_ids:
        conditions.append(_columns.config_id.in_(wanted.config_ids))
    if wanted.statuses:
        conditions.append(_columns.status.in_([status.value for status in wanted.statuses]))
    if wanted.kind is not None:
        conditions.append(_columns.kind == wanted.kind.value)
    if wanted.name is not None:
        conditions.append(_columns.name == wanted.name)
    if wanted.correlation_id is not None:
        conditions.append(_columns.correlation_id == wanted.correlation_id)
    if wanted.before_id is not None:
        conditions.append(_before(connection, wanted.before_id))
    return conditions


def _before(connection: Connection, before_id: str) -> ColumnElement[bool]:
    built = connection.execute(select(_columns.build_time).where(_columns.id == before_id)).scalar_one_or_none()
    if built is None:
        return _columns.id < before_id
    return or_(_columns.build_time < built, and_(_columns.build_time == built, _columns.id < before_id))
