"""Pairing: runs of both sides that one event has started."""

from typing import Any

import pytest

from gennaker.migration import pairing

GIT = {"type": "git", "source": "github", "project": "a", "slug": "b", "branch": "main", "hash": "c0ffee"}
BUILD = {"type": "jenkins", "master": "ci", "job": "shop", "buildNumber": 7}
HOOK = {"type": "webhook", "source": "ci", "payload": {"version": "1"}}


def run(name: str, trigger: dict[str, Any], at: int = 0, pipeline: str = "p") -> dict[str, Any]:
    return {"id": name, "pipelineConfigId": pipeline, "buildTime": at, "trigger": trigger}


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (GIT, {**GIT, "user": "x", "dryRun": True}),
        (BUILD, {**BUILD, "buildNumber": "7"}),
        (HOOK, HOOK),
        (
            {"type": "pipeline", "parentExecution": {"id": "x", "pipelineConfigId": "q", "trigger": GIT}},
            {"type": "pipeline", "parentExecution": {"id": "y", "pipelineConfigId": "q", "trigger": GIT}},
        ),
        ({"type": "manual"}, {"type": "manual", "shadowOf": "theirs"}),
    ],
)
def test_the_same_event_makes_a_pair(there: dict[str, Any], here: dict[str, Any]) -> None:
    theirs, ours = run("theirs", there), run("ours", here)

    assert pairing.paired([theirs], [ours]) == pairing.Pairs(both=((theirs, ours),), only_theirs=(), only_ours=())


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (GIT, {**GIT, "hash": "other"}),
        (HOOK, {**HOOK, "payload": {"version": "2"}}),
        ({"type": "manual"}, {"type": "manual"}),
        ({"type": "cron"}, {"type": "cron"}),
        ({"type": "manual"}, {"type": "manual", "shadowOf": "another"}),
        (HOOK, {**HOOK, "shadowOf": "another"}),
    ],
)
def test_what_nothing_tells_to_be_the_same_is_none(there: dict[str, Any], here: dict[str, Any]) -> None:
    theirs, ours = run("theirs", there), run("ours", here)

    assert pairing.paired([theirs], [ours]) == pairing.Pairs(both=(), only_theirs=(theirs,), only_ours=(ours,))


def test_an_event_that_came_twice_makes_pairs_in_order() -> None:
    theirs = [run("t2", HOOK, 20), run("t1", HOOK, 10), run("t3", HOOK, 30, pipeline="q")]
    ours = [run("o2", HOOK, 21), run("o1", HOOK, 11)]

    found = pairing.paired(theirs, ours)

    assert [(one["id"], other["id"]) for one, other in found.both] == [("t1", "o1"), ("t2", "o2")]
    assert [one["id"] for one in found.only_theirs] == ["t3"]


def test_what_was_sent_before_the_shadow_takes_no_pair_from_what_was_sent_since() -> None:
    theirs = [run("before", HOOK, 10), run("since", HOOK, 20)]

    found = pairing.paired(theirs, [run("ours", HOOK, 21)], since_ms=15)

    assert [(one["id"], other["id"]) for one, other in found.both] == [("since", "ours")]
    assert [one["id"] for one in found.only_theirs] == ["before"]


@pytest.mark.parametrize(
    ("here", "later", "is_pair"),
    [
        ({}, 20_000, True),
        ({}, 40_000, False),
        ({"cronExpression": "0 0 13 ? * THU"}, 0, False),
        ({"type": "manual"}, 0, False),
    ],
)
def test_the_clock_has_started_what_was_due_at_the_same_time(
    *, here: dict[str, str], later: int, is_pair: bool
) -> None:
    cron = {"type": "cron", "cronExpression": "0 0 12 ? * THU"}
    theirs, ours = run("theirs", cron, 10_000_000), run("ours", {**cron, **here}, 10_000_000 + later)

    assert bool(pairing.paired([theirs], [ours]).both) is is_pair


def test_times_that_each_side_chooses_for_itself_tell_nothing() -> None:
    cron = {"type": "cron", "cronExpression": "0 H 12 * * ?"}

    assert pairing.paired([run("theirs", cron)], [run("ours", cron)]).both == ()
