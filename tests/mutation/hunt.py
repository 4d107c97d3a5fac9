"""The hunt: which faults in the engine room its tests notice.

    python -m tests.mutation.hunt                    all of the room, 2 processes
    python -m tests.mutation.hunt admit rollup       some modules

The tests run once, and which lines each of them reaches is noted. Then for each mutant a copy of this process is made, the
fault put into its functions, and the tests that reach the line are run, quick ones first, until one fails. What no test
fails for survives: docs/mutation.md lists those with the reason. Exit status 1: one survives that isn't listed, or fewer
than 90 % are killed.
"""

import importlib
import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import msgspec
import pytest
from _pytest.runner import runtestprotocol
from tests.mutation import mutants
from tests.mutation.mutants import Mutant

ROOT = Path(__file__).resolve().parents[2]
LISTED = ROOT / "docs" / "mutation.md"
ROOM = (
    *("admit", "advance", "commands", "draft", "failures", "finishing", "graph", "keys", "lifecycle", "limits"),
    *("moves", "notifying", "restarts", "rollup", "starting", "synthetics", "tasks", "timing"),
)
TESTS = (
    *(f"tests/unit/engine/test_{name}.py" for name in ROOM if name not in ("failures", "moves")),
    "tests/unit/engine/test_replay.py",
    "tests/property/test_walks.py",
    "tests/golden/test_walks.py",
    "tests/golden/test_journals.py",
    "tests/golden/test_orca_runs.py",
)
WALKS = ROOT / "tests" / "golden" / "test_walks.py"
_KILLED_AT_LEAST = 0.9
_TIMES = 3
_SECONDS_MORE = 10
"""A mutant that needs as much more of a processor than its tests without any fault, noted line by line, never ends."""
_IDLE_SECONDS = 600
"""Nor does one that waits so long."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one mutant."""

    module: str
    mutant: Mutant
    is_killed: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.mutant}"


class Hunt:
    """A plugin of pytest that runs the tests in its own way."""

    def __init__(self, modules: tuple[str, ...], processes: int) -> None:
        self.found: list[Found] = []
        self._modules = modules
        self._processes = processes
        self._reached: dict[tuple[str, int], set[int]] = defaultdict(set)
        """By file and line, the places of the tests that reach it."""
        self._costs: dict[int, tuple[bool, float]] = {}
        """The walks, which notice most, cost least; then the processor's seconds that a test takes."""
        self._running: dict[int, tuple[str, Mutant]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own."""
        loaded = {name: importlib.import_module(f"gennaker.engine.{name}") for name in self._modules}
        for place, item in enumerate(session.items):
            self._trace(place, item, {str(module.__file__) for module in loaded.values()})
        for name, module in loaded.items():
            print(f"hunting {name}", flush=True)  # noqa: T201 - a command
            file = str(module.__file__)
            for mutant in (mutants.without_fault(Path(file)), *mutants.of(Path(file).read_text(), file)):
                while len(self._running) >= self._processes:
                    self._wait()
                self._fork(session, name, module, mutant)
        while self._running:
            self._wait()
        return True

    def _trace(self, place: int, item: pytest.Item, files: set[str]) -> None:
        reached = self._reached

        def trace(frame: FrameType, _: str, __: Any) -> Any:
            file = frame.f_code.co_filename
            if file not in files:
                return None
            reached[file, frame.f_lineno].add(place)
            return trace

        began = time.process_time()
        sys.settrace(trace)
        try:
            reports = runtestprotocol(item, nextitem=None, log=False)
        finally:
            sys.settrace(None)
        self._costs[place] = (item.path != WALKS, time.process_time() - began)
        assert all(report.passed for report in reports), f"{item.nodeid} fails without any fault"

    def _tests(self, file: str, line: int) -> list[int]:
        """The walks and quick ones first; of a line that is reached by none (a table's): all that reach its module."""
        found = self._reached.get((file, line))
        if not found:
            found = {place for (one, _), places in self._reached.items() if one == file for place in places}
        return sorted(found, key=lambda place: self._costs[place])

    def _fork(self, session: pytest.Session, name: str, module: ModuleType, mutant: Mutant) -> None:
        pid = os.fork()
        if pid:
            self._running[pid] = (name, mutant)
            return
        status = 1
        try:
            tests = self._tests(str(module.__file__), mutant.line)
            signal.setitimer(signal.ITIMER_PROF, _TIMES * sum(self._costs[one][1] for one in tests) + _SECONDS_MORE)
            signal.alarm(_IDLE_SECONDS)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.dup2(nowhere, sys.stderr.fileno())
            put(mutant.code, module)
            status = int(any(self._fails(session.items[one]) for one in tests))
        finally:
            os._exit(status)

    @staticmethod
    def _fails(item: pytest.Item) -> bool:
        return not all(report.passed for report in runtestprotocol(item, nextitem=None, log=False))

    def _wait(self) -> None:
        pid, status = os.wait()
        name, mutant = self._running.pop(pid)
        if mutant.what == mutants.NO_FAULT:
            assert status == 0, f"{name} is killed without any fault: the hunt itself is broken"
            return
        found = Found(module=name, mutant=mutant, is_killed=status != 0)
        self.found.append(found)
        if not found.is_killed:
            print(f"survives: {found}", flush=True)  # noqa: T201 - a command


def put(code: CodeType, module: ModuleType) -> None:
    """Puts the faulty module's code into the functions of the real one, which others have hold of."""
    faulty = dict(vars(module))
    exec(code, faulty)  # noqa: S102 - it is the module's own source but for one place
    for name, value in list(vars(module).items()):
        new = faulty.get(name)
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            _replace(value, new)
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for own, method in list(vars(value).items()):
                changed = vars(new).get(own)
                if isinstance(method, FunctionType):
                    _replace(method, changed)
                elif isinstance(method, property):
                    _replace(method.fget, getattr(changed, "fget", None))
        elif new is not value and not isinstance(value, type | ModuleType):
            for other in [one for key, one in sys.modules.items() if key.startswith("gennaker.engine")]:
                if vars(other).get(name) is value:
                    setattr(other, name, new)


def _replace(old: Any, new: Any) -> None:
    old.__code__ = new.__code__
    old.__defaults__ = new.__defaults__
    old.__kwdefaults__ = new.__kwdefaults__


def main() -> int:
    """The command."""
    modules = tuple(sys.argv[1:]) or ROOM
    hunt = Hunt(modules, processes=2)
    arguments = [
        "--assert=plain",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "-q",
        "--no-header",
        *(str(ROOT / one) for one in TESTS),
    ]
    if pytest.main(arguments, plugins=[hunt]) != pytest.ExitCode.OK:
        return 1
    survivors = [one for one in hunt.found if not one.is_killed]
    listed = LISTED.read_text() if LISTED.exists() else ""
    new = [one for one in survivors if f"`{one.module}` {one.mutant.what}: `{one.mutant.before}`" not in listed]
    for name in modules:
        of_module = [one for one in hunt.found if one.module == name]
        killed = sum(one.is_killed for one in of_module)
        print(f"{name}: {killed} of {len(of_module)} killed")  # noqa: T201 - a command
    killed = len(hunt.found) - len(survivors)
    print(f"{killed} of {len(hunt.found)} mutants killed, {killed / len(hunt.found):.1%}; {len(new)} survive unlisted:")  # noqa: T201 - as above
    print(*new, sep="\n")  # noqa: T201 - as above
    return 1 if new or killed < _KILLED_AT_LEAST * len(hunt.found) else 0


if __name__ == "__main__":
    sys.exit(main())
