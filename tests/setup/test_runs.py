"""What `tests/conftest.py` makes of a run: its order, what an ordinary user's leaves out, and CI's ban on skips."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
MARKS = "[pytest]\nmarkers =\n    slow\n    root\n    debian\n    go\naddopts = -ra --import-mode=importlib\n"
ORDINARY_USER = "import os\nos.geteuid = lambda: 1000\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project under our conftest."""
    (tmp_path / "pytest.ini").write_text(MARKS)
    (tmp_path / "ordinary_user.py").write_text(ORDINARY_USER)
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "tests").mkdir()
    for module in TESTS.glob("*.py"):  # what the conftest imports, directly or not
        shutil.copy(module, tmp_path / "tests")
    (tmp_path / "tests" / "conftest.py").unlink()
    return tmp_path


def run(
    project: Path, tests: str, *arguments: str, ci: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    (project / "test_some.py").write_text(tests)
    environment = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")}
    environment |= {"PYTHONPATH": str(project)} | ({"CI": "true"} if ci else {}) | variables
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:schemathesis", *arguments]
    return subprocess.run(
        command, check=False, cwd=project, env=environment, capture_output=True, text=True, timeout=1200
    )


SKIPPING = """
import pytest
def test_runs(): pass
@pytest.mark.skip(reason="not today")
def test_skips(): pass
"""
EXPECTING_TO_FAIL = """
import pytest
@pytest.mark.xfail
def test_fails(): assert False
"""
MARKED = """
import pytest
def test_runs(): pass
@pytest.mark.root
def test_as_root(): pass
@pytest.mark.debian
def test_with_podman(): pass
"""
BUILT_WITH_GO = """
import pytest
def test_runs(): pass
@pytest.mark.go
def test_on_a_cluster(): pass
"""
MIXED = """
import pytest
@pytest.mark.slow
def test_slow_one(): pass
def test_cheap_one(): pass
@pytest.mark.slow
@getattr(pytest.mark, "xdist_group")("alone")
def test_long_one(): pass
@pytest.mark.slow
def test_slow_two(): pass
def test_cheap_two(): pass
"""
"""The group is written so that nobody takes it for this file's own (tests/grouping.py)."""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "parallel"])
@pytest.mark.parametrize("tests", [SKIPPING, EXPECTING_TO_FAIL], ids=["skip", "xfail"])
def test_ci_fails_a_run_that_did_not_run_everything(project: Path, tests: str, workers: tuple[str, ...]) -> None:
    in_ci = run(project, tests, *workers, ci=True)

    assert in_ci.returncode == pytest.ExitCode.TESTS_FAILED
    assert "in CI nothing may be skipped or expected to fail" in in_ci.stdout


@pytest.mark.slow
def test_elsewhere_a_skip_is_a_skip(project: Path) -> None:
    elsewhere = run(project, SKIPPING)

    assert elsewhere.returncode == pytest.ExitCode.OK


@pytest.mark.slow
def test_ci_passes_a_run_that_ran_everything(project: Path) -> None:
    in_ci = run(project, MIXED, ci=True)

    assert in_ci.returncode == pytest.ExitCode.OK


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "parallel"])
def test_an_ordinary_user_s_run_leaves_out_and_lists(project: Path, workers: tuple[str, ...]) -> None:
    done = run(project, MARKED, "-p", "ordinary_user", *workers)

    listed = done.stdout.split("left out: ")[1].splitlines()[1:3]
    assert done.returncode == pytest.ExitCode.OK
    assert listed == ["test_some.py::test_as_root", "test_some.py::test_with_podman"]
    assert "1 passed" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_an_ordinary_user_may_ask_for_them(project: Path) -> None:
    done = run(project, MARKED, "-p", "ordinary_user", "-m", "debian")

    assert "1 passed, 2 deselected" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_cheap_tests_run_first_and_then_the_longest_in_whatever_order(project: Path) -> None:
    done = run(project, MIXED, "--collect-only", "-q", "--randomly-seed", "1")

    order = [line.split("::")[1][:10] for line in done.stdout.splitlines() if "::" in line]
    assert [name.split("_")[1] for name in order] == ["cheap", "cheap", "long", "slow", "slow"]


@pytest.mark.slow
@pytest.mark.parametrize("has_go", [True, False])
def test_an_ordinary_user_s_run_leaves_out_what_is_built_with_go_where_there_is_none(
    project: Path, *, has_go: bool
) -> None:
    if has_go:
        (project / "go").touch(mode=0o755)

    done = run(project, BUILT_WITH_GO, "-p", "ordinary_user", PATH=str(project))

    assert done.returncode == pytest.ExitCode.OK
    assert ("test_some.py::test_on_a_cluster" in done.stdout) is not has_go
    assert f"{2 if has_go else 1} passed" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_one_of_several_processes_begins_with_the_longest(project: Path) -> None:
    done = run(project, MIXED, "-n", "1", "--dist", "loadgroup", "--no-loadscope-reorder", "--verbose")

    order = [line.split("::test_")[1].split("_")[0] for line in done.stdout.splitlines() if "PASSED" in line]
    assert order == ["long", "cheap", "cheap", "slow", "slow"]
