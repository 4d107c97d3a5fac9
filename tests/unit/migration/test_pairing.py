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
