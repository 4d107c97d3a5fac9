"""Gate's check of a cron expression: what it says and when it fires, or what is wrong."""

from typing import Any
from urllib.parse import quote

from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.settings import EngineSettings, Settings


def validated(expression: str, **engine: Any) -> dict[str, Any]:
    answers: list[dict[str, Any]] = []

    async def work(site: Website) -> None:
        answer = await site.call("GET", f"/cron/validate?expression={quote(expression)}", token=None)
        assert answer.status == 200
        answers.append(answer.json)

    visit(work, harness=Harness(settings=Settings(engine=EngineSettings(**engine))))
    return answers[0]


def test_a_good_expression_is_described_with_its_next_times() -> None:
    said = validated("0 30 9 ? * MON-FRI", time_zone="Europe/Berlin")

    times = said.pop("nextTimes")
    assert said == {"valid": True, "description": "At 09:30, on Monday to Friday", "timeZone": "Europe/Berlin"}
    day = 24 * 3600 * 1000
    assert times == [1767688200000 + number * day for number in (0, 1, 2, 3, 6)]  # from Tuesday, 6 January 2026


def test_h_is_named_in_the_description() -> None:
    said = validated("0 H 9 * * ?", time_zone="Mars/Olympus")

    assert said["description"] == "At 09:00, every day (`H` stands for another number in each trigger)"
    assert said["nextTimes"] == []


def test_a_wrong_expression_is_told_with_all_that_is_wrong() -> None:
    assert validated("0 60 24 ? * MON") == {
        "valid": False,
        "message": "Minutes must be 0 to 59, not 60. Hours must be 0 to 23, not 24.",
    }
