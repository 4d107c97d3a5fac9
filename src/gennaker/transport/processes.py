"""Processes that outlive the server: starting, finding again, stopping, sweeping.

One folder is one run of one program, below the root of a `Processes`; `transport/shim.py` does the work in it. The
folder's name is the key: starting it twice, also after a kill at any point in between, starts one child. Nothing
here restarts anything: whoever wants that starts another folder.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from gennaker.model.codec import decode
from gennaker.transport import shim

Kind = TypeVar("Kind", bound=msgspec.Struct)

_INHERITED = ("PATH", "HOME", "LANG")
_START_TIMEOUT_SECONDS = 30.0
_RECORD_TIMEOUT_SECONDS = 10.0
_SHORTEST_POLL_SECONDS = 0.01
_LONGEST_POLL_SECONDS = 0.2
_NOT_SEARCHED = frozenset({"images", "files", "rootfs", "blobs"})
"""Folders of a data folder that hold others' files, never runs."""


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to run."""

    argv: tuple[str, ...]
    """A program without a slash is looked for in the PATH of `environment`."""
    working_folder: str
    environment: dict[str, str] = {}
    """Everything the child gets, but for PATH, HOME and LANG, which are the server's unless given here."""
    has_secrets: bool = False
    """It is started with secrets, which no file has."""
    stop_signal: int = signal.SIGTERM
    """Asks the child to end."""
    drain_seconds: float = 10.0
    """From the stop signal to KILL."""
    timeout_seconds: float | None = None
    """Stopped after this time; None: may run for ever."""
    log_bytes: int = 10_000_000
    """Size at which a log file is rotated."""
    log_files: int = 3


class ChildSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What a child gets and no file has: it goes to the shim through a pipe."""

    environment: dict[str, str] = {}
    masked: tuple[str, ...] = ()
    """Texts that become `****` in the child's output."""


class ProcessState(StrEnum):
    """Where a run is."""

    UNSTARTED = "unstarted"
    """Its folder has a spec, but nothing has run: start it again."""
    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"
    """It ran, but how it ended is unknown: the machine was restarted or the shim was killed."""


class EndReason(StrEnum):
    """Why a run has ended."""

    EXITED = "exited"
    STOPPED = "stopped"
    TIMEOUT = "timeout"
    UNSTARTABLE = "unstartable"
    GONE = "gone"


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is now."""

    name: str
    state: ProcessState
    pid: int | None = None
    """The child's while it runs."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_status: int | None = None
    signal: int | None = None
    """The signal that ended it."""
    reason: EndReason | None = None
    message: str = ""
    """Why it could not be started."""
    complaint: str = ""
    """What whoever runs it finds wrong, in words: its health check's failure, its lack of memory."""
    lost_log_bytes: int = 0
    """Output that the disk didn't take."""

    @property
    def is_final(self) -> bool:
        """Nothing runs any more and nothing will."""
        return self.state in (ProcessState.ENDED, ProcessState.GONE)

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        match self.reason:
            case None:
                return "is running" if self.state is ProcessState.RUNNING else "has not been started"
            case EndReason.UNSTARTABLE:
                return f"could not be started: {self.message}"
            case EndReason.TIMEOUT:
                return "was stopped at its time limit"
            case EndReason.GONE:
                return "disappeared without an exit status"
            case EndReason.STOPPED | EndReason.EXITED if self.signal is not None:
                return f"was ended by {signal.Signals(self.signal).name}"
            case _:
                return f"exited with status {self.exit_status}"


class UnstartableShim(Exception):
    """The shim itself could not be started; the text says why."""


class _Identity(msgspec.Struct, frozen=True):
    pid: int
    start: str


class _Record(msgspec.Struct, frozen=True):
    boot: str
    shim: _Identity
    child: _Identity


class _End(msgspec.Struct, frozen=True):
    status: int | None
    signal: int | None
    reason: EndReason
    message: str
    lost_bytes: int = 0


def host_path() -> str:
    """Where this machine's programs are looked for: the server's own PATH."""
    return os.environ.get("PATH", os.defpath)


class Processes:
    """The runs below one folder. Any number of these may look at the same folder."""

    def __init__(self, root: Path) -> None:
        """`root` is made when something is started."""
        self._root = root

    def folder(self, name: str) -> Path:
        """Where a run's files are: `output.log` and the others."""
        return self._root / name

    def log(self, name: str) -> Path:
        """The newest of a run's log files."""
        return self._root / name / shim.LOG

    async def start(self, name: str, spec: ProcessSpec, *, secrets: ChildSecrets | None = None) -> ProcessStatus:
        """Starts the run unless it was started before. Returns when it runs or has ended. Raises UnstartableShim.

        A folder that was started keeps the spec of its first start. `secrets` are for a spec that has some.
        """
        return await asyncio.to_thread(self._start, name, spec, secrets or ChildSecrets())

    async def status(self, name: str) -> ProcessStatus | None:
        """The run as it is now; None: there is no such folder."""
        return await asyncio.to_thread(self._status, name)

    async def statuses(self, names: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        """Many at once."""
        return await asyncio.to_thread(lambda: {name: self._status(name) for name in names})

    async def adopt(self, name: str) -> ProcessStatus | None:
        """The run as it is now; of one that is gone everything left is killed, and that it is gone is written down."""
        return await asyncio.to_thread(self._adopt, name)

    async def stop(self, name: str, *, is_immediate: bool = False) -> None:
        """Tells the run to end (TERM, then KILL after its drain time; at once if immediate). Doesn't wait for it."""
        await asyncio.to_thread(self._stop, name, signal.SIGQUIT if is_immediate else signal.SIGTERM)

    async def wait(self, name: str, timeout: timedelta) -> ProcessStatus | None:
        """Returns when the run has ended, or with its status when the time is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout.total_seconds()
        pause = _SHORTEST_POLL_SECONDS
        while True:
            status = await self.adopt(name)
            if status is None or status.state is not ProcessState.RUNNING or loop.time() >= until:
                return status
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)

    async def remove(self, name: str) -> None:
        """Removes the folder of a run that has ended (one that still runs is killed first)."""
        await self.stop(name, is_immediate=True)
        await self.wait(name, timedelta(seconds=10))
        await asyncio.to_thread(shutil.rmtree, self._root / name, ignore_errors=True)

    async def list(self, prefix: str = "") -> tuple[ProcessStatus, ...]:
        """All runs whose names begin so, by name."""
        return await asyncio.to_thread(self._list, prefix)

    async def sweep(self) -> tuple[ProcessStatus, ...]:
        """Adopts everything: what is gone is cleaned up and written down. Returns all runs."""
        found = await self.list()
        adopted = [await self.adopt(status.name) for status in found]
        return tuple(status for status in adopted if status is not None)

    async def stop_all(self, timeout: timedelta = timedelta(seconds=60)) -> tuple[ProcessStatus, ...]:
        """Stops everything that runs, all at the same time; what hasn't ended in time is killed. Returns what ran."""
        running = [status.name for status in await self.sweep() if status.state is ProcessState.RUNNING]
        for name in running:
            await self.stop(name)
        for name in running:
            status = await self.wait(name, timeout)
            if status is not None and status.state is ProcessState.RUNNING:
                await self.stop(name, is_immediate=True)
                await self.wait(name, timedelta(seconds=10))
        return tuple((await self.statuses(tuple(running))).values())  # type: ignore[arg-type]  # folders stay

    async def tail(self, name: str, lines: int = 200, limit_bytes: int = 200_000) -> str:
        """The last lines of the run's output."""
        return await asyncio.to_thread(_tail, self.log(name), lines, limit_bytes)

    def _start(self, name: str, spec: ProcessSpec, secrets: ChildSecrets) -> ProcessStatus:
        folder = self._root / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        path = folder / shim.SPEC
        if not path.exists():
            full = msgspec.structs.replace(spec, environment={**inherited, **spec.environment})
            _write_new(path, msgspec.json.encode(full))
        status = self._status(name)
        assert status is not None
        if status.state is not ProcessState.UNSTARTED:
            return status
        command = [sys.executable, "-I", "-S", "-X", "frozen_modules=on", shim.__file__, str(path)]
        try:
            done = subprocess.run(
                command,
                env=inherited,
                cwd=folder,
                input=msgspec.json.encode(secrets),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_START_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnstartableShim(f"The shim of {folder} could not be started: {error}") from error
        if done.returncode != 0:
            own = _tail(folder / shim.SHIM_LOG, 5, 5000)
            said = done.stderr.decode(errors="replace").strip() or own
            raise UnstartableShim(f"The shim of {folder} ended before it had started anything: {said}")
        return self._recorded(name)

    def _recorded(self, name: str) -> ProcessStatus:
        """Waits for the record: another shim may have been faster and be about to write it."""
        never = threading.Event()
        waited = 0.0
        while True:
            status = self._status(name)
            assert status is not None
            if status.state is not ProcessState.UNSTARTED:
                return status
            if waited >= _RECORD_TIMEOUT_SECONDS:
                raise UnstartableShim(f"The shim of {self._root / name} wrote no record.")
            never.wait(_SHORTEST_POLL_SECONDS)
            waited += _SHORTEST_POLL_SECONDS

    def _status(self, name: str) -> ProcessStatus | None:
        folder = self._root / name
        if not (folder / shim.SPEC).exists():
            return None
        record = _read(folder / shim.RECORD, _Record)
        # Whether the shim lives is asked before its last words are looked for: it may end in between.
        is_alive = record is not None and _is_alive(record.shim, record.boot)
        end = _read(folder / shim.EXIT, _End)
        started_at = _modified(folder / shim.RECORD)
        if end is not None:
            is_gone = end.reason is EndReason.GONE
            return ProcessStatus(
                name=name,
                state=ProcessState.GONE if is_gone else ProcessState.ENDED,
                started_at=started_at,
                ended_at=_modified(folder / shim.EXIT),
                exit_status=end.status,
                signal=end.signal,
                reason=end.reason,
                message=end.message,
                lost_log_bytes=end.lost_bytes,
            )
        if record is None:
            return ProcessStatus(name=name, state=ProcessState.UNSTARTED)
        if is_alive:
            return ProcessStatus(name=name, state=ProcessState.RUNNING, pid=record.child.pid, started_at=started_at)
        return ProcessStatus(name=name, state=ProcessState.GONE, started_at=started_at, reason=EndReason.GONE)

    def _adopt(self, name: str) -> ProcessStatus | None:
        status = self._status(name)
        if status is None or status.state is not ProcessState.GONE or status.ended_at is not None:
            return status
        folder = self._root / name
        record = _read(folder / shim.RECORD, _Record)
        if record is not None and _is_alive(record.child, record.boot):
            with suppress(ProcessLookupError):
                os.killpg(record.child.pid, signal.SIGKILL)
        gone = _End(status=None, signal=None, reason=EndReason.GONE, message="")
        shim.write_whole(str(folder / shim.EXIT), msgspec.to_builtins(gone))
        return self._status(name)

    def _stop(self, name: str, number: signal.Signals) -> None:
        record = _read(self._root / name / shim.RECORD, _Record)
        if record is None or not _is_alive(record.shim, record.boot):
            return
        with suppress(ProcessLookupError):
            os.kill(record.shim.pid, number)

    def _list(self, prefix: str) -> tuple[ProcessStatus, ...]:
        names = sorted(name for name in _runs(self._root) if name.startswith(prefix))
        found = (self._status(name) for name in names)
        return tuple(status for status in found if status is not None)


def _runs(root: Path) -> Iterator[str]:
    for path, folders, files in os.walk(root):
        if shim.SPEC in files:
            folders.clear()
            yield str(Path(path).relative_to(root))
        else:
            folders[:] = [folder for folder in folders if folder not in _NOT_SEARCHED]


def _is_alive(identity: _Identity, boot: str) -> bool:
    """The same process, not another that got its number."""
    if boot != shim.boot_id():
        return False
    if identity.start:
        return shim.start_time(identity.pid) == identity.start
    if boot:
        return False  # It was dead already when it was written down.
    try:
        os.kill(identity.pid, 0)  # No /proc (macOS): the number is all there is.
    except ProcessLookupError:
        return False
    return True


def _read(path: Path, kind: type[Kind]) -> Kind | None:
    try:
        return decode(path.read_bytes(), kind)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError:
        return None  # Cut off by a crash of the machine: as good as not written.


def _write_new(path: Path, content: bytes) -> None:
    """Of two writers the first wins; readers never see a part."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    fresh.write_bytes(content)
    with suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()


def _modified(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _tail(path: Path, lines: int, limit_bytes: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - limit_bytes))
            text = file.read(limit_bytes).decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
