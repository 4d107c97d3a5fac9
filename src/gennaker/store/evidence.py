"""Evidence and logs: files under their digest below the data folder, and rows that say whose they are.

A file is whole on the disk before its row is written, so a row never points to nothing; a file without a row (a crash
between the two) is taken over when the same content comes again. Logs are written by whoever makes them; here is only
known which there are.
"""

import asyncio
import hashlib
import os
import re
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import quote

from sqlalchemy import Connection, select

from gennaker.interfaces.evidence import EvidenceItem, LogFile
from gennaker.model import codec
from gennaker.model.problems import Problem, Refused
from gennaker.store import failures, tables
from gennaker.store.transactions import Transactions, inserting

_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})")


class FileEvidence:
    """The evidence of a data folder: `evidence/sha256/<2 digits>/<62 digits>`."""

    def __init__(self, database: Transactions) -> None:
        """Files lie in the database's folder."""
        self._database = database
        self._folder = database.folder / "evidence" / "sha256"

    async def put(self, item: EvidenceItem, content: bytes) -> None:
        """Keeps the file; raises Refused(422) if digest or size isn't the content's.

        Another content under a name that the stage has already (a restart) is kept beside the first.
        """
        await asyncio.to_thread(self._keep, item, content)
        row = {
            "execution_id": item.execution_id,
            "stage_id": item.stage_id,
            "name": item.name,
            "digest": item.digest,
            "at": codec.microseconds(item.at),
            "item": codec.encode(item).decode(),
        }

        def change(connection: Connection) -> None:
            connection.execute(inserting(connection, tables.evidence).values(row).on_conflict_do_nothing())

        await self._database.write(change)

    async def list(self, execution_id: str) -> tuple[EvidenceItem, ...]:
        """All of an execution, in order of time."""

        def look(connection: Connection) -> tuple[EvidenceItem, ...]:
            columns = tables.evidence.c
            query = (
                select(columns.item).where(columns.execution_id == execution_id).order_by(columns.at, columns.number)
            )
            return tuple(codec.decode(text, EvidenceItem) for text in connection.execute(query).scalars())

        return await self._database.read(look)

    async def read(self, digest: str) -> bytes | None:
        """The content; None: unknown. Raises StoreUnusable if the file was damaged or removed."""

        def is_known(connection: Connection) -> bool:
            query = select(tables.evidence.c.number).where(tables.evidence.c.digest == digest).limit(1)
            return connection.execute(query).first() is not None

        if not await self._database.read(is_known):
            return None
        return await asyncio.to_thread(self._content, digest)

    async def holders(self, digest: str) -> tuple[str, ...]:
        """Ids of the executions that have left it; none: unknown."""

        def look(connection: Connection) -> tuple[str, ...]:
            columns = tables.evidence.c
            query = select(columns.execution_id).where(columns.digest == digest).distinct()
            return tuple(sorted(connection.execute(query.order_by(columns.execution_id)).scalars()))

        return await self._database.read(look)

    def _path(self, digest: str) -> Path:
        parts = _DIGEST.fullmatch(digest)
        if parts is None:
            raise _wrong(f"{digest!r} isn't a SHA-256 digest (sha256: and 64 hexadecimal digits).")
        return self._folder / parts[1] / parts[2]

    def _keep(self, item: EvidenceItem, content: bytes) -> None:
        path = self._path(item.digest)
        found = _digest(content)
        if found != item.digest:
            raise _wrong(f"The content of {item.name} has the digest {found}, not {item.digest}.")
        if len(content) != item.size_bytes:
            raise _wrong(f"The content of {item.name} has {len(content)} bytes, not {item.size_bytes}.")
        if path.exists() and _digest(path.read_bytes()) == item.digest:
            return
        try:
            _write(path, content)
        except OSError as error:
            raise failures.translated(error, path) from error

    def _content(self, digest: str) -> bytes:
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise failures.translated(error, path) from error
        if _digest(content) != digest:
            raise failures.damaged_file(path)
        return content


class FileLogs:
    """The logs of a data folder: `logs/<execution>/<stage>/`."""

    def __init__(self, database: Transactions) -> None:
        """Files lie in the database's folder."""
        self._database = database
        self._folder = database.folder / "logs"

    def folder(self, execution_id: str, stage_id: str) -> Path:
        """Where a stage's logs go; exists."""
        folder = self._folder / _file_name(execution_id) / _file_name(stage_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise failures.translated(error, folder) from error
        return folder

    async def register(self, log: LogFile) -> None:
        """Makes a log known; registering the same path for the execution again changes nothing."""
        row = {
            "execution_id": log.execution_id,
            "stage_id": log.stage_id,
            "name": log.name,
            "path": log.path,
            "at": codec.microseconds(log.at),
        }

        def change(connection: Connection) -> None:
            connection.execute(inserting(connection, tables.logs).values(row).on_conflict_do_nothing())

        await self._database.write(change)

    async def list(self, execution_id: str) -> tuple[LogFile, ...]:
        """All of an execution, in order of time."""

        def look(connection: Connection) -> tuple[LogFile, ...]:
            columns = tables.logs.c
            query = (
                select(columns.execution_id, columns.stage_id, columns.name, columns.path, columns.at)
                .where(columns.execution_id == execution_id)
                .order_by(columns.at, columns.number)
            )
            return tuple(
                LogFile(
                    execution_id=row.execution_id,
                    stage_id=row.stage_id,
                    name=row.name,
                    path=row.path,
                    at=codec.from_microseconds(row.at),
                )
                for row in connection.execute(query)
            )

        return await self._database.read(look)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _file_name(name: str) -> str:
    """A name without separators: callers may choose an execution's id. Two ids never give the same name."""
    return quote(name, safe="").replace(".", "%2E") or "%"


def _write(path: Path, content: bytes) -> None:
    """Whole and on the disk, or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as fresh:
        try:
            fresh.write(content)
            fresh.flush()
            os.fsync(fresh.fileno())
            Path(fresh.name).replace(path)
        except BaseException:
            Path(fresh.name).unlink()
            raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _wrong(message: str) -> Refused:
    return Refused(Problem(code="evidence.wrong", message=message), status=422)
