"""What if: the same events against another definition, or changed ones against the same."""

from typing import Any

import pytest
from tests import recordings
from tests.make import stage_json

from gennaker.engine import what_if
from gennaker.engine.calculating import Calculator
from gennaker.engine.recording import Recording
from gennaker.engine.what_if import Change, Outcome
from gennaker.model.codec import JsonObject
from gennaker.model.event import IgnoreFailureAsked, ManualJudgmentGiven, TaskReported
from gennaker.model.problems import Refused
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import Settings

KNOWN = {name: one for one in flow.plugin.stages for name in (one.name, *one.aliases)}
CALCULATOR = Calculator(KNOWN)
"""Of the types of flow; what the scripted ones do is recorded."""


@pytest.fixture(scope="module")
def rich() -> Recording:
    return recordings.rich()


def definition(*changed: JsonObject, without: tuple[str, ...] = ()) -> JsonObject:
    """The rich pipeline with stages replaced, added, or taken out."""
    listed: Any = recordings.RICH["stages"]
    by_ref = {one["refId"]: one for one in [*listed, *changed]}
    return {**recordings.RICH, "stages": [one for ref, one in by_ref.items() if ref not in without]}


def changes(outcome: Outcome) -> dict[str, tuple[str | None, str | None]]:
    return {one.ref_id: (one.before, one.after) for one in outcome.changed}


def test_the_same_definition_gives_the_same_run(rich: Recording) -> None:
    outcome, state = what_if.with_definition(rich, definition())

    assert (outcome.before, outcome.after) == ("SUCCEEDED", "SUCCEEDED")
    assert (outcome.changed, outcome.open, outcome.unused) == ((), (), ())
    assert {one.ref_id: one.outputs for one in state.in_order()} == {one.ref_id: one.outputs for one in rich.stages}


def test_a_flag_of_a_stage_decides_otherwise_over_the_same_results() -> None:
    plain: JsonObject = {"application": "shop", "stages": [stage_json("a", type="fail"), stage_json("b", type="make")]}
    lenient: JsonObject = {
        **plain,
        "stages": [stage_json("a", type="fail", continuePipeline=True), stage_json("b", type="make")],
    }

    outcome, state = what_if.with_definition(recordings.recorded(plain), lenient)

    assert (outcome.before, outcome.after) == ("TERMINAL", "SUCCEEDED")
    assert changes(outcome) == {"a": ("TERMINAL", "FAILED_CONTINUE"), "b": ("CANCELED", "SUCCEEDED")}
    assert {one.name: one.status.value for one in state.in_order()} == {"a": "FAILED_CONTINUE", "b": "SUCCEEDED"}


def test_a_stage_that_needs_less_starts_earlier_and_gets_its_results_all_the_same() -> None:
    wait = stage_json("w", type="wait", waitTime=60)
    recording = recordings.recorded({"application": "shop", "stages": [wait, stage_json("a", "w", type="poll")]})

    outcome, state = what_if.with_definition(recording, {"stages": [wait, stage_json("a", type="poll")]})

    took = {one.name: one.end_time - state.head.start_time for one in state.in_order()}  # type: ignore[operator]  # all have ended
    assert (outcome.changed, outcome.open) == ((), ())
    assert {name: round(length.total_seconds()) for name, length in took.items()} == {"w": 60, "a": 40}


def test_a_new_stage_is_open_because_nobody_knows_its_outcome(rich: Recording) -> None:
    new = stage_json("new", "make", type="make")

    outcome, _ = what_if.with_definition(rich, definition(new, stage_json("poll", "new", type="poll")))

    assert outcome.after == "RUNNING"
    assert [one.key.split("/")[1:] for one in outcome.open] == [["new", "prepare", "0", "0"]]
    assert [(one.stage, one.ref_id, one.what) for one in outcome.open] == [("new", "new", "how it begins")]
    assert changes(outcome)["new"] == (None, "NOT_STARTED")


def test_what_was_recorded_for_a_stage_that_is_gone_is_left_over(rich: Recording) -> None:
    outcome, _ = what_if.with_definition(rich, definition(without=("tell",)))

    assert changes(outcome) == {"tell": ("SUCCEEDED", None)}
    assert outcome.unused


def test_an_expression_in_a_changed_field_is_left_as_it_was_and_said(rich: Recording) -> None:
    changed = stage_json("ship", "judge", type="make", note="${ other }")

    outcome, _ = what_if.with_definition(rich, definition(changed))

    assert outcome.notes == ("`note` of stage ship holds an expression: left as it was.",)


def test_another_answer_of_the_judge_ends_the_run(rich: Recording) -> None:
    judged = next(one.number for one in rich.events if isinstance(one.event, ManualJudgmentGiven))
    report = next(
        one.number
        for one in rich.events
        if isinstance(one.event, TaskReported) and one.number > judged and one.event.key.split("/")[1] == "judge"
    )
    failed = {"type": "failed", "problem": {"code": "judgment.stopped", "message": "No."}}

    outcome, _ = what_if.with_changes(rich, [Change(number=report, event={"result": failed})])

    assert outcome.after == "TERMINAL"
    assert changes(outcome)["judge"] == ("SUCCEEDED", "TERMINAL")


def test_a_command_that_comes_later_comes_later(rich: Recording) -> None:
    ignored = next(one for one in rich.events if isinstance(one.event, IgnoreFailureAsked))

    outcome, _ = what_if.with_changes(rich, [Change(number=ignored.number, event={"at": "2026-01-05T08:00:00Z"})])

    assert outcome.after == "TERMINAL"


def test_an_event_that_would_be_none_is_refused(rich: Recording) -> None:
    with pytest.raises(Refused, match="is none"):
        what_if.with_changes(rich, [Change(number=2, event={"at": "yesterday"})])
    with pytest.raises(Refused, match="no event 9999"):
        what_if.with_changes(rich, [Change(number=9999, event={})])


def test_a_run_cannot_begin_with_another_event_than_its_submission(rich: Recording) -> None:
    with pytest.raises(Refused, match="first event is the submission"):
        what_if.with_changes(
            rich, [Change(number=1, event={"type": "TimerRang", "key": "x", "at": "2026-01-05T08:00:00Z"})]
        )


def test_times_at_the_end_of_the_calendar_are_refused(rich: Recording) -> None:
    task = next(one.number for one in rich.events if isinstance(one.event, TaskReported))
    late: JsonObject = {"at": "9999-12-31T23:00:00Z"}

    with pytest.raises(Refused, match="end of the calendar"):
        what_if.with_changes(rich, [Change(number=one, event=late) for one in range(1, task + 1)])


def test_calculating_the_same_definition_gives_the_same_run(rich: Recording) -> None:
    outcome, state = what_if.with_definition(rich, definition(), CALCULATOR)

    assert (outcome.before, outcome.after) == ("SUCCEEDED", "SUCCEEDED")
    assert (outcome.changed, outcome.open, outcome.unused, outcome.notes) == ((), (), (), ())
    assert {one.ref_id: one.context for one in state.in_order()} == {one.ref_id: one.context for one in rich.stages}
    assert state.head.end_time == rich.head.end_time


def test_what_asks_nobody_is_followed_until_a_stage_acts_outside(rich: Recording) -> None:
    new = stage_json("again", "vars", type="make")
    variables = stage_json("vars", "check", type="evaluateVariables", variables=[{"key": "v", "value": "${1 + 1}"}])
    precondition: JsonObject = {"type": "expression", "context": {"expression": "v == 2"}}
    checked = stage_json("even", "vars", type="checkPreconditions", preconditions=[precondition])
    soak = stage_json("rest", "even", type="wait", waitTime=3600)

    outcome, state = what_if.with_definition(rich, definition(variables, checked, soak, new), CALCULATOR)

    assert (outcome.after, state.head.status) == ("RUNNING", "RUNNING")
    assert [(one.ref_id, one.what, one.why) for one in outcome.open] == [
        ("again", "how it begins", "stages of the type make are not known here")
    ]
    found = changes(outcome)
    assert (found["vars"], found["even"], found["rest"]) == ((None, "SUCCEEDED"),) * 3
    shown = {one.ref_id: [(two.pointer, two.after) for two in one.outputs] for one in outcome.changed}
    assert shown["vars"] == [("/v", 2)]
    rest = next(one for one in state.in_order() if one.ref_id == "rest")
    assert rest.start_time is not None
    assert rest.end_time is not None
    assert (rest.end_time - rest.start_time).total_seconds() == 3600


def test_another_value_is_followed_through_expressions_and_said_where_results_are_old() -> None:
    def pipeline(value: str) -> JsonObject:
        variables = stage_json("vars", type="evaluateVariables", variables=[{"key": "v", "value": value}])
        step = stage_json("rest", "vars", type="wait", waitTime="${ v }")
        judged = stage_json("if", "rest", type="make", stageEnabled={"type": "expression", "expression": "v == '3'"})
        return {"application": "shop", "name": "p", "stages": [variables, step, judged]}

    outcome, state = what_if.with_definition(recordings.recorded(pipeline("3")), pipeline("4"), CALCULATOR)

    rest = next(one for one in state.in_order() if one.ref_id == "rest")
    assert rest.start_time is not None
    assert rest.end_time is not None
    assert (rest.end_time - rest.start_time).total_seconds() == 4
    assert outcome.seconds_before is not None
    assert outcome.seconds_after == outcome.seconds_before + 1
    parted = {one.ref_id: [(two.pointer, two.before, two.after) for two in one.outputs] for one in outcome.changed}
    assert parted["vars"] == [("/v", "3", "4")]


def test_a_judgment_that_nobody_gave_is_where_it_stops(rich: Recording) -> None:
    second = stage_json("second", "ship", type="manualJudgment")

    outcome, _ = what_if.with_definition(rich, definition(second), CALCULATOR)

    assert (outcome.after, [(one.ref_id, one.why) for one in outcome.open]) == (
        "RUNNING",
        [("second", "nobody has judged")],
    )


def test_a_changed_event_counts_and_is_not_calculated() -> None:
    pipeline: JsonObject = {"application": "shop", "name": "p", "stages": [stage_json("w", type="wait", waitTime=9)]}
    recording = recordings.recorded(pipeline)
    report = next(one.number for one in recording.events if isinstance(one.event, TaskReported))
    failed = {"type": "failed", "problem": {"code": "x", "message": "No."}}

    outcome, _ = what_if.with_changes(recording, [Change(number=report, event={"result": failed})], CALCULATOR)

    assert changes(outcome) == {"w": ("SUCCEEDED", "TERMINAL")}


def test_what_would_ask_the_server_stays_open_and_says_so(rich: Recording) -> None:
    always: JsonObject = {
        "restrictExecutionDuringTimeWindow": True,
        "restrictedExecutionWindow": {"days": [1, 2, 3, 4, 5, 6, 7]},
    }
    window = stage_json("w", "check", type="wait", waitTime=1, **always)
    cluster: JsonObject = {"type": "clusterSize", "context": {"cluster": "a", "regions": ["r"], "expected": 1}}
    sized = stage_json("sized", "check", type="checkPreconditions", preconditions=[cluster])

    outcome, _ = what_if.with_definition(rich, definition(window, sized), CALCULATOR)
    known, _ = what_if.with_definition(rich, definition(window, sized), Calculator(KNOWN, Settings()))

    assert sorted(one.why for one in outcome.open) == [
        f"it asks for the {one} of the server" for one in ("clouds", "settings")
    ]
    assert [one.why for one in known.open] == ["it asks for the clouds of the server"]


def test_a_recorded_result_of_other_work_is_none(rich: Recording) -> None:
    outcome, _ = what_if.with_definition(rich, definition(stage_json("poll", "make", type="call")))

    assert [(one.ref_id, one.what) for one in outcome.open] == [("poll", "how it begins")]


def test_a_definition_that_can_not_run_has_no_stages_and_says_why(rich: Recording) -> None:
    circle = [stage_json("a", "b", type="make"), stage_json("b", "a", type="make")]

    outcome, state = what_if.with_definition(rich, {"stages": circle}, CALCULATOR)

    assert (outcome.before, outcome.after, list(state.in_order())) == ("SUCCEEDED", "TERMINAL", [])
    assert [note for note in outcome.notes if "in a circle: a → b → a" in note] != []


def test_a_definition_that_could_not_run_is_mended() -> None:
    circle: JsonObject = {"application": "shop", "stages": [stage_json("a", "a", type="wait", waitTime=5)]}
    recording = recordings.recorded(circle)

    outcome, _ = what_if.with_definition(recording, {"stages": [stage_json("a", type="wait", waitTime=5)]}, CALCULATOR)

    assert (outcome.before, outcome.after, outcome.open) == ("TERMINAL", "SUCCEEDED", ())
