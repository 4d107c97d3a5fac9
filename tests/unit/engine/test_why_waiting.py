"""Why: more stalls, found by trying them against a running server; the corpus is in test_why.py."""

import pytest
from tests.stalls import WAIT, Case, Site, child, running, stage

from gennaker.model.codec import JsonObject
from gennaker.settings import ConditionSettings, Settings

FREEZE = Settings(conditions={"freeze": ConditionSettings(clusters=("shop-*",), reason="the end of the year")})
HELD = stage("a", type="waitForCondition", cluster="shop-main")
FAR_AWAY: JsonObject = {"days": [7], "whitelist": [{"startHour": 3, "startMin": 0, "endHour": 4, "endMin": 0}]}


def window(times: JsonObject) -> JsonObject:
    return stage("a", restrictExecutionDuringTimeWindow=True, restrictedExecutionWindow=times)


async def depends_on_a_paused_one(site: Site) -> str:
    other = await site.run(WAIT)
    await site.pause(other)
    return await site.run(stage("a", type="dependsOnExecution", executionId=other))


CASES = (
    Case(
        name="a freeze",
        drive=running(HELD),
        settings=FREEZE,
        path="other",
        says="end of the year",
        command="gennaker skip",
    ),
    Case(
        name="a freeze in a child", drive=child(HELD), settings=FREEZE, path="execution>other", command="gennaker skip"
    ),
    Case(
        name="a window that opens when the parent has timed out",
        drive=child(window(FAR_AWAY)),
        path="execution>window",
        says="Its time limit comes before it would go on by itself.",
        command="gennaker skip",
        times_out=True,
    ),
    Case(
        name="the stage whose window it is",
        drive=running(window(FAR_AWAY)),
        path="window",
        says="Stage a (its execution",
    ),
    Case(name="which task is at work", drive=running(stage("a", type="hang")), path="work", says="task run, done by"),
    Case(
        name="an execution that waits for one that is paused",
        drive=depends_on_a_paused_one,
        path="execution>pause",
        command="gennaker resume",
        times_out=True,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_first_answer_is_the_cause(case: Case) -> None:
    case.check()
