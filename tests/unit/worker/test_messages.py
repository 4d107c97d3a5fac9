"""Messages: Spinnaker's words, a link, expressions evaluated, the notification's own texts."""

import pytest
from tests import make

from gennaker.interfaces.notifiers import Message
from gennaker.model.codec import JsonObject
from gennaker.model.effect import Notify
from gennaker.worker import messages

BASE = "http://127.0.0.1:8084"
LINK = f"{BASE}/ui/#/executions/{make.EXECUTION}"
EXECUTION = make.execution(
    make.stage_json("Approve", type="manualJudgment", instructions="Look at the canary.", colour="red"),
    trigger={"tag": "1.2.3", "artifacts": [{"name": "shop"}]},
)
STAGE = next(EXECUTION.in_order())


def composed(moment: str, *, about_stage: bool = False, is_repeat: bool = False, **options: object) -> Message:
    notification: JsonObject = {"type": "test", "address": "team", **options}  # type: ignore[dict-item]  # JSON
    effect = Notify(key="k/1", notification=notification, moment=moment, stage_id=STAGE.id if about_stage else None)
    return messages.compose(effect, EXECUTION, base_url=BASE, is_repeat=is_repeat, at=make.AT)


@pytest.mark.parametrize(
    ("moment", "about_stage", "subject"),
    [
        ("pipeline.starting", False, "Shop's deliver pipeline is starting"),
        ("pipeline.complete", False, "Shop's deliver pipeline has completed successfully"),
        ("pipeline.failed", False, "Shop's deliver pipeline has failed"),
        ("stage.failed", True, "Stage Approve for Shop's deliver has failed"),
        ("manualJudgment", True, "Stage Approve for Shop's deliver is awaiting manual judgment"),
        ("manualJudgmentContinue", True, "Stage Approve for Shop's deliver was judged to continue"),
        ("manualJudgmentStop", True, "Stage Approve for Shop's deliver was judged to stop"),
    ],
)
def test_the_subject_is_spinnakers(moment: str, about_stage: bool, subject: str) -> None:
    assert composed(moment, about_stage=about_stage).subject == subject


def test_a_message_has_everything_that_people_and_programs_need() -> None:
    message = composed("manualJudgment", about_stage=True, is_repeat=True, cc="boss")

    assert message.delivery_id == "k/1"
    assert message.address == "team"
    assert message.cc == "boss"
    assert message.link == LINK
    assert message.is_repeat
    assert message.text == f"{message.subject}\n\nLook at the canary.\n\n{LINK}"
    assert message.facts == {
        "executionId": make.EXECUTION,
        "application": "shop",
        "pipeline": "deliver",
        "status": "NOT_STARTED",
        "artifacts": [{"name": "shop"}],
        "stageId": STAGE.id,
        "stage": "Approve",
        "stageType": "manualJudgment",
    }


def test_a_moments_own_text_is_said_too() -> None:
    message = composed("pipeline.complete", message={"pipeline.complete": {"text": "Well done."}})

    assert "\n\nWell done.\n\n" in message.text


def test_custom_texts_replace_the_words() -> None:
    message = composed("pipeline.failed", customSubject="Oh no", customBody="{{executionId}}: {{link}}")

    assert (message.subject, message.text) == ("Oh no", f"{make.EXECUTION}: {LINK}")


def test_expressions_are_evaluated_as_the_stage_sees_them() -> None:
    message = composed(
        "manualJudgment", about_stage=True, address="${colour}-team", customSubject="${trigger.tag} waits"
    )

    assert (message.address, message.subject) == ("red-team", "1.2.3 waits")
    assert message.options["address"] == "red-team"


def test_an_expression_that_fails_stays_as_it_is() -> None:
    assert composed("pipeline.failed", customSubject="${nobody.knows}").subject == "${nobody.knows}"


@pytest.mark.parametrize("nothing", [None, 5, [], {}])
def test_texts_that_are_none_are_left_out(nothing: object) -> None:
    message = composed("pipeline.failed", address=nothing, cc=nothing, customSubject=nothing, message=nothing)

    assert (message.address, message.cc) == ("", "")
    assert message.subject == "Shop's deliver pipeline has failed"
