"""Deleting an execution: its head, stages and events. Audit records and evidence stay.

Large values, which others may share, go when a server starts that is alone (sweeping.py).
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, or_, select

from gennaker.interfaces.journal import Conflict
from gennaker.model.statuses import Status
from gennaker.store import chain, sweeping, tables
from gennaker.store.statements import Statements
from gennaker.store.transactions import direct

_COMPLETE = tuple(one.value for one in Status if one.is_complete)


def delete_execution(connection: Connection, sql: Statements, execution_id: str, audit: Sequence[str]) -> None:
    """In the caller's transaction. Raises Conflict where it isn't there, isn't over, or has effects to be performed."""
    executions, outbox = tables.executions.c, tables.outbox.c
    # Locked where several servers write: one of them may be restarting it.
    looked = select(executions.status).where(executions.id == execution_id).with_for_update()
    status = connection.execute(looked).scalar_one_or_none()
    if status not in _COMPLETE:
        raise Conflict(f"execution {execution_id} is not there, or not over")
    pending = select(outbox.number).where(outbox.execution_id == execution_id).limit(1)
    if connection.execute(pending).first() is not None:
        raise Conflict(f"something of execution {execution_id} is still to be done")
    if _has_large_values(connection, execution_id):
        sweeping.mark(connection)
    for table in (tables.triggers, tables.outlines, tables.stages, tables.events):
        connection.execute(delete(table).where(table.c.execution_id == execution_id))
    connection.execute(delete(tables.executions).where(executions.id == execution_id))
    chain.append(direct(connection), sql, audit)


def _has_large_values(connection: Connection, execution_id: str) -> bool:
    of_head = exists().where(tables.executions.c.id == execution_id, tables.executions.c.blobs.is_not(None))
    found = [
        exists().where(table.c.execution_id == execution_id, table.c.blobs.is_not(None))
        for table in (tables.outlines, tables.stages, tables.events)
    ]
    return bool(connection.execute(select(or_(of_head, *found))).scalar())
