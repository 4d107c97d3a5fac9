"""The pytest plugin: fixtures, the report of branches, and the least that must be reached."""

import pytest

pytest_plugins = "pytester"
TEST = """
PIPELINE = {"application": "shop", "name": "deliver", "stages": [
    {"refId": "1", "type": "deploy", "name": "Deploy"},
    {"refId": "2", "requisiteStageRefIds": ["1"], "type": "wait", "name": "Soak", "waitTime": 10_800},
]}

def test_it_succeeds(gennaker):
    assert gennaker.run(PIPELINE, stages={"Deploy": {"duration": "1h"}}).took.total_seconds() == 4 * 3600

def test_each_test_has_a_lab_of_its_own(gennaker):
    assert gennaker.cloud.groups == {}
"""


def ran(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    pytester.makepyfile(TEST)
    return pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:cacheprovider", "-q", *options)


def test_the_fixture_runs_pipelines_and_reports_nothing_unasked(pytester: pytest.Pytester) -> None:
    found = ran(pytester)

    found.assert_outcomes(passed=2)
    assert "branches" not in found.stdout.str()


def test_the_report_lists_what_was_never_reached(pytester: pytest.Pytester) -> None:
    found = ran(pytester, "--gennaker-coverage")

    found.stdout.fnmatch_lines(
        ["*branches of pipelines*", "deliver: 2 of 3 branches", "  never: Deploy fails", "67 % of 3*"]
    )
    assert found.ret == pytest.ExitCode.OK


def test_too_little_reached_fails_the_session(pytester: pytest.Pytester) -> None:
    assert ran(pytester, "--gennaker-cover-at-least", "60").ret == pytest.ExitCode.OK
    assert ran(pytester, "--gennaker-cover-at-least", "70").ret == pytest.ExitCode.TESTS_FAILED
