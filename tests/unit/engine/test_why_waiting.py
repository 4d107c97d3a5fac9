"""Why: more stalls, found by trying them against a running server; the corpus is in test_why.py."""

from datetime import timedelta

import pytest
from tests.stalls import SICK_DEPLOY, WAIT, Case, Site, Stalls, child, running, stage

from gennaker.engine import why_waiting
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


async def expires_in_its_queue(site: Site) -> str:
    config = await site.save("p", WAIT, limitConcurrent=True)
    await site.start(config)
    soon = site.services.clock.now() + timedelta(minutes=5)
    return await site.start({**config, "startTimeExpiry": int(soon.timestamp() * 1000)})


async def circle_of_two_queues(site: Site) -> str:
    first, second = [
        await site.save(one, SHORT, stage("call", "a", type="pipeline", pipeline=other), limitConcurrent=True)
        for one, other in (("p", "q"), ("q", "p"))
    ]
    found = await site.start(first)
    await site.start(second)
    await site.services.clock.sleep_until(site.services.clock.now() + timedelta(minutes=1))
    return found


STOPS = stage("s", type="fail", failPipeline=False)
SHORT = stage("a", type="wait", waitTime=5)
CASES = (
    Case(
        name="a turn that comes too late",
        drive=expires_in_its_queue,
        path="turn>time",
        says="Its time limit comes before it would go on by itself.",
        times_out=True,
    ),
    Case(
        name="a circle through two queues",
        drive=circle_of_two_queues,
        path="execution>turn>execution>turn>deadlock",
        command="gennaker cancel",
    ),
    Case(
        name="a stage behind a branch that has stopped, and one that goes on",
        drive=running(WAIT, STOPS, stage("b", "a", "s")),
        stage="b",
        path="requisite>failed",
        says="Stage s failed",
        command="gennaker restart",
    ),
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


def test_an_object_outside_is_named_with_the_place_where_to_look_at_it() -> None:
    (answer, *_) = Stalls().why(running(stage("a", type="says", says="object"))).answers

    assert (answer.about, answer.url) == ("build job/7", "https://ci/7")


def test_a_clock_that_was_put_back_is_said_to_be_why_it_takes_so_long() -> None:
    (answer, *_) = Stalls().why(running(WAIT)).answers
    assert answer.since is not None

    back, fine = (why_waiting.counted_from_ahead(answer, answer.since - timedelta(seconds=one)) for one in (3600, 1))

    assert "the clock was put back" in back.notes[0]
    assert fine == answer


def test_a_stage_that_gives_up_before_its_time_limit_says_so() -> None:
    (answer, *_) = Stalls().why(running(SICK_DEPLOY)).answers

    assert answer.about == "server-group shop-v000 in local/local"
    assert answer.since is not None
    assert answer.times_out_at is not None
    assert timedelta(minutes=29) < answer.times_out_at - answer.since < timedelta(minutes=31)  # its `upTimeout`
    assert answer.then == "When shop-v000 isn't what it waits for by then, the stage and the pipeline fail."
