"""Processes that outlive the server."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import msgspec
import psutil
import pytest
from tests import waiting

from gennaker.transport import shim
from gennaker.transport.permissions import private_files
from gennaker.transport.processes import EndReason, Processes, ProcessSpec, ProcessState, ProcessStatus

pytestmark = pytest.mark.slow
SOON = timedelta(minutes=10)
DRAINED = timedelta(seconds=10)


def shell(line: str, working_folder: str = "/", **fields: object) -> ProcessSpec:
    return ProcessSpec(argv=("sh", "-c", line), working_folder=working_folder, **fields)  # type: ignore[arg-type]  # its fields


def ended(folder: Path, spec: ProcessSpec, name: str = "run") -> ProcessStatus:
    async def story() -> ProcessStatus | None:
        processes = Processes(folder)
        await processes.start(name, spec)
        return await processes.wait(name, SOON)

    status = asyncio.run(story())
    assert status is not None
    return status


def record(folder: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = json.loads((folder / "process.json").read_text())
    return found


def ends_soon(pid: int) -> bool:
    """Whether the process is dead, if only as a zombie that nobody has asked about, after a while."""
    limit = time.monotonic() + SOON.total_seconds()
    while shim.start_time(pid) and time.monotonic() < limit:
        os.sched_yield()
    return not shim.start_time(pid)


def test_output_and_exit_status_are_kept(tmp_path: Path) -> None:
    status = ended(tmp_path, shell("echo out; echo err >&2; exit 3"))

    assert (status.state, status.reason, status.exit_status) == (ProcessState.ENDED, EndReason.EXITED, 3)
    assert (tmp_path / "run" / "output.log").read_text() == "out\nerr\n"


def test_a_child_writes_as_on_any_machine_and_the_shim_for_its_owner_alone(tmp_path: Path) -> None:
    with private_files():
        ended(tmp_path, shell("umask; echo x > made; mkdir folder", working_folder=str(tmp_path)))

    assert (tmp_path / "run" / "output.log").read_text() == "0022\n"
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("made", "folder")] == [0o644, 0o755]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "run").iterdir()} == {0o600}


def test_the_end_by_a_signal_is_told_from_an_exit(tmp_path: Path) -> None:
    status = ended(tmp_path, shell("kill -9 $$"))

    assert (status.exit_status, status.signal, status.ending) == (None, 9, "was ended by SIGKILL")


def test_starting_many_times_at_once_starts_one_child(tmp_path: Path) -> None:
    async def story() -> set[int | None]:
        processes = Processes(tmp_path)
        spec = shell("echo started; sleep 60")
        found = await asyncio.gather(*(processes.start("run", spec) for _ in range(6)))
        await processes.stop_all(DRAINED)
        return {status.pid for status in found}

    assert len(asyncio.run(story())) == 1
    assert (tmp_path / "run" / "output.log").read_text() == "started\n"


def test_an_ended_run_is_not_started_again(tmp_path: Path) -> None:
    ended(tmp_path, shell("echo once"))
    ended(tmp_path, shell("echo twice"))

    assert (tmp_path / "run" / "output.log").read_text() == "once\n"


def test_a_program_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    status = ended(tmp_path, ProcessSpec(argv=("no-such-program",), working_folder="/"))

    assert status.reason is EndReason.UNSTARTABLE
    assert status.ending.startswith("could not be started: No such file or directory")


def test_only_path_home_and_lang_are_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    env = shutil.which("env")
    assert env is not None

    ended(tmp_path, ProcessSpec(argv=(env,), working_folder="/", environment={"GIVEN": "1"}))

    names = {line.partition("=")[0] for line in (tmp_path / "run" / "output.log").read_text().splitlines()}
    assert {"GIVEN", "PATH"} <= names <= {"GIVEN", "PATH", "HOME", "LANG"}


def test_the_time_limit_ends_a_run(tmp_path: Path) -> None:
    status = ended(tmp_path, shell("sleep 60", timeout_seconds=0.2))

    assert (status.reason, status.signal) == (EndReason.TIMEOUT, signal.SIGTERM)


def test_who_ignores_the_stop_signal_is_killed_after_the_drain_time(tmp_path: Path) -> None:
    spec = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done", timeout_seconds=0.2, drain_seconds=0.2)

    status = ended(tmp_path, spec)

    assert (status.reason, status.signal) == (EndReason.TIMEOUT, signal.SIGKILL)


def test_what_the_child_leaves_behind_is_killed(tmp_path: Path) -> None:
    ended(tmp_path, shell("sleep 60 & echo $!"))

    assert ends_soon(int((tmp_path / "run" / "output.log").read_text()))


DAEMON = (
    "setsid sh -c 'setsid sleep 60 & echo $!; setsid sleep 60 & echo $!; echo $$; exec sleep 60' > left & "
    'until [ "$(wc -l < left)" = 3 ]; do sleep 0.02; done;'
)
"""A daemon in a session of its own with two more, all of which have told their numbers."""


def alive_of_daemon(folder: Path) -> list[int]:
    """Those of the daemon's three that live."""
    numbers = [int(number) for number in (folder / "left").read_text().split()]
    assert len(numbers) == 3
    return [number for number in numbers if shim.start_time(number)]


@pytest.mark.parametrize(
    ("line", "fields", "reason"),
    [
        (f"{DAEMON} exit 0", {}, EndReason.EXITED),
        (f"({DAEMON}) & wait", {}, EndReason.EXITED),
        (f"{DAEMON} sleep 60", {"timeout_seconds": 1.5}, EndReason.TIMEOUT),
        (f"{DAEMON} kill -9 $$", {}, EndReason.EXITED),
    ],
    ids=["at its end", "orphaned before", "at the time limit", "killed"],
)
def test_what_has_left_the_childs_session_is_killed_too(
    tmp_path: Path, line: str, fields: dict[str, object], reason: EndReason
) -> None:
    status = ended(tmp_path, shell(line, str(tmp_path), **fields))

    assert status.reason is reason
    assert alive_of_daemon(tmp_path) == [], "all had ended when the end was told"


@pytest.mark.parametrize("is_immediate", [False, True])
def test_what_has_left_the_session_of_a_stopped_child_is_killed_too(tmp_path: Path, is_immediate: bool) -> None:
    async def story() -> None:
        processes = Processes(tmp_path)
        await processes.start("run", shell(f"{DAEMON} echo ready; sleep 60", str(tmp_path)))

        async def is_ready() -> bool:
            return "ready" in await processes.tail("run")

        await waiting.until_found(is_ready, "the child to be ready")
        await processes.stop("run", is_immediate=is_immediate)
        await processes.wait("run", SOON)

    asyncio.run(story())

    assert alive_of_daemon(tmp_path) == []


def test_a_run_that_is_started_by_another_ends_with_it_and_no_foreign_process_does(tmp_path: Path) -> None:
    foreign = subprocess.Popen(["sleep", "60"], start_new_session=True)
    inner = (
        "import asyncio; from pathlib import Path; from gennaker.transport.processes import *;"
        f"asyncio.run(Processes(Path({str(tmp_path)!r})).start('inner', "
        "ProcessSpec(argv=('sleep', '60'), working_folder='/')))"
    )
    try:
        ended(tmp_path, ProcessSpec(argv=(sys.executable, "-c", inner), working_folder="/"))

        both = record(tmp_path / "inner")
        assert [shim.start_time(both[one]["pid"]) for one in ("shim", "child")] == ["", ""]
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait(60)


def test_logs_are_rotated_and_bounded(tmp_path: Path) -> None:
    ended(tmp_path, shell("seq 1 3000", log_bytes=2000, log_files=2))

    files = sorted(path.name for path in (tmp_path / "run").glob("output.log*"))
    assert files == ["output.log", "output.log.1"]
    assert (tmp_path / "run" / "output.log").read_text().endswith("2999\n3000\n")


def test_a_run_survives_its_starter_and_is_found_by_another(tmp_path: Path) -> None:
    starter = (
        "import asyncio, os, signal, pathlib\n"
        "from gennaker.transport.processes import *\n"
        f"p = Processes(pathlib.Path({str(tmp_path)!r}))\n"
        "spec = ProcessSpec(argv=('sleep', '60'), working_folder='/')\n"
        "asyncio.run(p.start('run', spec))\n"
        "os.killpg(os.getpgrp(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", starter], start_new_session=True, timeout=600, check=False)

    async def story() -> tuple[ProcessStatus | None, ProcessStatus | None]:
        processes = Processes(tmp_path)
        found = await processes.status("run")
        await processes.stop("run")
        return found, await processes.wait("run", SOON)

    found, after = asyncio.run(story())

    assert found is not None
    assert after is not None
    assert (found.state, after.reason) == (ProcessState.RUNNING, EndReason.STOPPED)


def test_a_killed_shim_is_noticed_and_its_child_ended(tmp_path: Path) -> None:
    async def story() -> tuple[ProcessStatus, int]:
        processes = Processes(tmp_path)
        await processes.start("run", shell("sleep 60"))
        pids = record(tmp_path / "run")
        os.kill(pids["shim"]["pid"], signal.SIGKILL)
        assert ends_soon(pids["shim"]["pid"])
        (swept,) = await processes.sweep()
        return swept, pids["child"]["pid"]

    swept, child = asyncio.run(story())

    assert (swept.state, swept.reason) == (ProcessState.GONE, EndReason.GONE)
    assert ends_soon(child)


@pytest.mark.parametrize("changed", ["start", "boot"])
def test_another_process_with_the_same_number_is_not_adopted(tmp_path: Path, changed: str) -> None:
    async def story() -> ProcessStatus | None:
        processes = Processes(tmp_path)
        await processes.start("run", shell("sleep 60"))
        path = tmp_path / "run" / "process.json"
        true = path.read_text()
        found = json.loads(true)
        if changed == "boot":
            found["boot"] = "another"
        else:
            found["shim"]["start"] = found["child"]["start"] = "1"
        path.write_text(json.dumps(found))
        status = await processes.status("run")
        path.write_text(true)
        await processes.stop_all(DRAINED)
        return status

    status = asyncio.run(story())

    assert status is not None
    assert status.state is ProcessState.GONE


def test_a_launch_that_was_cut_off_before_the_record_can_be_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    spec = shell("echo hello", environment={"PATH": os.environ["PATH"]})  # noqa: TID251 - the launcher's own PATH
    (folder / "run.json").write_bytes(msgspec.json.encode(spec))
    (folder / "lock").touch()

    status = ended(tmp_path, spec)

    assert status.exit_status == 0
    assert (folder / "output.log").read_text() == "hello\n"


def test_a_shim_needs_little_memory(tmp_path: Path) -> None:
    async def story() -> int:
        processes = Processes(tmp_path)
        await processes.start("run", shell("sleep 60"))
        used = psutil.Process(record(tmp_path / "run")["shim"]["pid"]).memory_full_info().uss
        await processes.stop_all(DRAINED)
        return int(used)

    assert asyncio.run(story()) < 8_000_000


def test_stop_all_ends_everything_and_names_it(tmp_path: Path) -> None:
    async def story() -> tuple[tuple[ProcessStatus, ...], tuple[ProcessStatus, ...]]:
        processes = Processes(tmp_path)
        await processes.start("a/1", shell("sleep 60"))
        await processes.start("b", shell("exit 0"))
        await processes.wait("b", SOON)
        stopped = await processes.stop_all(DRAINED)
        return stopped, await processes.list()

    stopped, found = asyncio.run(story())

    assert [status.name for status in stopped] == ["a/1"]
    assert [(status.name, status.is_final) for status in found] == [("a/1", True), ("b", True)]


def test_the_shims_own_record_names_both_processes(tmp_path: Path) -> None:
    async def story() -> tuple[str, str]:
        processes = Processes(tmp_path)
        status = await processes.start("run", shell("sleep 60"))
        pids = record(tmp_path / "run")
        assert status.pid == pids["child"]["pid"]
        now = shim.start_time(pids["shim"]["pid"])
        await processes.stop_all(DRAINED)
        return now, str(pids["shim"]["start"])

    now, written = asyncio.run(story())

    assert now == written != ""
