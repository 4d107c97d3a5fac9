"""The data folder: its lock, its token and the file that says where the server is."""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from gennaker.model.problems import Problem, Refused
from gennaker.model.server_file import ServerFile
from gennaker.transport import shim
from gennaker.transport.permissions import open_private

_ANNOUNCEMENT = "server.json"
_PROCESS_ID = re.compile(rb"[1-9][0-9]{0,8}")


class DataFolder:
    """One server's folder, held by a lock as long as the server lives (the kernel releases it if it is killed).

    The folder itself is locked, beside the file that says by whom: people remove lock files that seem to be left over, and two
    servers on one database would do everything twice. The file is locked first and given back last, so that where the folder alone is
    locked it is by somebody else, or by a server whose file was removed.
    """

    def __init__(self, path: Path) -> None:
        """Makes the folder, readable by its owner only, and takes the lock. Raises Refused."""
        self.path = path
        self.lacks = ""
        """Why the folder itself can't be locked: network file systems lock files, but no folders."""
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise Refused(_unusable(path, error)) from error
        try:
            self._lock = self._held()
        except BaseException:
            os.close(self._folder)
            raise

    def _held(self) -> IO[str]:
        """The lock file, with this process's id in it. Raises Refused."""
        path = self.path
        try:
            lock: IO[str] = open(path / "gennaker.lock", "a+", opener=open_private)  # noqa: SIM115 - as long as the server
        except OSError as error:
            raise Refused(_unusable(path, error)) from error
        try:
            if _is_locked(lock.fileno(), fcntl.LOCK_EX):
                problem = _in_use(path, _written(path) or _announced(path))
            else:
                lock.truncate(0)  # at once: what it says is believed while it is locked
                if not self._is_folder_locked():
                    lock.write(f"{os.getpid()}\n{process_of(os.getpid())}\n")
                    lock.flush()
                    return lock
                pid = _announced(path)
                problem = _locked(path) if pid is None else _in_use(path, pid)
        except OSError as error:
            with contextlib.suppress(OSError):  # what couldn't be written is tried once more by closing
                lock.close()
            raise Refused(_unusable(path, error)) from error
        lock.close()
        raise Refused(problem, status=409)

    def _is_folder_locked(self) -> bool:
        try:
            return _is_locked(self._folder, fcntl.LOCK_EX)
        except OSError as error:
            self.lacks = error.strerror or str(error)
            return False

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
        known = msgspec.structs.replace(server, process=process_of(server.pid))
        self._write(self.path / _ANNOUNCEMENT, msgspec.json.encode(known).decode())

    def close(self) -> None:
        """Takes the announcement away and gives the lock back."""
        (self.path / _ANNOUNCEMENT).unlink(missing_ok=True)
        os.close(self._folder)
        self._lock.truncate(0)
        self._lock.close()

    def _write(self, file: Path, content: str) -> None:
        try:
            write_private(file, content)
        except OSError as error:
            raise Refused(_unusable(self.path, error)) from error


def holder(path: Path) -> int | None:
    """Process id of the server that holds a data folder; None: nobody does. Raises Refused where somebody does who can't be named.

    The locks know: a process id that was written down may long be another process's.
    """
    with _usable(path):
        if _is_held(path / "gennaker.lock"):
            pid = _written(path) or _announced(path)
            problem = _nameless(path)
        elif _is_held(path):
            pid = _announced(path)
            problem = _locked(path)
        else:
            return None
    if pid is None:
        raise Refused(problem, status=409)
    return pid


def is_served(path: Path) -> bool:
    """Whether a server holds a data folder, whichever. Raises Refused where that can't be found out."""
    with _usable(path):
        return _is_held(path / "gennaker.lock") or (_is_held(path) and _announced(path) is not None)


def announced(path: Path) -> ServerFile | None:
    """What the last server that got ready has said of itself, whether it still runs or not. Raises Refused where that can't be read."""
    with _usable(path):
        try:
            return announcement(path)
        except (FileNotFoundError, ValueError):
            return None


def announcement(path: Path) -> ServerFile:
    """As `announced`. Raises FileNotFoundError where there is none; OSError and ValueError where it can't be read."""
    return msgspec.json.decode((path / _ANNOUNCEMENT).read_bytes(), type=ServerFile)


def process_of(pid: int) -> str:
    """Tells a process from all others, later ones of the same id included; empty: it is gone, or this machine has no /proc."""
    started = shim.start_time(pid)
    return f"{shim.boot_id()} {started}" if started else ""


@contextlib.contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(_unusable(path, error)) from error


def _is_held(path: Path) -> bool:
    try:
        opened = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return _is_locked(opened, fcntl.LOCK_SH)
    except OSError:
        if path.is_dir():  # where folders can't be locked nobody has locked one
            return False
        raise
    finally:
        os.close(opened)


def _is_locked(opened: int, kind: int) -> bool:
    """Whether another server holds it; else whoever asks does from now on."""
    try:
        fcntl.flock(opened, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _written(path: Path) -> int | None:
    """Whom the lock file names; to be believed while it is locked, and of this machine's processes: a container has its own ids."""
    try:
        pid, _, process = (path / "gennaker.lock").read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if not _PROCESS_ID.fullmatch(pid):
        return None
    known = process.strip().decode(errors="replace")  # an older release writes the id alone
    return int(pid) if known in ("", process_of(int(pid))) else None


def _announced(path: Path) -> int | None:
    """Whom the announcement names, if that process still runs."""
    server = announced(path)
    return server.pid if server and server.process and server.process == process_of(server.pid) else None


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


def _in_use(path: Path, pid: int | None) -> Problem:
    return Problem(
        code="data.in_use",
        message=f"Gennaker is already running (pid {pid or 'unknown'}) on {path}.",
        remedy="Use that one, stop it with `gennaker stop`, or name another folder with --data.",
    )


def _nameless(path: Path) -> Problem:
    lock = path / "gennaker.lock"
    return Problem(
        code="data.nameless",
        message=f"A server holds {path}, but {lock} doesn't say which process it is.",
        remedy=f"It may just begin or end: try again. Does it run in a container, stop that; else `fuser -v {lock}` finds the process.",
    )


def _locked(path: Path) -> Problem:
    return Problem(
        code="data.locked",
        message=f"No server is known to run on {path}, but somebody else has locked it: a backup, say.",
        remedy=f"Wait until that has ended (`fuser -v {path}` names it), then try again.",
    )
