"""Statements that only PostgreSQL gets, save those that write commits (commit_lot.sql)."""

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""The database's clock, in microseconds."""
CHANGES_LOCK = 0x474E4B52_00000002
"""Advisory lock of changes that aren't commits: one at a time, in all servers."""
SHELLS_LOCK = 0x474E4B52_00000004
"""Advisory lock under which a server looks whether its shell has a lease already."""
WAKE = "gennaker_work"
"""Channel on which a server tells the others that something is up for taking."""

INSERT_BLOB = "INSERT INTO blobs (digest, content) VALUES (%s, %b) ON CONFLICT DO NOTHING"
HAS_BLOB = "SELECT 1 FROM blobs WHERE digest = %s"
COPY_BLOB = "COPY blobs (digest, content) FROM STDIN (FORMAT binary)"
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
