"""Notifying: which messages a moment causes."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.make import AT, config, seconds, stage_json, task
from tests.playbook import Playbook, stage_id

from gennaker.engine import notifying
from gennaker.model.codec import Json, milliseconds
from gennaker.model.effect import Notify
from gennaker.model.event import Again, CancelAsked, Done, Failed, RestartAsked, TaskResult
from gennaker.model.execution import ExecutionKind
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
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


def test_what_another_system_runs_is_told_by_that_one_alone() -> None:
    shadow, own = Playbook(is_prepared=False, trigger={"shadow": True}), Playbook(is_prepared=False)

    for play in (shadow, own):
        play.submission_prepared(
            config(stage_json("a"), notifications=[{"type": "email", "address": "x", "when": ALL}]),
            trigger=play.execution.head.trigger,
        )

    assert notified(shadow) == set()
    assert notified(own) == {"notify pipeline.starting x"}


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


@pytest.mark.parametrize(
    ("result", "moments"),
    [
        (Done(), ["stage.starting", "stage.complete"]),
        (Done(status=Status.FAILED_CONTINUE), ["stage.starting", "stage.failed"]),
        (Done(status=Status.STOPPED), ["stage.starting", "stage.failed"]),
        (BROKEN, ["stage.starting", "stage.failed"]),
        (Failed(problem=BROKEN.problem, status=Status.CANCELED), ["stage.starting"]),
    ],
)
def test_a_stage_tells_how_it_has_ended(result: TaskResult, moments: list[str]) -> None:
    play = Playbook(stage_json("a", sendNotifications=True, notifications=STAGE))
    play.prepared("a", task())

    play.reported("a", result)

    sent = [one.effect for one in play.outbox.values() if isinstance(one.effect, Notify)]
    assert [one.moment for one in sent] == moments
    assert {one.stage_id for one in sent} == {stage_id("a")}


def test_an_orchestration_tells_of_a_task() -> None:
    play = Playbook(is_prepared=False, kind=ExecutionKind.ORCHESTRATION)
    told = [{"type": "email", "address": "x", "when": ["task.starting", "pipeline.starting"]}]

    play.submission_prepared(config(stage_json("a"), notifications=told))

    assert notified(play) == {"notify task.starting x"}


def judged(**notification: Json) -> Playbook:
    """A judgment that tells a judge, and looks again after the pauses that it is given."""
    listed: list[Json] = ["odd", {"type": "email", "address": "x", "when": ["manualJudgment"], **notification}]
    play = Playbook(stage_json("a", type="manualJudgment", notifications=listed))
    play.prepared("a", task())
    return play


def reminded(play: Playbook, *pauses: float) -> list[bool]:
    """Whether the judge was told at each look."""
    sent = []
    for pause in pauses:
        play.later(seconds(pause))
        step = play.reported(
            "a", Again(after=seconds(1), waiting_for=ForOther(reason="a judge"), announce=("manualJudgment",))
        )
        sent.append(any(isinstance(one.effect, Notify) for one in step.effects))
    return sent


@pytest.mark.parametrize("every", [None, 0, "60000", 60_000, 60_000.5])
def test_a_judge_is_reminded_whenever_that_long_has_passed(*, every: Json) -> None:
    play = judged(notifyEveryMs=every)

    sent = reminded(play, 1, 59.999, 0.001, 59, 1, 61)

    is_reminded = {60_000: [True, False, True, False, True, True], 60_000.5: [True, False, False, True, False, True]}
    assert sent == is_reminded.get(every, [True, False, False, False, False, False])  # type: ignore[call-overload]  # a number


def test_what_was_sent_when_is_kept_with_the_notification() -> None:
    play = judged(lastNotifiedByNotificationState={"manualJudgmentStop": 5})

    reminded(play, 1)

    listed = play.stage("a").context["notifications"]
    sent = {"manualJudgmentStop": 5, "manualJudgment": milliseconds(play.at)}
    assert listed == [
        "odd",
        {"type": "email", "address": "x", "when": ["manualJudgment"], "lastNotifiedByNotificationState": sent},
    ]


def test_a_judge_is_told_again_when_the_stage_has_begun_anew() -> None:
    play = judged()
    assert reminded(play, 1, 1) == [True, False]
    play.reported("a", BROKEN)

    play.send(RestartAsked(at=play.later(seconds(1)), stage_id=stage_id("a"), by="ada"))
    play.prepared("a", task())

    assert reminded(play, 1, 1) == [True, False]


@pytest.mark.parametrize("moment", ["manualJudgmentContinue", "manualJudgmentStop"])
@pytest.mark.parametrize("is_sent", [True, False])
def test_how_a_judgment_ended_is_told_once_if_the_stage_says_so(*, moment: str, is_sent: bool) -> None:
    listed: list[Json] = [{"type": "email", "address": "x", "when": [moment]}]
    play = Playbook(stage_json("a", type="manualJudgment", notifications=listed, sendNotifications=is_sent))
    play.prepared("a", task("judge"), task("rest"))

    play.reported("a", Done(announce=(moment,)))

    assert notified(play) == ({f"notify {moment} x"} if is_sent else set())
