"""When the clock starts pipelines next."""

from typing import Any

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.settings import EngineSettings, Settings

DAILY = {"type": "cron", "enabled": True, "cronExpression": "0 30 9 * * ?"}
HOURLY = {**DAILY, "cronExpression": "0 15 * * * ?"}


def due(*triggers: dict[str, Any], **engine: Any) -> list[str | None]:
    found: list[str | None] = []

    async def work(site: Website) -> None:
        body = {"application": "shop", "name": "p", "stages": [], "triggers": [*triggers]}
        assert (await site.call("POST", "/api/v1/pipelines", json=body)).status == 200
        shown = (await site.call("GET", "/api/v1/pipelines")).json["pipelines"]
        found.extend(one.get("nextDue") for one in shown)

    visit(work, harness=Harness(settings=Settings(engine=EngineSettings(**{"time_zone": "UTC", **engine}))))
    return found


@pytest.mark.parametrize(
    ("triggers", "expected"),
    [
        ([DAILY], "2026-01-05T09:30:00+00:00"),
        ([DAILY, HOURLY], "2026-01-05T09:15:00+00:00"),
        ([{**DAILY, "enabled": False}], None),
        ([{**DAILY, "cronExpression": "0 0 9 * * ? 2020"}], None),
        ([], None),
    ],
)
def test_the_first_of_a_pipelines_triggers_counts(triggers: list[dict[str, Any]], expected: str | None) -> None:
    assert due(*triggers) == [expected]


@pytest.mark.parametrize("engine", [{"cron_triggers": False}, {"time_zone": "Mars/Olympus"}])
def test_where_nothing_fires_nothing_is_promised(engine: dict[str, Any]) -> None:
    assert due(DAILY, **engine) == [None]
