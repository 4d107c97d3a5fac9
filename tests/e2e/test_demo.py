"""`gennaker demo` where it can't go on: whatever ends it, nothing is left running; what is in its way gets a sentence."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.e2e.patient import is_named_in_a_process

from gennaker.transport import folder as data_folder

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_SECONDS = 900.0
"""Long, for machines on which much else runs; who is quick waits for nothing."""
_IMPATIENT_SECONDS = 0.1


def begin(folder: Path, *words: str, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    # Tests that run in the background are started with SIGINT ignored, by nohup with SIGHUP, and so would be the demo.
    heeding = [*before, "env", "--default-signal=INT,HUP"]
    command = [*heeding, sys.executable, "-m", "gennaker.cli.main", "demo", "--data", str(folder), *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def end_of(demo: "subprocess.Popen[str]") -> str:
    """What a demo that must fail has said."""
    with demo:
        said, _ = demo.communicate(timeout=_SECONDS)
    assert demo.returncode == 1, said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "folder"
    demo = begin(folder)
    until = time.monotonic() + _SECONDS
    while not (folder / "demo" / "storefront").exists():
        assert demo.poll() is None
        assert time.monotonic() < until
        time.sleep(_IMPATIENT_SECONDS)
    pid = data_folder.holder(folder)

    second = end_of(begin(folder))
    for _ in range(3):  # to the whole group, as a terminal does; and somebody is impatient
        os.killpg(demo.pid, number)
        time.sleep(_IMPATIENT_SECONDS)
    said = end_of(demo)

    assert f"A demo is running (pid {pid}) in {folder}." in second
    assert "✗ interrupted" in said
    assert data_folder.holder(folder) is None
    assert not is_named_in_a_process(str(folder))


def test_what_an_ended_demo_has_left_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()

    said = end_of(begin(tmp_path))

    assert f"An earlier demo has left its data in {tmp_path}." in said
    assert [one.name for one in tmp_path.iterdir()] == ["demo"]


@pytest.mark.parametrize("name", ["", "below"])
def test_a_folder_without_permission_is_named(tmp_path: Path, name: str) -> None:
    tmp_path.chmod(0o500)
    # Root may write everywhere, unless it gives that up.
    humbly = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()

    said = end_of(begin(tmp_path / name, before=humbly))

    tmp_path.chmod(0o700)
    assert f"The demo can't use the folder {tmp_path / name}: Permission denied." in said


@pytest.mark.parametrize("by", ["flag", "file"])
def test_a_setting_that_the_server_refuses_is_said(tmp_path: Path, by: str) -> None:
    folder = tmp_path / "[info]"  # which a terminal must not take for a style
    file = tmp_path / "settings.toml"
    file.write_text('server.host = "192.0.2.1"')
    words = ("--config", str(file)) if by == "file" else ("--set", "server.host=192.0.2.1")

    said = end_of(begin(folder, *words))

    assert "ended with status 1 before it was ready" in said
    assert "Set server.host to 127.0.0.1" in said
    assert f"The server's log and data are in {folder}." in said
