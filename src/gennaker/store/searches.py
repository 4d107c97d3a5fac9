"""Finding executions, newest first unless told otherwise: by application, definition, status, kind, name, trigger or correlation id."""

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, CursorResult, Select, and_, bindparam, func, or_, select

from gennaker.interfaces.executions import Found, Listed
from gennaker.model import codec
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.store import journal_reads, tables
from gennaker.store.transactions import Transactions, direct

_columns = tables.executions.c
_triggers = tables.triggers.c
_UNFINISHED: Final = frozenset(status for status in Status if not status.is_complete)


class DatabaseSearches:
    """Searches in a database."""

    def __init__(self, database: Transactions) -> None:
        """Of this database."""
        self._database = database

    async def find(self, wanted: Found) -> Sequence[Execution]:
        """Newest first: by build time, then by id (a caller may have chosen an id that doesn't sort by time)."""
        return await self._database.read(
            lambda connection: self._loaded(connection, [one.id for one in _listed(connection, wanted)])
        )

    async def listed(self, wanted: Found) -> Sequence[Listed]:
        """The same without reading the executions themselves."""
        is_one = not wanted.is_per_config and wanted.before_id is None and wanted.from_id is None
        return await self._database.read(lambda connection: _listed(connection, wanted), is_one_statement=is_one)

    async def several(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Those of these that are there, in this order."""
        return await self._database.read(lambda connection: self._loaded(connection, ids))

    async def count(self, status: Status) -> int:
        """Without reading them."""
        query = select(func.count()).select_from(tables.executions).where(_columns.status == status.value)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one())

    def _loaded(self, connection: Connection, ids: Sequence[str]) -> tuple[Execution, ...]:
        raw = direct(connection)
        found = [journal_reads.load(raw, self._database.sql, one) for one in ids]
        return tuple(execution for execution in found if execution is not None)


def _listed(connection: Connection, wanted: Found) -> tuple[Listed, ...]:
    if not wanted.is_per_config:
        return _rows(connection.execute(_query(wanted, _conditions(connection, wanted))))
    # One query for all of them: SQLAlchemy takes longer to put one together than SQLite to answer it.
    conditions = [_columns.config_id == bindparam("config"), *_conditions(connection, wanted, is_of_configs=False)]
    query = _query(wanted, conditions)
    configs = _busy(connection, wanted) if _is_of_unfinished(wanted) else dict.fromkeys(wanted.config_ids)
    found = [one for config in configs for one in _rows(connection.execute(query, {"config": config}))]
    return tuple(sorted(found, key=_age, reverse=not wanted.is_oldest_first))


def _busy(connection: Connection, wanted: Found) -> Sequence[str]:
    """The pipelines of which any execution isn't over: few, and pages ask for these all the time."""
    query = select(_columns.config_id).distinct().where(_columns.application == (wanted.application or "").lower())
    busy = set(connection.execute(query.where(_unfinished())).scalars())
    return [config for config in dict.fromkeys(wanted.config_ids) if config in busy]


def _is_of_unfinished(wanted: Found) -> bool:
    return bool(wanted.statuses) and wanted.application is not None and _UNFINISHED.issuperset(wanted.statuses)


def _kind(wanted: Found) -> ColumnElement[Any]:
    """Of what isn't over as an expression, so that the index of kinds, which is of all executions, isn't taken for the small one."""
    return _columns.kind.concat("") if _is_of_unfinished(wanted) else _columns.kind


def _unfinished() -> ColumnElement[bool]:
    return cast("ColumnElement[bool]", tables.IS_UNFINISHED)  # text that is a condition


def _query(wanted: Found, conditions: Sequence[ColumnElement[bool]]) -> "Select[Any, Any, Any, Any]":
    of_triggers = _is_by_trigger(wanted)
    # Sorted by the columns of the table that is searched: it has an index in this order.
    age = (_triggers.build_time, _triggers.execution_id) if of_triggers else (_columns.build_time, _columns.id)
    query = select(_columns.id, _columns.application, _columns.version, _columns.build_time)
    if of_triggers:
        query = query.select_from(tables.triggers).join(tables.executions, _columns.id == _triggers.execution_id)
    return query.where(*conditions).order_by(*map(_direction(wanted), age)).limit(wanted.limit)


def _rows(found: "CursorResult[Any, Any, Any, Any]") -> tuple[Listed, ...]:
    return tuple(
        Listed(id=row[0], application=row[1], version=row[2], build_time=codec.from_microseconds(row[3]))
        for row in found
    )


def _direction(wanted: Found) -> Callable[[ColumnElement[object]], ColumnElement[object]]:
    return (lambda column: column.asc()) if wanted.is_oldest_first else (lambda column: column.desc())


def _age(one: Listed) -> tuple[object, str]:
    return one.build_time, one.id


def _is_by_trigger(wanted: Found) -> bool:
    return bool(wanted.trigger_types or wanted.event_id)


def _conditions(connection: Connection, wanted: Found, *, is_of_configs: bool = True) -> list[ColumnElement[bool]]:
    by_trigger = _is_by_trigger(wanted)
    application = _triggers.application if by_trigger else _columns.application
    equal: list[tuple[ColumnElement[object], str | None]] = [
        (_triggers.event_id, wanted.event_id or None),
        (application, wanted.application.lower() if wanted.application is not None else None),
        (_kind(wanted), wanted.kind.value if wanted.kind is not None else None),
        (_columns.name, wanted.name),
        (_columns.correlation_id, wanted.correlation_id),
    ]
    statuses = [status.value for status in wanted.statuses]
    listed: list[tuple[ColumnElement[object], Sequence[str]]] = [
        (_triggers.type, wanted.trigger_types),
        (_columns.id, wanted.ids),
        (_columns.config_id, wanted.config_ids if is_of_configs else ()),
        (_columns.status, statuses),
    ]
    conditions = [column == value for column, value in equal if value is not None]
    conditions += [column.in_(values) for column, values in listed if values]
    if _is_of_unfinished(wanted):
        conditions.append(_unfinished())
    if wanted.before_id is not None:
        conditions.append(_beyond(connection, wanted.before_id, by_trigger=by_trigger, is_before=True))
    if wanted.from_id is not None:
        conditions.append(_beyond(connection, wanted.from_id, by_trigger=by_trigger, is_before=False))
    return conditions


def _beyond(connection: Connection, its_id: str, *, by_trigger: bool, is_before: bool) -> ColumnElement[bool]:
    """Before an execution, or not before it."""
    time, name = (_triggers.build_time, _triggers.execution_id) if by_trigger else (_columns.build_time, _columns.id)
    built = connection.execute(select(_columns.build_time).where(_columns.id == its_id)).scalar_one_or_none()
    if built is None:
        return name < its_id if is_before else name >= its_id
    if is_before:
        return or_(time < built, and_(time == built, name < its_id))
    return or_(time > built, and_(time == built, name >= its_id))
