"""Set-up from nothing: once, and not again; the wheel holds what Git doesn't."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SET_UP_SECONDS = 1200
"""Of a slow machine on which much else runs; alone on an ordinary one it takes one minute."""


def make(checkout: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    # The copy stands for a checkout of its own: what our make tells its children isn't meant for it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [*prefix, "make", *arguments],
        check=False,
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SET_UP_SECONDS,
    )


@pytest.mark.root
def test_a_fresh_clone_is_set_up_and_the_second_time_without_network(checkout: Path, tmp_path: Path) -> None:
    """On a machine without node: what is installed for the page then serves its checks and tests as well."""
    without_node = ("env", f"PATH={programs_but(tmp_path, 'node', 'npm')}")
    without_network = ("unshare", "--net", *without_node)

    first = make(checkout, "setup", prefix=without_node)

    assert first.returncode == 0, first.stderr
    second = make(checkout, "setup", prefix=without_network)
    assert (second.returncode, second.stderr) == (0, "")
    assert "Setting up" not in second.stdout
    assert "Building" not in second.stdout
    for task in ("check", "test"):
        done = page(checkout, task, prefix=without_network)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "installing" not in done.stdout
    asked = [checkout / ".venv/bin/gennaker", "--help"]
    version = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=SET_UP_SECONDS)
    assert version.returncode == 0, version.stderr


def programs_but(tmp_path: Path, *left_out: str) -> Path:
    """A folder of all programs of this machine's PATH but some."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            if program.name not in left_out and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    return folder


def page(checkout: Path, task: str, *, prefix: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [*prefix, checkout / ".venv/bin/python", "setup/page.py", task]
    return subprocess.run(command, check=False, cwd=checkout, capture_output=True, text=True, timeout=SET_UP_SECONDS)


@pytest.mark.root
def test_without_network_the_first_set_up_fails_with_a_sentence(checkout: Path, tmp_path: Path) -> None:
    nothing_cached = ("env", f"PIP_CACHE_DIR={tmp_path}/pip", f"UV_CACHE_DIR={tmp_path}/uv", "PIP_RETRIES=0")

    failed = make(checkout, "setup", prefix=("unshare", "--net", *nothing_cached))

    assert failed.returncode != 0
    assert "the first set-up needs the network" in failed.stderr
    assert not list((checkout / ".venv/.setup").glob("*"))


def test_a_wheel_from_a_fresh_clone_holds_the_page_and_the_sample(checkout: Path, tmp_path: Path) -> None:
    """On a machine without node: there is one for the build alone."""
    sample = checkout / "src/gennaker/demo/sample/services/any"
    sample.mkdir(parents=True)
    (sample / "Dockerfile").write_text("FROM scratch\n")
    without_node = {**os.environ, "PATH": str(programs_but(tmp_path, "node", "npm"))}
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path / "dist", checkout]

    done = subprocess.run(build, check=False, env=without_node, capture_output=True, text=True, timeout=SET_UP_SECONDS)

    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"gennaker/web/static/index.html", "gennaker/demo/sample/services/any/Dockerfile"} <= names
    assert [name for name in names if re.fullmatch(r"gennaker/web/static/assets/.*\.js", name)]
    assert "gennaker/py.typed" in names
    assert not [name for name in names if "__pycache__" in name or "node_modules" in name]


def test_help_names_every_command(checkout: Path) -> None:
    shown = make(checkout, "help").stdout

    wanted = ("demo", "serve", "test", "check", "bench", "lock", "clean", "setup", "format")
    assert [name for name in wanted if f"make {name} " not in shown] == []


def test_clean_leaves_what_git_knows(checkout: Path) -> None:
    before = {path for path in checkout.rglob("*") if path.is_file()}
    (checkout / ".venv").mkdir()
    (checkout / "src/gennaker/__pycache__").mkdir()
    (checkout / "src/gennaker/__pycache__/x.pyc").write_text("")

    done = make(checkout, "clean")

    assert done.returncode == 0, done.stderr
    assert {path for path in checkout.rglob("*") if path.is_file()} == before
    assert not (checkout / ".venv").exists()
