"""Why: more ends, found by trying them against a running server; the corpus is in test_why.py."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from tests.stalls import JUDGE, WAIT, Case, Site, Stalls, child, running, stage

from gennaker.model.codec import JsonObject
from gennaker.model.event import SkipAsked
from gennaker.settings import ConditionSettings, Settings

FREEZE = Settings(conditions={"freeze": ConditionSettings(clusters=("shop-*",), reason="the end of the year")})
HELD = stage("a", type="waitForCondition", cluster="shop-main")
NEVER: JsonObject = {"whitelist": [{"startHour": 10, "startMin": 30, "endHour": 10, "endMin": 15}]}
MAIL: JsonObject = {"type": "pigeon", "address": "team", "when": ["pipeline.complete"]}
STOPS = stage("a", type="fail", failPipeline=False)


def window(times: JsonObject) -> JsonObject:
    return stage("a", restrictExecutionDuringTimeWindow=True, restrictedExecutionWindow=times)


async def skipped_condition(site: Site) -> str:
    found = await site.run(HELD)
    stage_id = await site.stage_id(found, "a")
    await site.tell(found, SkipAsked(at=site.services.clock.now(), stage_id=stage_id, by="bob"))
    return found


async def judged_to_stop(site: Site) -> str:
    found = await site.run(JUDGE)
    await site.judge(found, "a", "stop")
    return found


async def after(site: Site, seconds: int) -> None:
    await site.services.clock.sleep_until(site.services.clock.now() + timedelta(seconds=seconds))


async def whose_child_was_cancelled(site: Site) -> str:
    found = await child(WAIT)(site)
    await site.cancel(await site.child_of(found), "wrong version")
    await after(site, 60)
    return found


async def cut_off_with_its_parents_stage(site: Site) -> str:
    await site.save("c", WAIT)
    late = stage("t", type="wait", waitTime=5)
    found = await site.run(stage("call", type="pipeline", pipeline="c"), late, stage("bad", "t", type="fail"))
    below = await site.child_of(found)
    await after(site, 60)
    return below


async def whose_child_took_too_long(site: Site) -> str:
    await site.save("c", WAIT)
    found = await site.run(stage("call", type="pipeline", pipeline="c", stageTimeoutMs=5_000))
    await after(site, 60)
    return found


async def that_names_somebody_elses_execution(site: Site) -> str:
    failing = stage("s", type="checkPreconditions", preconditions=[{"type": "expression", "context": FALSE}])
    theirs = await site.start({"application": "theirs", "name": "p", "stages": [failing]})
    late = stage("t", type="wait", waitTime=5)
    found = await site.run({**WAIT, "executionId": theirs}, late, stage("bad", "t", type="fail"))
    await after(site, 60)
    return found


FALSE: JsonObject = {"expression": "false", "failureMessage": "What nobody else may read."}

CASES = (
    Case(
        name="a wait that names another application's execution",
        drive=that_names_somebody_elses_execution,
        stage=str(WAIT["refId"]),
        path="failed",
        says="CANCELED.",
    ),
    Case(
        name="a child that was cancelled", drive=whose_child_was_cancelled, path="execution>canceled", says="bob: wrong"
    ),
    Case(
        name="a child whose parent failed elsewhere",
        drive=cut_off_with_its_parents_stage,
        path="canceled.parent",
        says="has ended TERMINAL",
    ),
    Case(name="a child that took too long", drive=whose_child_took_too_long, path="timed-out", says="Stage call"),
    Case(name="a freeze that was skipped", drive=skipped_condition, settings=FREEZE, path="succeeded"),
    Case(
        name="a window that never opens",
        drive=running(window(NEVER)),
        path="failed",
        says="Stage a (its execution window)",
    ),
    Case(
        name="a success with a branch that stopped",
        drive=running(STOPS, stage("b", "a"), stage("c")),
        path="succeeded",
        says="Stage a failed (STOPPED), which the pipeline lets pass",
    ),
    Case(
        name="a success of which a part never began",
        drive=running(STOPS, stage("b", "a"), stage("c")),
        path="succeeded",
        says="Never started: b.",
    ),
    Case(
        name="a success with a failure that was let pass",
        drive=running(stage("a", type="fail", continuePipeline=True), stage("b", "a")),
        path="succeeded",
        says="Stage a failed (FAILED_CONTINUE)",
    ),
    Case(
        name="a message of a kind that there isn't",
        drive=running(stage("a"), notifications=[MAIL]),
        path="notification.failed",
        says="The notification of pipeline.complete was not delivered: There is no notifier of type 'pigeon'.",
    ),
    Case(
        name="a child that there isn't",
        drive=running(stage("a", type="pipeline", pipeline="x")),
        path="failed",
        says="'x'",
    ),
    Case(
        name="variables that can't be evaluated",
        drive=running(
            stage(
                "a",
                type="evaluateVariables",
                failOnFailedExpressions=True,
                variables=[{"key": "v", "value": "${no.x}"}],
            )
        ),
        path="failed.expressions",
        says="no",
    ),
    Case(
        name="a precondition that doesn't hold",
        drive=running(
            stage(
                "a",
                type="checkPreconditions",
                preconditions=[
                    {"type": "expression", "context": {"expression": "1 == 2", "failureMessage": "Not yet."}}
                ],
            )
        ),
        path="failed",
        says="Not yet. (The expression `1 == 2` gave 'false', not true.)",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_first_answer_is_the_cause(case: Case) -> None:
    case.check()


@pytest.mark.parametrize(
    ("drive", "offered"),
    [
        (running(stage("a", type="fail")), ["restart", "ignore-failure"]),
        (running(stage("a", type="fail", continuePipeline=True)), ["restart"]),
        (judged_to_stop, ["restart"]),
    ],
    ids=["failed", "let pass", "judged to stop"],
)
def test_only_ways_that_the_engine_takes_are_offered(
    drive: Callable[[Site], Awaitable[str]], offered: list[str]
) -> None:
    first = Stalls().why(drive, stage="a").answers[0]

    assert [way.command.split()[1] for way in first.ways if way.command] == offered
