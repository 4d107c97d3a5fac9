"""The pytest plugin: fixtures `gennaker` (a lab) and `gennaker_coverage`, and a report of branches at the end.

Loaded in every pytest run where Gennaker is installed, so it imports nothing of it before a fixture is asked for.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gennaker.testing.coverage import Coverage
    from gennaker.testing.lab import Lab


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the plugin."""
    group = parser.getgroup("gennaker", "testing of pipelines")
    group.addoption("--gennaker-coverage", action="store_true", help="Report which branches of pipelines were reached.")
    group.addoption(
        "--gennaker-cover-at-least", type=float, default=0.0, metavar="PERCENT", help="Fail below so many percent."
    )


_COVERAGE = pytest.StashKey["Coverage"]()


@pytest.fixture(scope="session")
def gennaker_coverage(request: pytest.FixtureRequest) -> "Coverage":
    """What the tests of this session have reached of the pipelines that they ran."""
    from gennaker.testing.coverage import Coverage  # noqa: PLC0415 - only where it is used: see above

    return request.config.stash.setdefault(_COVERAGE, Coverage())


@pytest.fixture
def gennaker(gennaker_coverage: "Coverage") -> "Lab":
    """A lab of its own for each test: empty stores, an empty cloud, a clock that begins at the same instant."""
    from gennaker.testing.lab import Lab  # noqa: PLC0415 - as above

    return Lab(coverage=gennaker_coverage)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The report, if it is asked for."""
    coverage = config.stash.get(_COVERAGE, None)
    if coverage is None or not (config.getoption("--gennaker-coverage") or _least(config)):
        return
    terminalreporter.section("branches of pipelines")
    for line in coverage.report():
        terminalreporter.line(line)
    terminalreporter.line(f"{coverage.percent:.0f} % of {len(coverage.branches)} branches were reached.")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the session that has reached too little."""
    coverage = session.config.stash.get(_COVERAGE, None)
    if coverage is not None and coverage.percent < _least(session.config) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _least(config: pytest.Config) -> float:
    given = config.getoption("--gennaker-cover-at-least")
    return float(given) if isinstance(given, int | float) else 0.0
