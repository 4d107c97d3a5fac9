"""SARIF."""

import json

import pytest

from gennaker.model.codec import Json, JsonObject
from gennaker.transport.reports import sarif
from gennaker.transport.reports.broken import BrokenReport
from gennaker.transport.reports.sarif import Finding, FindingsReport, Level


def content(*results: Json, **run: Json) -> bytes:
    rules: list[Json] = [{"id": "R2", "defaultConfiguration": {"level": "note"}}]
    tool: Json = {"driver": {"name": "tool", "rules": rules}}
    return json.dumps({"version": "2.1.0", "runs": [{"tool": tool, "results": list(results), **run}]}).encode()


def test_findings_are_counted_by_their_level_worst_first() -> None:
    place: Json = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}}

    report = sarif.read(
        content(
            {"ruleId": "R1", "message": {"text": "no level"}},
            {"ruleId": "R2", "message": {"text": "the rule's level"}},
            {"ruleId": "R3", "level": "error", "message": {"text": "bad"}, "locations": [place]},
            {"ruleId": "R3", "level": "error", "suppressions": [{"kind": "inSource"}]},
            {"ruleId": "R3", "level": "error", "suppressions": [{"kind": "inSource", "status": "rejected"}]},
            {"ruleId": "R3", "level": "error", "kind": "pass"},
            {"ruleId": "R3", "level": "error", "baselineState": "absent"},
        )
    )

    assert report == FindingsReport(
        tools=("tool",),
        findings=4,
        by_level={"error": 2, "warning": 1, "note": 1},
        suppressed=1,
        worst=(
            Finding(level=Level.ERROR, rule="R3", message="bad", place="a.py:3"),
            Finding(level=Level.ERROR, rule="R3"),
            Finding(level=Level.WARNING, rule="R1", message="no level"),
            Finding(level=Level.NOTE, rule="R2", message="the rule's level"),
        ),
    )
    assert [report.at_least(level) for level in Level] == [2, 3, 4, 4]


@pytest.mark.parametrize(
    ("invocation", "said"),
    [
        ({"executionSuccessful": True}, ""),
        ({"executionSuccessful": False}, "The tool says that it did not succeed."),
        (
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [{"level": "error", "message": {"text": "no advisories"}}],
            },
            "no advisories",
        ),
    ],
)
def test_a_tool_that_could_not_do_its_work_is_believed(invocation: Json, said: str) -> None:
    assert sarif.read(content(invocations=[invocation])).incomplete == said


def test_a_report_without_runs_is_incomplete() -> None:
    assert sarif.read(b'{"version": "2.1.0", "runs": []}').incomplete == "It holds no run of a tool."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "it is no SARIF"),
        (b'{"runs": {}}', "it is no SARIF"),
        (b'{"version": "1.0.0", "runs": []}', "2.1.0 is read"),
    ],
)
def test_what_is_no_sarif_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(BrokenReport, match=said):
        sarif.read(text)


@pytest.mark.parametrize(
    ("results", "run", "said"),
    [
        ((1,), {}, "/runs/0/results/0 is wrong: expected `object`, got `int`"),
        (
            ({"level": "error"}, {"level": "dreadful"}),
            {},
            "/runs/0/results/1/level is wrong: invalid enum value 'dreadful'",
        ),
        (({"level": 1},), {}, "/runs/0/results/0/level is wrong"),
        (({"kind": "passed"},), {}, "/runs/0/results/0/kind is wrong"),
        (({"baselineState": True},), {}, "/runs/0/results/0/baselineState is wrong"),
        (({"ruleId": 7},), {}, "/runs/0/results/0/ruleId is wrong"),
        (({"message": "text"},), {}, "/runs/0/results/0/message is wrong: expected `object | null`, got `str`"),
        (({"locations": {}},), {}, "/runs/0/results/0/locations is wrong"),
        (({"suppressions": "accepted"},), {}, "/runs/0/results/0/suppressions is wrong"),
        (({"suppressions": [{"status": "no"}]},), {}, "/runs/0/results/0/suppressions/0/status is wrong"),
        ((), {"results": {"0": {"level": "error"}}}, "/runs/0/results is wrong: expected `array | null`, got `object`"),
        ((), {"results": "none"}, "/runs/0/results is wrong"),
        ((), {"tool": "ruff"}, "/runs/0/tool is wrong"),
        ((), {"tool": {"driver": {"rules": [{"id": 1}]}}}, "/runs/0/tool/driver/rules/0/id is wrong"),
        ((), {"invocations": {}}, "/runs/0/invocations is wrong"),
        ((), {"invocations": [{"executionSuccessful": "no"}]}, "/runs/0/invocations/0/executionSuccessful is wrong"),
    ],
)
def test_what_has_the_wrong_type_makes_it_unreadable_and_is_named(
    results: tuple[Json, ...], run: JsonObject, said: str
) -> None:
    with pytest.raises(BrokenReport) as caught:
        sarif.read(content(*results, **run))

    assert said in str(caught.value)


def test_a_run_that_is_no_object_is_named() -> None:
    with pytest.raises(BrokenReport, match="/runs/1 is wrong"):
        sarif.read(b'{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": []}, []]}')


@pytest.mark.parametrize("run", [{"results": None}, {}])
def test_a_run_without_a_list_of_results_has_looked_at_nothing(run: JsonObject) -> None:
    said = json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, **run}]}).encode()

    assert "has no list of results" in sarif.read(said).incomplete


def test_nulls_are_what_is_not_there() -> None:
    nothing: JsonObject = dict.fromkeys(
        ("ruleId", "level", "kind", "baselineState", "message", "locations", "suppressions")
    )

    report = sarif.read(content(nothing, invocations=None))

    assert (report.by_level, report.incomplete) == ({"warning": 1}, "")
