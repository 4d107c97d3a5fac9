"""The shim: starts one child process, outlives the server, and writes down what becomes of the child.

Reached as `python -I -S shim.py FOLDER/run.json` (by `transport/processes.py`) and as `gennaker shim FOLDER/run.json`.
It decides nothing: when to start and to stop is its callers' business. It imports the standard library's smallest
parts only, because one of it stays in memory for every child.

Theory of operation. The process that was called forks and waits; its child, in a session of its own, is the shim.
The shim takes an exclusive lock on the folder, so that of two only one goes on. It forks the child, which waits at a
gate; it writes `process.json` (pids and start times of both) and only then opens the gate: no child ever runs that
isn't written down, wherever anybody is killed. If the shim dies before, the gate's pipe closes and the child exits.
Once `process.json` is there the folder is used up: whoever wants another run takes another folder. The caller
gets its exit status when the child runs (or could not be started); it may be killed at any time.

Where the spec says so the caller hands over secrets on standard input: more of the child's environment, and what is
masked in its output. They are in no file.

Files of the folder: `run.json` (what to run, written by the caller), `lock`, `process.json`, `output.log` (and
`output.log.1` …), `exit.json`, `shim.log` (the shim's own faults, normally empty).

Signals to the shim: TERM or INT forwards TERM (or the spec's own stop signal) to the child's
process group and, when the drain time is over, KILL;
QUIT kills at once. The spec's time limit does as TERM does.

When the child has ended everything that it started and left behind is killed, in whatever group or session it is: the
shim is a "child subreaper" (prctl(2)), so whoever loses its parent becomes the shim's own child. Only own children are
killed, until there are none: the number of a child that nobody has waited for is never given to another process. Where
there is no subreaper (macOS) what is left of the child's group is killed.
"""

# pathlib and contextlib would cost memory in every shim, and starting programs is its trade:
# ruff: noqa: PTH100, PTH104, PTH108, PTH110, PTH118, PTH120, PTH123, PTH208, SIM105, S606

import fcntl
import json
import os
import select
import signal
import sys
import time

SPEC = "run.json"
LOCK = "lock"
RECORD = "process.json"
EXIT = "exit.json"
LOG = "output.log"
SHIM_LOG = "shim.log"

CHILD_UMASK = 0o022
"""The usual one, whatever its starter's: what a build makes must not depend on it."""
_CHUNK = 65536
_MASK = b"****"
_LEFT_OVER_SECONDS = 1.0
"""How long output is still read after the child has ended."""
_LAST_SECONDS = 5.0
"""How long it is tried to end what the child has left behind: of another user, or in the midst of a call to a dead disk."""
_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER."""
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD)


def main(arguments: list[str]) -> int:
    """Starts the shim for a spec; returns when its child is written down and running, or could not be started."""
    path = os.path.abspath(arguments[0])
    with open(path, encoding="utf-8") as file:
        spec = json.load(file)
    masked = []
    if spec.get("has_secrets"):
        secrets = json.load(sys.stdin)
        spec["environment"].update(secrets["environment"])
        masked = secrets["masked"]
    ready, tell = os.pipe()
    if os.fork():
        os.close(tell)
        return 0 if os.read(ready, 1) else 1
    os.close(ready)
    os.setsid()
    folder = os.path.dirname(path)
    _stand_alone(folder)
    if _is_mine(folder):
        _Shim(folder, spec, masked).run(tell)
    else:
        os.write(tell, b"1")
    os._exit(0)


def start_time(pid: int) -> str:
    """When the process was started, in clock ticks since boot (field 22 of its stat); empty: dead or no /proc."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def boot_id() -> str:
    """Tells this run of the machine from others; empty where there is no /proc."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def write_whole(path: str, content: object) -> None:
    """Writes JSON so that readers see all of it or none."""
    fresh = f"{path}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(fresh, path)


def _stand_alone(folder: str) -> None:
    """Lets go of everything that is the caller's: its terminal, its pipes."""
    nothing = os.open(os.devnull, os.O_RDWR)
    own = os.open(os.path.join(folder, SHIM_LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(own, 1)
    os.dup2(own, 2)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def _inherit_orphans() -> bool:
    """Makes descendants that lose their parents this process's own children; False: this system can't."""
    try:
        import ctypes  # noqa: PLC0415 - not every Python has it

        return bool(ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def _own_children() -> list[int]:
    """Of this process, from /proc."""
    own = str(os.getpid())
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _parent(name) == own]


def _parent(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[1]
    except OSError:
        return ""  # it has ended meanwhile, so it wasn't ours


def _is_mine(folder: str) -> bool:
    """Takes the folder's lock and keeps it until this process ends; False if it is taken or used up."""
    lock = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return not any(os.path.exists(os.path.join(folder, name)) for name in (RECORD, EXIT))


class _Output:
    """The child's output in files of bounded size: `output.log` is the newest."""

    def __init__(self, path: str, limit: int, files: int, masked: list[str]) -> None:
        self._masked = sorted((os.fsencode(text) for text in masked), key=len, reverse=True)
        self._held = b""
        self._path = path
        self._limit = limit
        self._files = files
        self._file = self._opened()
        self.lost_bytes = 0

    def write(self, data: bytes) -> None:
        """Appends what can't be the beginning of a secret; the rest waits for what follows it."""
        if not self._masked:
            self._append(data)
            return
        self._held += data
        for secret in self._masked:
            self._held = self._held.replace(secret, _MASK)
        keep = len(self._held) - self._beginning()
        if keep:
            self._append(self._held[:keep])
        self._held = self._held[keep:]

    def finish(self) -> None:
        """Appends what waited: nothing follows any more."""
        if self._held:
            self._append(self._held)
        self._held = b""

    def _beginning(self) -> int:
        """How many bytes at the end are the beginning of a secret."""
        longest = min(len(self._held), len(self._masked[0]) - 1)
        for size in range(longest, 0, -1):
            end = self._held[-size:]
            if any(secret.startswith(end) for secret in self._masked):
                return size
        return 0

    def _append(self, data: bytes) -> None:
        """What a full disk doesn't take is counted: the child must not suffer from it."""
        try:
            if os.fstat(self._file).st_size + len(data) > self._limit:
                self._rotate()
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self.lost_bytes += len(data)

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _rotate(self) -> None:
        for number in range(self._files - 1, 0, -1):
            older = self._path if number == 1 else f"{self._path}.{number - 1}"
            if os.path.exists(older):
                os.rename(older, f"{self._path}.{number}")
        if self._files == 1:
            os.unlink(self._path)
        os.close(self._file)
        self._file = self._opened()


class _Shim:
    """One child from start to end."""

    def __init__(self, folder: str, spec: dict, masked: list[str]) -> None:  # type: ignore[type-arg]  # plain JSON
        self._folder = folder
        self._spec = spec
        self._output = _Output(os.path.join(folder, LOG), spec["log_bytes"], spec["log_files"], masked)
        self._reason = "exited"
        self._child = 0
        self._kill_at: float | None = None
        self._inherits = _inherit_orphans()
        limit = spec.get("timeout_seconds")
        self._limit_at = None if limit is None else time.monotonic() + limit

    def run(self, tell: int) -> None:
        """Starts the child, tells the caller, and stays until the child has ended."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        for number in _HANDLED:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        output, problem = self._start()
        if problem:
            os.waitpid(self._child, 0)
            self._end(None, None, "unstartable", problem)
            os.write(tell, b"1")
            return
        try:
            os.write(tell, b"1")
        except BrokenPipeError:
            pass  # The caller was killed meanwhile; it will find the record.
        os.close(tell)
        status = self._watch(woken, output)
        self._end_rest()
        self._read_rest(output)
        if os.WIFSIGNALED(status):
            self._end(None, os.WTERMSIG(status), self._reason, "")
        else:
            self._end(os.WEXITSTATUS(status), None, self._reason, "")

    def _start(self) -> tuple[int, str]:
        """Returns the end of the output pipe to read from, and what went wrong."""
        output, to_output = os.pipe()
        gate, open_gate = os.pipe()
        failed, to_failed = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(open_gate)
            self._become(gate, to_output, to_failed)
        for end in (to_output, gate, to_failed):
            os.close(end)
        record = {
            "boot": boot_id(),
            "shim": {"pid": os.getpid(), "start": start_time(os.getpid())},
            "child": {"pid": self._child, "start": start_time(self._child)},
        }
        write_whole(os.path.join(self._folder, RECORD), record)
        os.write(open_gate, b"g")
        os.close(open_gate)
        problem = os.read(failed, _CHUNK).decode(errors="replace")
        os.close(failed)
        return output, problem

    def _become(self, gate: int, output: int, failed: int) -> None:
        """Never returns: this process becomes the child, unless the shim dies before it has opened the gate."""
        try:
            os.setsid()
            if os.read(gate, 1) != b"g":
                os._exit(127)
            os.dup2(output, 1)
            os.dup2(output, 2)
            signal.set_wakeup_fd(-1)
            for number in (*_HANDLED, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            environment = self._spec["environment"]
            os.umask(CHILD_UMASK)
            os.chdir(self._spec["working_folder"])
            os.execvpe(self._spec["argv"][0], self._spec["argv"], environment)
        except OSError as error:
            where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
            os.write(failed, f"{error.strerror}{where}".encode())
        finally:
            os._exit(126)

    def _watch(self, woken: int, output: int) -> int:
        """Copies output and obeys signals and limits until the child has ended; returns its wait status."""
        sources = [woken, output]
        while True:
            readable, _, _ = select.select(sources, (), (), self._seconds_left())
            if output in readable:
                data = os.read(output, _CHUNK)
                if data:
                    self._output.write(data)
                else:
                    sources.remove(output)
            if woken in readable:
                self._obey(os.read(woken, 512))
            self._enforce_limits()
            status = self._reaped()
            if status is not None:
                return status

    def _reaped(self) -> int | None:
        """The child's wait status if it has ended. Others that have ended, inherited ones, are taken note of."""
        found = None
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return found
                if pid == self._child:
                    found = status
        except ChildProcessError:
            return found  # there is no child at all any more

    def _end_rest(self) -> None:
        """Ends what the child has left behind."""
        if not self._inherits:
            self._signal_group(signal.SIGKILL)
            return
        until = time.monotonic() + _LAST_SECONDS
        while self._kill_children():
            if time.monotonic() > until:
                print("could not end", *_own_children(), file=sys.stderr, flush=True)  # noqa: T201 - its log
                return
            time.sleep(0.005)

    def _kill_children(self) -> bool:
        """Whether there were any: when they are dead their own children have become ours."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return False
        for pid in _own_children():
            try:
                os.kill(pid, signal.SIGKILL)
            except PermissionError:
                pass  # another user's by now (sudo)
        return True

    def _obey(self, signals: bytes) -> None:
        if signal.SIGQUIT in signals:
            self._reason = "stopped"
            self._signal_group(signal.SIGKILL)
        elif (signal.SIGTERM in signals or signal.SIGINT in signals) and self._kill_at is None:
            self._stop("stopped")

    def _stop(self, reason: str) -> None:
        self._reason = reason
        self._limit_at = None
        self._kill_at = time.monotonic() + self._spec["drain_seconds"]
        self._signal_group(self._spec["stop_signal"])

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        if self._limit_at is not None and now >= self._limit_at:
            self._stop("timeout")
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = float("inf")
            self._signal_group(signal.SIGKILL)

    def _seconds_left(self) -> float | None:
        ends = [at for at in (self._limit_at, self._kill_at) if at not in (None, float("inf"))]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self._child, number)
        except (ProcessLookupError, PermissionError):
            pass  # Nobody is left, or only zombies are (macOS refuses those).

    def _read_rest(self, output: int) -> None:
        """What is still in the pipe; who could not be ended may hold it open, hence the limit."""
        until = time.monotonic() + _LEFT_OVER_SECONDS
        while select.select([output], (), (), max(0.0, until - time.monotonic()))[0]:
            data = os.read(output, _CHUNK)
            if not data:
                return
            self._output.write(data)

    def _end(self, status: int | None, number: int | None, reason: str, message: str) -> None:
        end = {"status": status, "signal": number, "reason": reason, "message": message}
        self._output.finish()
        end["lost_bytes"] = self._output.lost_bytes
        write_whole(os.path.join(self._folder, EXIT), end)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
