"""Servers over one PostgreSQL database: who lives, who owns what, and how it passes from one to another.

Theory of operation. A row of `servers` is a server's lease, its number the fence. Executions, rows of the outbox and service
leases carry the fence of their owner or null. Every transaction that commits steps, takes or hands over first locks the
server's own row `FOR KEY SHARE`: extending a lease doesn't wait for that, removing the row does. So a server's end is one
transaction that waits for the commits on their way, removes its row and clears its fence everywhere; what it tries to
commit later finds no row. There is no moment in which an effect belongs to somebody who is gone.

The lease is counted by the database's clock in the row, and by this server's own monotonic clock from before the request that
extended it: its own view ends first, and from then on it begins nothing (`may_begin`).
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
import psycopg
import structlog
from psycopg import errors

from gennaker.model import codec
from gennaker.model.effect import PendingEffect
from gennaker.store import journal_reads
from gennaker.store.postgres import failures
from gennaker.store.postgres import statements as sql
from gennaker.store.postgres.database import PostgresDatabase, Raw, connect
from gennaker.store.transactions import PostgresDirect

log = structlog.get_logger()

NO_FENCE = 0
"""No server's: whatever is committed with it is refused."""
_TAKEN_AT_ONCE = 100
"""Executions taken in one transaction: others get their share, and performing begins early."""
_WAITS_MILLISECONDS = 500
"""For the rows of a server whose lease has ended: meanwhile this server's own lease isn't extended."""
_BEATS = 3
"""How often a lease is extended before it would end."""
_LOOKS_EVERY_SECONDS = 0.05

Result = TypeVar("Result")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How leases are kept."""

    name: str
    """The server's, for people."""
    lease_seconds: float
    poll_seconds: float
    """How often is looked for work that nobody has, whether or not somebody woke this server."""
    shell: str = ""
    """Not empty: executions belong to the shell of this name, whose lease all its servers extend."""


class PostgresServers:
    """This server among those of a database."""

    def __init__(self, database: PostgresDatabase, terms: Terms) -> None:
        """Gets a lease; `fence` is its number, `owner` that which its executions carry. Blocks. Raises StoreUnusable."""
        self._database = database
        self._terms = terms
        self._lease_us = int(terms.lease_seconds * 1_000_000)
        self._connection = connect(database.url, is_writer=True)
        self._listening = connect(database.url)
        self._listening.execute(f"LISTEN {sql.WAKE}".encode())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-lease")
        self._listener = ThreadPoolExecutor(1, thread_name_prefix="store-listener")
        began = time.monotonic()
        self.fence = _join(self._connection, terms.name, self._lease_us)
        self.owner = _join_shell(self._connection, terms.shell, self._lease_us) if terms.shell else self.fence
        self._stands_until = began + terms.lease_seconds
        self._is_kept = threading.Event()
        self._starting = threading.Thread(target=self._keep_while_starting, name="store-lease-start", daemon=True)

    @property
    def is_alone(self) -> bool:
        """Others may come at any time."""
        return False

    async def take(self) -> tuple[PendingEffect, ...]:
        """Those of executions that nobody owns, a hundred of them at most, and what others have put here for this server."""
        return await self._run(self._take)

    async def hand_over(self, pending: PendingEffect) -> None:
        """As a row without a fence; large values aren't taken apart: a command or a result is rarely one."""
        effect = codec.encode(pending.effect).decode()
        row = (pending.effect.key, pending.execution_id, effect)
        if not await self._run(lambda connection: _hand_over(connection, self.fence, row)):
            raise failures.lease_lost(self._database.place)

    async def is_pending(self, key: str) -> bool:
        """Whether the outbox holds the effect."""
        return await self._run(
            lambda connection: connection.execute("SELECT 1 FROM outbox WHERE key = %s", (key,)).fetchone() is not None
        )

    async def elsewhere(self) -> Mapping[str, str]:
        """Keys of effects that other living servers have, and those servers' names."""

        def look(connection: Raw) -> Mapping[str, str]:
            return dict(connection.execute(sql.ELSEWHERE.encode(), (self.fence,)).fetchall())

        return await self._run(look)

    async def hold(self, lease: str) -> bool:
        """Takes it if nobody has it."""

        def take(connection: Raw) -> bool:
            return connection.execute(sql.HOLD.encode(), (lease, self.fence)).fetchone() is not None

        return await self._run(take)

    async def may_begin(self) -> None:
        """Waits for `keep` where its own clock says that the lease is over."""
        while time.monotonic() >= self._stands_until:  # noqa: ASYNC110 - `keep` moves the instant, or everything ends
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)

    async def woken(self) -> None:
        """At a notification, else after `poll_seconds`."""

        def wait(_: Raw) -> None:
            list(self._listening.notifies(timeout=self._terms.poll_seconds, stop_after=1))

        await self._run(wait, self._listener)

    def start(self) -> None:
        """Extends the lease in a thread until `keep` does it: a server may take longer to start than a lease lasts."""
        self._starting.start()

    async def keep(self) -> None:
        """Extends the lease three times in its length, and each time ends those of others that are over."""
        self._is_kept.set()
        while True:
            began = time.monotonic()
            if not await self._run(self._extend):
                raise failures.lease_lost(self._database.place)
            self._stands_until = began + self._terms.lease_seconds
            for fence, name in await self._run(lambda connection: _end_expired(connection, {self.fence, self.owner})):
                log.warning("server.lease_ended", server=name, fence=fence)
            await asyncio.sleep(self._terms.lease_seconds / _BEATS)

    def close(self) -> None:
        """Gives everything back at once, so that nobody has to wait for the lease to end. Blocks."""
        self._is_kept.set()
        if self._starting.is_alive():
            self._starting.join()
        self._thread.shutdown()
        self._listener.shutdown()
        try:
            if not self._connection.closed:
                _end(self._connection, self.fence)
        except psycopg.Error as error:
            log.warning("server.not_given_back", reason=str(error))
        self._connection.close()
        self._listening.close()

    def _keep_while_starting(self) -> None:
        while not self._is_kept.wait(self._terms.lease_seconds / _BEATS):
            began = time.monotonic()
            try:
                if not self._thread.submit(self._extend, self._connection).result():
                    return  # it is lost, as `keep` will find
            except psycopg.Error as error:
                log.warning("server.lease_not_extended", reason=str(error))  # `keep` meets the same, or it has passed
            else:
                self._stands_until = began + self._terms.lease_seconds

    def _extend(self, connection: Raw) -> bool:
        fences = {self.fence, self.owner}
        return connection.execute(sql.EXTEND.encode(), (self._lease_us, list(fences))).rowcount == len(fences)

    def _take(self, connection: Raw) -> tuple[PendingEffect, ...]:
        with connection.transaction():
            if not stands(connection, self.fence):
                return ()
            connection.execute(sql.TAKE_EXECUTIONS.encode(), (self.fence, _TAKEN_AT_ONCE))
            rows = connection.execute(sql.TAKE_EFFECTS.encode(), (self.fence, self.fence)).fetchall()
            direct = PostgresDirect(connection)
            return tuple(
                journal_reads.effect(direct, self._database.sql, (execution_id, due, tries, body, blobs))
                for execution_id, due, tries, body, blobs in rows
            )

    async def _run(self, work: Callable[[Raw], Result], thread: ThreadPoolExecutor | None = None) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread or self._thread, work, self._connection)
        except psycopg.Error as error:
            raise failures.translated(error, self._database.place) from error


def _join(connection: Raw, name: str, lease_us: int) -> int:
    """The fence of a new lease."""
    row = connection.execute(sql.JOIN.encode(), (name, lease_us)).fetchone()
    assert row is not None
    return int(row[0])


def _join_shell(connection: Raw, name: str, lease_us: int) -> int:
    """The fence of the shell's lease, which is there while one of its servers lives and nobody has ended it."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (sql.SHELLS_LOCK,))
        row = connection.execute(sql.SHELL.encode(), (name,)).fetchone()
        if row is None:
            return _join(connection, name, lease_us)
        connection.execute(sql.EXTEND.encode(), (lease_us, [row[0]]))
        return int(row[0])


def stands(connection: Raw, fence: int) -> bool:
    """Whether the server's lease is there, and stays until the transaction ends."""
    return connection.execute(sql.STANDS.encode(), (fence,)).fetchone() is not None


def _hand_over(connection: Raw, fence: int, row: tuple[str, str, str]) -> bool:
    """False: this server's lease has ended."""
    with connection.transaction():
        if not stands(connection, fence):
            return False
        connection.execute(sql.HAND_OVER.encode(), row)
    _wake(connection)
    return True


def _end_expired(connection: Raw, own: set[int]) -> list[tuple[int, str]]:
    """Fence and name of the servers whose leases it ended; never its own: it lives, however slowly."""
    expired = connection.execute(sql.EXPIRED.encode()).fetchall()
    ended = []
    for fence, name in expired:
        if fence in own:
            continue
        try:
            if _end(connection, fence, only_expired=True):
                ended.append((fence, name))
        except errors.LockNotAvailable:
            # Stopped in the midst of a commit, whose connection PostgreSQL soon ends. This server's own lease can't wait.
            log.warning("server.lease_not_ended", server=name, fence=fence)
    return ended


def _end(connection: Raw, fence: int, *, only_expired: bool = False) -> bool:
    """Ends a lease and clears its fence; False: it was extended meanwhile, or ended by somebody else."""
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = {_WAITS_MILLISECONDS}".encode())
        end = sql.END_EXPIRED if only_expired else sql.END
        if connection.execute(end.encode(), (fence,)).rowcount != 1:
            return False
        for statement in sql.CLEAR:
            connection.execute(statement.encode(), (fence,))
    _wake(connection)
    return True


def _wake(connection: Raw) -> None:
    """After the commit: a notification of its own, so that no commit queues for PostgreSQL's lock on notifications."""
    connection.execute(f"NOTIFY {sql.WAKE}".encode())
