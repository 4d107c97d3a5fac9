"""The control plane of tests is built from modules that are fetched: a server that fails is asked again, and not for ever."""

import subprocess
from pathlib import Path

import pytest
from tests import control_plane

pytestmark = pytest.mark.slow


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` that does what the test writes."""
    program = tmp_path / "go"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


def test_a_fetch_that_stands_still_is_begun_again(go: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(control_plane, "_FETCHED_SECONDS", 3.0)
    monkeypatch.setattr(control_plane, "_PAUSE_SECONDS", 0.0)
    go.write_text('#!/bin/sh\n[ -e again ] || { touch again; exec sleep 600; }\necho "$@"\n')

    assert control_plane.fetching("list", "-deps", folder=tmp_path) == b"list -deps\n"


def test_one_that_breaks_off_is_begun_again_and_given_up_in_the_end(
    go: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(control_plane, "_PAUSE_SECONDS", 0.0)
    go.write_text('#!/bin/sh\n[ -e again ] || { touch again; exit 1; }\necho "$@"\n')

    assert control_plane.fetching("list", folder=tmp_path) == b"list\n"

    go.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(subprocess.CalledProcessError):
        control_plane.fetching("list", folder=tmp_path)


def test_one_that_never_ends_is_given_up(go: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(control_plane, "_FETCHED_SECONDS", 0.2)
    monkeypatch.setattr(control_plane, "_PAUSE_SECONDS", 0.0)
    go.write_text("#!/bin/sh\nexec sleep 600\n")

    with pytest.raises(subprocess.TimeoutExpired):
        control_plane.fetching("list", folder=tmp_path)
