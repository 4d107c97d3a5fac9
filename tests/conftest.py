"""Which tests run and when: cheap ones first; an ordinary user's run leaves out, and lists, what their machine lacks.

In CI (`CI=true`) nothing may be skipped or expected to fail: either makes the run fail.
"""

import gc
import os
from collections.abc import Sequence
from contextlib import ExitStack

import pytest
from tests import asked, control_plane, grouping
from tests.postgres_server import new_postgres_url, postgres_server, postgres_url, shared_postgres
from tests.temporal_server import temporal_server

from gennaker.model import first_use

__all__ = ["new_postgres_url", "postgres_server", "postgres_url", "shared_postgres", "temporal_server"]

_NEEDS_MORE = ("root", "debian")
_LEFT_OUT = pytest.StashKey[set[str]]()
_BESIDE = pytest.StashKey[ExitStack]()
"""What goes on beside the tests."""
_TOLERATED_ELSEWHERE = ("skipped", "xfailed", "xpassed")
_BUILT = "GENNAKER_TEST_CONTROL_PLANE_IS_BUILT"
"""Told to the worker processes, which must all order the tests alike."""
_THOROUGH = "thorough"
_FOREIGN = "left_out"
"""Key under which a worker process hands its list to the process that reports."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make docker` says it."""
    parser.addoption("--dockerd", help="containers are those of a dockerd of the tests' own, which lies in this folder")


def pytest_configure(config: pytest.Config) -> None:
    """Starts the list of tests that were left out."""
    config.stash[_LEFT_OUT] = set()
    config.stash[_BESIDE] = ExitStack()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """A run of everything builds beside its cheap tests what the last ones need."""
    config = session.config
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.getoption("markexpr")
    is_first = not hasattr(config, "workerinput") and bool(config.getoption("numprocesses", None))
    if is_whole and is_first and os.geteuid() == 0:
        os.environ[_BUILT] = "yes" if control_plane.is_built() else "no"
        config.stash[_BESIDE].enter_context(control_plane.being_built())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Orders the tests (last, so that it orders what pytest-randomly shuffled) and leaves out what this user can't run."""
    marks: str = config.getoption("markexpr")
    if _THOROUGH not in marks:  # what they show in part others show always, so that nothing is left out
        thorough = [item for item in items if item.get_closest_marker(_THOROUGH) and not _is_named(config, item)]
        config.hook.pytest_deselected(items=thorough)
        items[:] = [item for item in items if item not in thorough]
    left_out = [item for item in items if not _can_run(config, item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        config.stash[_LEFT_OUT].update(item.nodeid for item in left_out)
    is_one_of_several = hasattr(config, "workerinput")
    items[:] = sorted(
        (item for item in items if _can_run(config, item)), key=lambda item: _turn(item, is_one_of_several)
    )


def _is_named(config: pytest.Config, item: pytest.Item) -> bool:
    return asked.by_id(item.nodeid, config.args, at=config.invocation_params.dir, root=config.rootpath)


def _turn(item: pytest.Item, is_one_of_several: bool) -> int:
    """Cheap ones first, then groups, so that all processes end at the same time; one of several begins with the longest.

    Last are those for which something is being built meanwhile.
    """
    if item.get_closest_marker("slow") is None:
        return 1
    if item.get_closest_marker("go") is not None and os.environ.get(_BUILT) != "yes":
        return 5
    group = item.get_closest_marker("xdist_group")
    if group is None:
        return 4
    if group.args == (grouping.LONGEST,):
        return 0 if is_one_of_several else 2
    return 3


def pytest_collection_finish() -> None:
    """Readies all records for threads; what collecting has made stays: looking for garbage in it takes a twentieth of the time."""
    first_use.learn()
    gc.freeze()


def _can_run(config: pytest.Config, item: pytest.Item) -> bool:
    """Root can run all; somebody else what is not marked, or what they ask for by `-m`."""
    if os.geteuid() == 0:
        return True
    marks: str = config.getoption("markexpr")
    if item.get_closest_marker("go") is not None and "go" not in marks.split() and not control_plane.has_go():
        return False
    return all(name in marks or item.get_closest_marker(name) is None for name in _NEEDS_MORE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: grouping.Producer) -> object:
    """Keeps groups together; every other way to distribute is xdist's own business."""
    return grouping.FileGroupScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """Takes over a worker process's list."""
    del error
    output: dict[str, Sequence[str]] = getattr(node, "workeroutput", {})
    config: pytest.Config = getattr(node, "config")  # noqa: B009 - xdist has no types
    config.stash[_LEFT_OUT].update(output.get(_FOREIGN, ()))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hands over the list; fails a run in CI that didn't run everything."""
    config = session.config
    config.stash[_BESIDE].close()
    if hasattr(config, "workeroutput"):
        left_out = config.stash[_LEFT_OUT]
        config.workeroutput[_FOREIGN] = sorted(left_out)
        return
    if _not_run_in_ci(config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Lists what was left out, and says in CI why the run failed."""
    left_out = config.stash[_LEFT_OUT]
    if left_out:
        terminalreporter.section("left out: these need root, Debian packages or Go (sudo make test runs them)")
        for nodeid in sorted(left_out):
            terminalreporter.line(nodeid)
    if count := _not_run_in_ci(config):
        terminalreporter.section("failed: in CI nothing may be skipped or expected to fail")
        terminalreporter.line(f"{count} test(s), named above by -ra")


def _not_run_in_ci(config: pytest.Config) -> int:
    """How many tests didn't run in full although this is CI."""
    if os.environ.get("CI", "").lower() not in {"true", "1"}:
        return 0
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None, "pytest has no terminal reporter"
    return sum(len(reporter.stats.get(outcome, ())) for outcome in _TOLERATED_ELSEWHERE)
