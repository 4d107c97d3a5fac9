"""Statements that only PostgreSQL gets: a whole lot of commits in one statement a table.

Rows travel as one array a column (`unnest`), written as PostgreSQL's text form of arrays: cheaper on both sides than a
parameter a value, and the statement's text, and with it its plan, is the same for any number of rows.
"""

from collections.abc import Sequence

from gennaker.store.statements import MOVING, OUTLINED

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""The database's clock, in microseconds."""
CHANGES_LOCK = 0x474E4B52_00000002
"""Advisory lock of changes that aren't commits: one at a time, in all servers."""
SHELLS_LOCK = 0x474E4B52_00000004
"""Advisory lock under which a server looks whether its shell has a lease already."""
WAKE = "gennaker_work"
"""Channel on which a server tells the others that something is up for taking."""

_NUMBERS = frozenset(
    {"version", "build_time", "number", "due", "tries", "expected", "is_complete", "new", "at", "fence", "revision"}
)


def _rows(*columns: str) -> str:
    arrays = ", ".join("%s::bigint[]" if name in _NUMBERS else "%s::text[]" for name in columns)
    return f"unnest({arrays}) AS r ({', '.join(columns)})"


def _insert(table: str, columns: Sequence[str], end: str, **values: str) -> str:
    names = ", ".join((*columns, *values))
    found = ", ".join((*(f"r.{name}" for name in columns), *values.values()))
    return f"INSERT INTO {table} ({names}) SELECT {found} FROM {_rows(*columns)} {end}"  # noqa: S608 - names of ours


UPDATE_EXECUTIONS = (
    "UPDATE executions SET "  # noqa: S608 - names of ours
    + ", ".join(f"{name} = r.{name}" for name in MOVING)
    + ", fence = CASE WHEN r.is_complete = 1 THEN NULL ELSE %s::bigint END FROM "
    + _rows("id", "expected", "is_complete", *MOVING)
    + " WHERE executions.id = r.id AND executions.version = r.expected"
    + " AND (executions.fence IS NULL OR executions.fence = %s::bigint) RETURNING executions.id"
)
"""fence, arrays of id, expected, is_complete, MOVING, fence → ids of those that were as expected"""
UPDATE_OUTLINED = (
    "UPDATE executions SET "  # noqa: S608 - names of ours
    + ", ".join(f"{name} = r.{name}" for name in OUTLINED)
    + f" FROM {_rows('id', *OUTLINED)} WHERE executions.id = r.id"
)
"""arrays of id, OUTLINED"""
INSERT_EXECUTIONS = _insert(
    "executions", ("id", "submission_key", *MOVING, *OUTLINED, "fence"), "ON CONFLICT DO NOTHING RETURNING id"
)
"""arrays → ids of those that were new"""
UPSERT_OUTLINES = _insert(
    "outlines",
    ("execution_id", "body", "blobs"),
    "ON CONFLICT (execution_id) DO UPDATE SET body = excluded.body, blobs = excluded.blobs",
)
UPSERT_STAGES = _insert(
    "stages",
    ("execution_id", "stage_id", "body", "blobs"),
    "ON CONFLICT (execution_id, stage_id) DO UPDATE SET body = excluded.body, blobs = excluded.blobs",
)
DELETE_STAGES = (
    f"DELETE FROM stages USING {_rows('execution_id', 'stage_id')} "  # noqa: S608 - names of ours
    "WHERE stages.execution_id = r.execution_id AND stages.stage_id = r.stage_id"
)
INSERT_EVENTS = _insert(
    "events",
    ("execution_id", "number", "engine_version", "ignored", "event", "blobs"),
    "ON CONFLICT DO NOTHING RETURNING execution_id",
)
"""arrays → the execution of each row that was new"""
UPDATE_QUEUES = (
    f"UPDATE queues SET version = r.version, body = r.body FROM {_rows('key', 'version', 'body')} "  # noqa: S608 - as above
    "WHERE queues.key = r.key AND queues.version = r.version - 1 RETURNING queues.key"
)
INSERT_QUEUES = _insert("queues", ("key", "version", "body"), "ON CONFLICT DO NOTHING RETURNING key")
DELETE_EFFECTS = f"DELETE FROM outbox USING {_rows('key')} WHERE outbox.key = r.key"  # noqa: S608 - as above
UPSERT_EFFECTS = _insert(
    "outbox",
    ("key", "execution_id", "due", "tries", "effect", "blobs"),
    "ON CONFLICT (key) DO UPDATE SET execution_id = excluded.execution_id, due = excluded.due, tries = excluded.tries, "
    "effect = excluded.effect, blobs = excluded.blobs, fence = excluded.fence",
    fence="%s::bigint",
)
"""fence, then arrays"""
INSERT_AUDIT = _insert("audit", ("number", "previous", "hash", "entry"), "")
INSERT_BLOB = "INSERT INTO blobs (digest, content) VALUES (%s, %b) ON CONFLICT DO NOTHING"
JOIN = f"INSERT INTO servers (name, expires) VALUES (%s, {NOW} + %s) RETURNING fence"  # noqa: S608 - a constant of ours
EXTEND = f"UPDATE servers SET expires = {NOW} + %s WHERE fence = ANY(%s)"  # noqa: S608 - a constant of ours
SHELL = "SELECT fence FROM servers WHERE name = %s FOR NO KEY UPDATE"
STANDS = "SELECT fence FROM servers WHERE fence = %s FOR KEY SHARE"
EXPIRED = f"SELECT fence, name FROM servers WHERE expires < {NOW} ORDER BY fence"  # noqa: S608 - a constant of ours
END = "DELETE FROM servers WHERE fence = %s"
END_EXPIRED = f"{END} AND expires < {NOW}"
CLEAR = (
    "UPDATE executions SET fence = NULL WHERE fence = %s",
    "UPDATE outbox SET fence = NULL WHERE fence = %s",
    "DELETE FROM leases WHERE fence = %s",
)
TAKE_EXECUTIONS = """
UPDATE executions SET fence = %s WHERE id IN (
    SELECT id FROM executions WHERE fence IS NULL AND id IN (
        SELECT execution_id FROM (
            SELECT execution_id, min(number) AS first FROM outbox WHERE fence IS NULL GROUP BY execution_id
        ) AS untaken JOIN executions AS e ON e.id = execution_id AND e.fence IS NULL ORDER BY first LIMIT %s
    ) FOR UPDATE SKIP LOCKED
)"""
"""fence, how many: executions of nobody that have something to do, those that wait longest first"""
TAKE_EFFECTS = """
WITH taken AS (
    UPDATE outbox SET fence = %s WHERE number IN (
        SELECT number FROM outbox LEFT JOIN executions ON executions.id = outbox.execution_id
        WHERE outbox.fence IS NULL AND (executions.fence = %s OR executions.id IS NULL)
        FOR UPDATE OF outbox SKIP LOCKED
    ) RETURNING number, execution_id, due, tries, effect, blobs
) SELECT execution_id, due, tries, effect, blobs FROM taken ORDER BY due IS NOT NULL, due, number"""
"""fence, fence: what nobody performs of this server's executions, or of none (their effects are dropped when performed)"""
HAND_OVER = """
INSERT INTO outbox (key, execution_id, tries, effect) VALUES (%s, %s, 0, %s)
ON CONFLICT (key) DO UPDATE SET
    execution_id = excluded.execution_id, due = NULL, effect = excluded.effect, blobs = NULL, fence = NULL"""
ELSEWHERE = (
    "SELECT outbox.key, servers.name FROM outbox JOIN servers USING (fence) "  # noqa: S608 - a constant of ours
    f"WHERE servers.fence <> %s AND servers.expires > {NOW}"
)
HOLD = """
INSERT INTO leases (name, fence) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET fence = excluded.fence
WHERE leases.fence = excluded.fence OR leases.fence NOT IN (SELECT fence FROM servers) RETURNING fence"""
LOCK_EXECUTION = "SELECT fence FROM executions WHERE id = %s FOR NO KEY UPDATE"
ADOPT_EXECUTION = "UPDATE executions SET fence = %s WHERE id = %s AND fence IS NULL AND status <> ALL(%s)"
_OWN_EFFECTS = "execution_id = %s AND key >= %s AND key < %s"
ADOPT_EFFECTS = f"UPDATE outbox SET fence = %s WHERE fence IS NULL AND {_OWN_EFFECTS}"  # noqa: S608 - a constant of ours
"""fence, execution, first and last key of the execution's own effects"""
LOOK = (
    "SELECT execution_id, due, tries, effect, blobs FROM outbox "  # noqa: S608 - a constant of ours
    f"WHERE fence = %s AND {_OWN_EFFECTS} OR fence IS NULL AND execution_id = %s ORDER BY number"
)
"""fence, execution, first and last key, execution: what is the shell's, and what others have put here for the execution"""
FIND = "SELECT execution_id, due, tries, effect, blobs FROM outbox WHERE key = %s AND (fence = %s OR fence IS NULL)"
UNTOLD = """
SELECT outbox.execution_id, max(outbox.number) FROM outbox LEFT JOIN executions ON executions.id = outbox.execution_id
WHERE outbox.fence IS NULL AND (executions.fence = %s OR executions.fence IS NULL) GROUP BY outbox.execution_id"""
"""fence → executions with the number of the newest row"""
OWNED = "SELECT id FROM executions WHERE fence = %s UNION SELECT execution_id FROM outbox WHERE fence = %s"
VERSION = "SELECT version FROM executions WHERE id = %s"
OWNER = "SELECT version, fence FROM executions WHERE id = %s"


def columns(rows: Sequence[Sequence[object]]) -> list[str]:
    """The rows' columns as arrays in PostgreSQL's text form."""
    return [_array(column) for column in zip(*rows, strict=True)]


def _array(values: Sequence[object]) -> str:
    elements = [
        _quoted(value) if isinstance(value, str) else "NULL" if value is None else str(int(value))  # type: ignore[call-overload] # all that isn't text is a number or a truth
        for value in values
    ]
    # NUL is the one character that PostgreSQL's text hasn't.
    return ("{" + ",".join(elements) + "}").replace("\0", "\ufffd")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
