"""The data folder: its lock, its token and the file that says where the server is."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO

import msgspec

from gennaker.model.problems import Problem, Refused
from gennaker.model.server_file import ServerFile
from gennaker.transport.permissions import open_private


class DataFolder:
    """One server's folder, held by a lock as long as the server lives (the kernel releases it if it is killed)."""

    def __init__(self, path: Path) -> None:
        """Makes the folder, readable by its owner only, and takes the lock. Raises Refused."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock: IO[str] = open(path / "gennaker.lock", "a+", opener=open_private)  # noqa: SIM115 - as long as the server
        except OSError as error:
            raise Refused(_unusable(path, error)) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.seek(0)
            pid = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise Refused(_in_use(path, pid), status=409) from error
        try:
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(f"{os.getpid()}\n")
            self._lock.flush()
        except OSError as error:
            with contextlib.suppress(OSError):  # what couldn't be written is tried once more by closing
                self._lock.close()
            raise Refused(_unusable(path, error)) from error

    def token(self, new: str) -> str:
        """The token of the command line: the one on disk, or `new`, which is then kept in a 0600 file."""
        file = self.path / "token"
        try:
            if kept := file.read_text().strip():
                return kept
        except FileNotFoundError:
            pass
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(_unreadable(file, str(error))) from error
        self._write(file, new)
        return new

    def announce(self, server: ServerFile) -> None:
        """Tells commands where the server is."""
        self._write(self.path / "server.json", msgspec.json.encode(server).decode())

    def close(self) -> None:
        """Takes the announcement away and gives the lock back."""
        (self.path / "server.json").unlink(missing_ok=True)
        self._lock.close()

    def _write(self, file: Path, content: str) -> None:
        try:
            write_private(file, content)
        except OSError as error:
            raise Refused(_unusable(self.path, error)) from error


def holder(path: Path) -> int | None:
    """Process id of the server that holds a data folder; None: nobody does.

    The lock knows: a process id that was written down may long be another process's.
    """
    try:
        lock = (path / "gennaker.lock").open()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(_unusable(path, error)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            found = lock.read().strip()
            return int(found) if found.isdigit() else None
        return None


def write_private(file: Path, content: str) -> None:
    """Writes a 0600 file so that readers see the old or the new content, never a part."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with open(fresh, "w", opener=open_private) as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)


def _unusable(path: Path, error: OSError) -> Problem:
    return Problem(
        code="data.unusable",
        message=f"The data folder {path} can't be used: {error.strerror}.",
        remedy="Give its owner write permission and free space, or name another folder with --data.",
    )


def _unreadable(file: Path, reason: str) -> Problem:
    return Problem(
        code="data.token",
        message=f"The token {file} can't be read: {reason}.",
        remedy="Make it readable for the user who starts the server, or remove it: a new one is made.",
    )


def _in_use(path: Path, pid: str) -> Problem:
    return Problem(
        code="data.in_use",
        message=f"Gennaker is already running (pid {pid}) on {path}.",
        remedy="Use that one, stop it with `gennaker stop`, or name another folder with --data.",
    )
