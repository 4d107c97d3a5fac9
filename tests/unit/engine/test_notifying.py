"""Notifying: which messages a moment causes."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.make import AT, config, seconds, stage_json, task
from tests.playbook import Playbook

from gennaker.engine import notifying
from gennaker.model.event import Again, CancelAsked, Done, Failed
from gennaker.model.problems import Problem
from gennaker.model.waiting import ForOther

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "events.json").read_text())["notification_dispatch"]
BROKEN = Failed(problem=Problem(code="test.broken", message="It broke."))
ALL = ["pipeline.starting", "pipeline.complete", "pipeline.failed"]
STAGE = [{"type": "email", "address": "team", "when": ["stage.starting", "stage.complete", "stage.failed"]}]


def notified(play: Playbook) -> set[str]:
    return {one for one in play.open() if one.startswith("notify")}


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["id"])
def test_a_notification_is_sent_as_in_echo(case: dict[str, Any]) -> None:
    content = case["event"]["content"]
    listed = content.get("execution", {}).get("notifications") or content["context"]["notifications"]
    _, kind, status = case["event"]["details"]["type"].split(":")

    sent = [one for one in listed if notifying.wants(one, f"{kind}.{status}")]

    assert len(sent) == case["sent"]


def test_the_beginning_and_the_end_of_an_execution_are_told() -> None:
    play = Playbook(is_prepared=False)
    play.submission_prepared(config(stage_json("a"), notifications=[{"type": "email", "address": "x", "when": ALL}]))
    assert notified(play) == {"notify pipeline.starting x"}

    play.prepared("a")

    assert notified(play) == {"notify pipeline.starting x", "notify pipeline.complete x"}


def test_a_failure_is_told_as_one_and_a_cancellation_not_at_all() -> None:
    notifications = [{"type": "email", "address": "x", "when": ["pipeline.failed"]}]
    broken, cancelled = Playbook(is_prepared=False), Playbook(is_prepared=False)
    for play in (broken, cancelled):
        play.submission_prepared(config(stage_json("a"), notifications=notifications))
        play.prepared("a", task())

    broken.reported("a", BROKEN)
    cancelled.send(CancelAsked(at=AT, by="ada"))

    assert notified(broken) == {"notify pipeline.failed x"}
    assert notified(cancelled) == set()


def test_a_stage_tells_only_if_it_says_so() -> None:
    loud = Playbook(stage_json("a", notifications=STAGE, sendNotifications=True))
    quiet = Playbook(stage_json("a", notifications=STAGE))
    for play in (loud, quiet):
        play.prepared("a", task())
        play.reported("a", BROKEN)

    assert notified(loud) == {"notify stage.starting team", "notify stage.failed team"}
    assert notified(quiet) == set()


def test_somebody_who_is_waited_for_is_told_even_without_send_notifications() -> None:
    notifications = [{"type": "email", "address": "approver", "when": ["manualJudgment", "manualJudgmentContinue"]}]
    play = Playbook(stage_json("a", type="manualJudgment", notifications=notifications))
    play.prepared("a", task())

    play.reported("a", Again(after=seconds(9), waiting_for=ForOther(reason="a person"), announce=("manualJudgment",)))
    play.reported("a", Done(announce=("manualJudgmentContinue",)))

    assert notified(play) == {"notify manualJudgment approver"}
    keys = [key for key in play.outbox if "/notify/" in key]
    assert keys == [f"{play.execution.head.id}/a/notify/manualJudgment/0.1.0/0"]
