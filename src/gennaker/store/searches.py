"""Finding executions, newest first unless told otherwise: by application, definition, status, kind, name, trigger or correlation id.

SQLAlchemy takes longer to put a query together than SQLite to answer it: the text of each shape of query is made once
(`_Shape`), and the driver is given it with the values.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, cast

import msgspec
from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, func, literal_column, or_, select
from sqlalchemy.engine import Dialect

from gennaker.interfaces.executions import Found, Listed
from gennaker.model import codec
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import UNFINISHED, Status
from gennaker.store import journal_reads, statements, tables
from gennaker.store.transactions import Direct, Transactions, direct

_columns = tables.executions.c
_triggers = tables.triggers.c
_SMALL: Final = 200
"""So many rows are found without a thread, if they are at hand."""
_LOADED_AT_ONCE: Final = 10
"""So are so many executions, if they are small."""
_SHAPES_KEPT: Final = 500


class _Outline(msgspec.Struct, frozen=True):
    """The part of an outline that is looked at."""

    trigger: JsonObject = {}


class DatabaseSearches:
    """Searches in a database."""

    def __init__(self, database: Transactions) -> None:
        """Of this database."""
        self._database = database

    async def find(self, wanted: Found) -> Sequence[Execution]:
        """Newest first: by build time, then by id (a caller may have chosen an id that doesn't sort by time)."""
        return await self._database.read(
            lambda connection: self._loaded(
                connection, [one.id for one in _listed(direct(connection), self._database.sql.dialect, wanted)]
            )
        )

    async def listed(self, wanted: Found) -> Sequence[Listed]:
        """The same without reading the executions themselves."""
        is_one = not wanted.is_per_config and wanted.before_id is None and wanted.from_id is None
        return await self._database.read(
            lambda connection: _listed(direct(connection), self._database.sql.dialect, wanted),
            is_one_statement=is_one,
            is_small=wanted.limit <= _SMALL,
        )

    async def several(self, ids: Sequence[str]) -> Sequence[Execution]:
        """Those of these that are there, in this order."""
        if self._database.reads_here and len(ids) <= _LOADED_AT_ONCE:
            with suppress(journal_reads.NotSmall):
                return await self._database.read(
                    lambda connection: self._loaded(connection, ids, is_small=True), is_small=True
                )
        return await self._database.read(lambda connection: self._loaded(connection, ids))

    async def triggers(self, ids: Sequence[str]) -> dict[str, JsonObject]:
        """What has started those of these that are there."""
        sql = self._database.sql

        def look(connection: Connection) -> dict[str, JsonObject]:
            raw = direct(connection)
            rows = ((one, raw.execute(sql.outline, (one,)).fetchone()) for one in ids)
            return {one: journal_reads.record(raw, sql, (row[0], row[1]), _Outline).trigger for one, row in rows if row}

        return await self._database.read(look)

    async def count(self, status: Status) -> int:
        """Without reading them."""
        query = select(func.count()).select_from(tables.executions).where(_columns.status == status.value)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one())

    def _loaded(self, connection: Connection, ids: Sequence[str], *, is_small: bool = False) -> tuple[Execution, ...]:
        raw = direct(connection)
        found = [journal_reads.load(raw, self._database.sql, one, is_small=is_small) for one in ids]
        return tuple(execution for execution in found if execution is not None)


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What the text of a query depends on."""

    equal: tuple[str, ...]
    """Names of what one value is wanted of."""
    listed: tuple[tuple[str, int], ...]
    """Names of what one of several values is wanted of, and of how many."""
    beyond: str = ""
    """`before` or `from` an execution."""
    is_of_time: bool = False
    """That execution is there, so that its time is known."""
    is_by_trigger: bool
    is_of_unfinished: bool
    is_oldest_first: bool


def _listed(raw: Direct, dialect: Dialect, wanted: Found) -> tuple[Listed, ...]:
    if not wanted.is_per_config:
        return _found(raw, dialect, wanted, wanted.config_ids)
    # One after the other: each is found at the end of an index, and only so many of each.
    configs = _busy(raw, dialect, wanted) if _is_of_unfinished(wanted) else dict.fromkeys(wanted.config_ids)
    found = [one for config in configs for one in _found(raw, dialect, wanted, (config,))]
    return tuple(sorted(found, key=_age, reverse=not wanted.is_oldest_first))


def _found(raw: Direct, dialect: Dialect, wanted: Found, config_ids: Sequence[str]) -> tuple[Listed, ...]:
    equal: dict[str, object] = {
        "event_id": wanted.event_id or None,
        "application": wanted.application.lower() if wanted.application is not None else None,
        "kind": wanted.kind.value if wanted.kind is not None else None,
        "name": wanted.name,
        "correlation_id": wanted.correlation_id,
    }
    equal = {name: value for name, value in equal.items() if value is not None}
    several: dict[str, Sequence[object]] = {
        "type": wanted.trigger_types,
        "id": wanted.ids,
        "config_id": config_ids,
        "status": [status.value for status in wanted.statuses],
    }
    several = {name: values for name, values in several.items() if values}
    values = equal | {_place(name, at): one for name, ones in several.items() for at, one in enumerate(ones)}
    marked = wanted.before_id if wanted.before_id is not None else wanted.from_id
    built = None if marked is None else raw.execute(_built(dialect), (marked,)).fetchone()
    values |= {"marked": marked, "built": built[0] if built else None, "limit": wanted.limit}
    text, names = _text(
        dialect,
        _Shape(
            equal=tuple(equal),
            listed=tuple((name, len(ones)) for name, ones in several.items()),
            beyond="" if marked is None else "from" if wanted.before_id is None else "before",
            is_of_time=built is not None,
            is_by_trigger=bool(wanted.trigger_types or wanted.event_id),
            is_of_unfinished=_is_of_unfinished(wanted),
            is_oldest_first=wanted.is_oldest_first,
        ),
    )
    return tuple(
        Listed(id=row[0], application=row[1], version=row[2], build_time=codec.from_microseconds(row[3]))
        for row in raw.execute(text, [values[name] for name in names]).fetchall()
    )


def _busy(raw: Direct, dialect: Dialect, wanted: Found) -> Sequence[str]:
    """The pipelines of which any execution isn't over: few, and pages ask for these all the time."""
    found = raw.execute(_of_busy(dialect), ((wanted.application or "").lower(),)).fetchall()
    busy = {config for (config,) in found}
    return [config for config in dict.fromkeys(wanted.config_ids) if config in busy]


def _is_of_unfinished(wanted: Found) -> bool:
    return bool(wanted.statuses) and wanted.application is not None and set(UNFINISHED).issuperset(wanted.statuses)


def _age(one: Listed) -> tuple[object, str]:
    return one.build_time, one.id


def _place(name: str, at: int) -> str:
    return f"{name}_{at}"


@lru_cache(_SHAPES_KEPT)
def _text(dialect: Dialect, shape: _Shape) -> tuple[str, tuple[str, ...]]:
    """The text, and the names of its values in their order."""
    # Sorted by the columns of the table that is searched: it has an index in this order.
    time, its_id = _age_columns(shape)
    query = select(_columns.id, _columns.application, _columns.version, _columns.build_time)
    if shape.is_by_trigger:
        query = query.select_from(tables.triggers).join(tables.executions, _columns.id == _triggers.execution_id)
    direction = _ascending if shape.is_oldest_first else _descending
    query = query.where(*_conditions(shape)).order_by(direction(time), direction(its_id))
    return statements.limited(dialect, query)


@lru_cache
def _built(dialect: Dialect) -> str:
    return statements.text(dialect, select(_columns.build_time).where(_columns.id == bindparam("id")))


@lru_cache
def _of_busy(dialect: Dialect) -> str:
    query = select(_columns.config_id).distinct().where(_columns.application == bindparam("application"))
    return statements.text(dialect, query.where(_unfinished()))


def _conditions(shape: _Shape) -> list[ColumnElement[bool]]:
    columns: dict[str, ColumnElement[Any]] = {
        "event_id": _triggers.event_id,
        "application": _triggers.application if shape.is_by_trigger else _columns.application,
        # Of what isn't over as an expression, so that the index of kinds, which is of all executions, isn't taken for the small one.
        "kind": _columns.kind.concat(literal_column("''")) if shape.is_of_unfinished else _columns.kind,
        "name": _columns.name,
        "correlation_id": _columns.correlation_id,
        "type": _triggers.type,
        "id": _columns.id,
        "config_id": _columns.config_id,
        "status": _columns.status,
    }
    conditions = [columns[name] == bindparam(name) for name in shape.equal]
    for name, count in shape.listed:
        places: list[BindParameter[Any]] = [bindparam(_place(name, at)) for at in range(count)]
        conditions.append(columns[name] == places[0] if count == 1 else columns[name].in_(places))
    if shape.is_of_unfinished:
        conditions.append(_unfinished())
    if shape.beyond:
        conditions.append(_beyond(shape))
    return conditions


def _unfinished() -> ColumnElement[bool]:
    return cast("ColumnElement[bool]", tables.IS_UNFINISHED)  # text that is a condition


def _beyond(shape: _Shape) -> ColumnElement[bool]:
    """Before an execution, or not before it."""
    time, its_id = _age_columns(shape)
    marked: BindParameter[Any] = bindparam("marked")
    by_id = its_id < marked if shape.beyond == "before" else its_id >= marked
    if not shape.is_of_time:
        return by_id
    built: BindParameter[Any] = bindparam("built")
    return or_(time < built if shape.beyond == "before" else time > built, and_(time == built, by_id))


def _age_columns(shape: _Shape) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    if shape.is_by_trigger:
        return _triggers.build_time, _triggers.execution_id
    return _columns.build_time, _columns.id


def _ascending(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return column.asc()


def _descending(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return column.desc()
