"""Why: a corpus of hangs, stalls and ends, each really driven, each with the right first answer.

`path` is the chain of causes, from what was asked about to the cause, by their codes.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.stalls import JOB, JUDGE, SICK_DEPLOY, WAIT, Case, Site, behind, child, running, stage

from gennaker.interfaces.inspection import Facts, Work, Workforce
from gennaker.interfaces.journal import Commit
from gennaker.model.codec import JsonObject
from gennaker.model.event import IgnoreFailureAsked, SkipAsked

SERVER = Workforce(name="another server", hands=64)


async def third_in_line(site: Site) -> str:
    config = await site.save("p", JUDGE, limitConcurrent=True, keepWaitingPipelines=True)
    await site.start(config)
    await site.start(config)
    return await site.start(config)


async def two_at_a_time(site: Site) -> str:
    config = await site.save("p", WAIT, maxConcurrentExecutions=2)
    await site.start(config)
    await site.start(config)
    return await site.start(config)


async def child_in_its_queue(site: Site) -> str:
    config = await site.save("c", JUDGE, limitConcurrent=True)
    await site.start(config)
    return await site.run(stage("call", type="pipeline", pipeline="c", application="shop"))


async def waits_for_itself(site: Site) -> str:
    own = stage("call", type="pipeline", pipeline="p", application="shop")
    return await site.start(await site.save("p", own, limitConcurrent=True))


async def paused(site: Site) -> str:
    found = await site.run(WAIT)
    await site.pause(found)
    return found


async def paused_child(site: Site) -> str:
    found = await child(WAIT)(site)
    await site.pause(await site.child_of(found))
    return found


async def judged_by_the_wrong_one(site: Site) -> str:
    found = await site.run(stage("a", type="manualJudgment", requiredJudgmentRoles=["ops"]))
    await site.judge(found, "a", "continue", "dev")
    return found


async def held_by_another(site: Site) -> str:
    other = await site.run(JUDGE)
    return await site.run(stage("a", type="says", says="lock", holder=other))


async def builder_busy(site: Site) -> str:
    other = await site.run(WAIT)
    return await site.run(stage("a", type="says", says="builders", holder=other))


async def child_is_cancelled_with_its_parent(site: Site) -> str:
    found = await child(WAIT)(site)
    below = await site.child_of(found)
    await site.cancel(found, "wrong version")
    return below


async def cancelled(site: Site) -> str:
    found = await site.run(WAIT)
    await site.cancel(found, "wrong version")
    return found


async def half_applied(site: Site) -> str:
    left: JsonObject = {"applied": ["service lb"], "notApplied": ["deployment web"]}
    found = await site.run({**WAIT, "name": "Deploy", "manifestsWhenStopped": left})
    await site.cancel(found, "wrong version")
    return found


async def cut_off_by_a_failure_that_was_ignored(site: Site) -> str:
    found = await site.run(WAIT, stage("bad", type="fail"))
    await site.services.clock.sleep_until(site.services.clock.now() + timedelta(minutes=1))
    stage_id = await site.stage_id(found, "bad")
    await site.tell(found, IgnoreFailureAsked(at=site.services.clock.now(), stage_id=stage_id, by="bob"))
    return found


async def superseded(site: Site) -> str:
    config = await site.save("p", WAIT, limitConcurrent=True)
    first = await site.start(config)
    second = await site.start(config)
    await site.start(config)
    await site.cancel(first)
    return second


async def judged_to_stop(site: Site) -> str:
    found = await site.run(JUDGE)
    await site.judge(found, "a", "stop")
    return found


async def skipped_by_hand(site: Site) -> str:
    await site.save("c", WAIT)
    found = await site.run(stage("call", type="pipeline", pipeline="c", application="shop", skippable=True))
    stage_id = await site.stage_id(found, "call")
    await site.tell(found, SkipAsked(at=site.services.clock.now(), stage_id=stage_id, by="bob"))
    return found


async def timed_out(site: Site) -> str:
    found = await site.run(stage("a", type="says", says="object", stageTimeoutMs=60_000))
    await site.services.clock.sleep_until(site.services.clock.now() + timedelta(minutes=2))
    return found


async def effect_vanished(site: Site) -> str:
    found = await site.run(stage("a", type="says", says="object"))
    outbox = (await site.facts(found)).known[found].outbox
    keys = tuple(one.effect.key for one in outbox)
    await site.harness.journal.commit(Commit(dropped_effects=keys))
    return found


async def retried_often(site: Site) -> str:
    found = await site.run(stage("a", type="refused"))
    await site.services.clock.sleep_until(site.services.clock.now() + timedelta(seconds=10))
    return found


async def given_up(site: Site) -> str:
    found = await site.run(stage("a", type="refused"))
    await site.services.clock.sleep_until(site.services.clock.now() + timedelta(minutes=5))
    return found


async def message_not_taken(site: Site) -> str:
    mail = {"type": "test", "address": "nobody", "when": ["pipeline.complete"]}
    return await site.run(stage("a"), notifications=[mail])


def at_another_server(facts: Facts) -> Facts:
    """All that is asked for is another server's."""
    theirs = {
        pending.effect.key: Work(worker="db-1:42", is_elsewhere=True)
        for known in facts.known.values()
        for pending in known.outbox
    }
    return replace(facts, workforce=replace(SERVER, at_work=theirs))


def as_seen_by(workforce: Workforce) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, workforce=workforce)


MAIL = {"type": "test", "address": "team", "when": ["pipeline.starting"]}
ROLES = stage("a", type="manualJudgment", requiredJudgmentRoles=["ops", "lead"])
CHOICES = stage("a", type="manualJudgment", judgmentInputs=[{"value": "all at once"}])
EVENING: JsonObject = {"whitelist": [{"startHour": 18, "startMin": 0, "endHour": 20, "endMin": 0}]}
WINDOW = stage("a", restrictExecutionDuringTimeWindow=True, restrictedExecutionWindow=EVENING)
UNFIT = "${ #noSuchThing('x') }"
CASES = (
    # what ends by itself
    Case(name="a wait", drive=running(WAIT), path="time", command="gennaker skip", goes_on=True, times_out=False),
    Case(name="an execution window", drive=running(WINDOW), path="window", says="window", command="skip", goes_on=True),
    Case(name="a wait in a child", drive=child(WAIT), path="execution>time", says="a waits for", times_out=True),
    Case(name="a wait in a grandchild", drive=child(WAIT, depth=2), path="execution>execution>time"),
    # people
    Case(
        name="a judgment",
        drive=running(JUDGE),
        path="judgment",
        command="gennaker approve",
        times_out=True,
        goes_on=False,
    ),
    Case(name="a judgment by roles", drive=running(ROLES), path="judgment", says="judge", command="gennaker reject"),
    Case(name="a judgment with choices", drive=running(CHOICES), path="judgment", command="--input 'all at once'"),
    Case(name="a judgment by who may not", drive=judged_by_the_wrong_one, path="judgment.refused", says="bob"),
    Case(name="a judgment in a child", drive=child(JUDGE), path="execution>judgment", command="approve"),
    Case(name="a pause", drive=paused, path="pause", says="bob", command="gennaker resume"),
    Case(name="a paused child", drive=paused_child, path="execution>pause", command="gennaker resume"),
    Case(name="a judgment beside a wait", drive=running(WAIT, stage("b", type="manualJudgment")), path="judgment"),
    # queues and locks
    Case(name="a turn behind a wait", drive=behind(WAIT), path="turn>time", command="gennaker skip"),
    Case(name="a turn behind a judgment", drive=behind(JUDGE), path="turn>judgment", command="gennaker approve"),
    Case(name="third in line", drive=third_in_line, path="turn>judgment"),
    Case(name="two at a time", drive=two_at_a_time, path="turn>time"),
    Case(name="a turn behind a child", drive=behind(stage("a", type="says", says="artifact")), path="turn>artifact"),
    Case(name="a child in its queue", drive=child_in_its_queue, path="execution>turn>judgment"),
    Case(
        name="a pipeline that waits for itself", drive=waits_for_itself, path="execution>turn>deadlock", says="circle"
    ),
    Case(name="a lock", drive=held_by_another, path="lock>judgment", command="gennaker approve"),
    Case(name="a lock of nobody known", drive=running(stage("a", type="says", says="lock")), path="lock", says="shop"),
    Case(name="a busy builder", drive=builder_busy, path="turn>time"),
    # the world outside
    Case(name="an artifact", drive=running(stage("a", type="says", says="artifact")), path="artifact", says="shop:2"),
    Case(name="a build", drive=running(stage("a", type="says", says="object")), path="object", says="queued"),
    Case(
        name="instances that don't come up",
        drive=running(SICK_DEPLOY),
        path="object",
        says="answered 500",
        times_out=True,
    ),
    Case(name="a job", drive=running(JOB), path="object", says="job", times_out=True),
    Case(name="words only", drive=running(stage("a", type="says", says="other")), path="other", says="the stars"),
    Case(name="a retry", drive=running(stage("a", type="refused")), path="retry", says="Nobody answers", goes_on=True),
    Case(name="a late retry", drive=retried_often, path="retry", says="try 5 of 6", goes_on=True),
    Case(
        name="a plan that is retried", drive=running(stage("a", type="unplannable")), path="retry", says="try 2 of 40"
    ),
    Case(
        name="an expression that stayed text",
        drive=running(stage("a", type="says", says="other", note="${ noSuchKey }")),
        path="other",
        says="noSuchKey",
    ),
    # workers
    Case(name="a plan under way", drive=running(stage("a", type="neverPlanned")), path="work", says="its plan"),
    Case(name="a run under way", drive=running(stage("a", type="hang")), path="work", says="first run", times_out=True),
    Case(name="a dead server", drive=running(WAIT), path="worker.down", seen=as_seen_by(Workforce()), command="serve"),
    Case(
        name="a dead worker",
        drive=running(stage("a", type="make")),
        kill_at=("effect.before:RunTask:make.run",),
        path="worker.gone",
        seen=as_seen_by(SERVER),
        says="Nobody performs",
    ),
    Case(
        name="a run at another server of the store",
        drive=running(stage("a", type="hang")),
        path="work",
        seen=at_another_server,
        says="db-1:42",
    ),
    Case(
        name="a turn behind a dead worker",
        drive=behind(stage("a", type="hang")),
        path="turn>worker.gone",
        seen=as_seen_by(SERVER),
    ),
    Case(
        name="a recovering server",
        drive=running(stage("a", type="hang")),
        path="worker.recovering",
        seen=as_seen_by(Workforce(name="this server", is_ready=False)),
    ),
    Case(
        name="no free hand",
        drive=running(stage("a", type="hang"), stage("b", type="hang")),
        hands=1,
        path="worker.busy",
        says="All 1 hands",
    ),
    Case(name="an effect that vanished", drive=effect_vanished, path="lost.effect", command="gennaker cancel"),
    Case(
        name="a child that is gone",
        drive=running(stage("a", type="says", says="execution", holder="01GONE")),
        path="execution.lost",
        says="01GONE",
    ),
    Case(
        name="a child that ended while nobody told",
        drive=child(stage("a", type="wait", waitTime=30)),
        kill_at=("effect.before:Deliver:ChildEnded",),
        path="execution.ended",
        seen=as_seen_by(SERVER),
        says="SUCCEEDED",
    ),
    # requisites
    Case(name="a stage behind a judgment", drive=running(JUDGE, stage("b", "a")), stage="b", path="requisite>judgment"),
    Case(
        name="a stage behind two",
        drive=running(WAIT, stage("b", "a"), stage("c", "b")),
        stage="c",
        path="requisite>requisite>time",
    ),
    # ends
    Case(
        name="a failure", drive=running(stage("a", type="fail")), path="failed", says="meant to fail", command="restart"
    ),
    Case(
        name="a failure with its last lines",
        drive=running(stage("a", type="noisy")),
        path="failed",
        says="line 29\nline 30",
    ),
    Case(name="a failed child", drive=child(stage("a", type="fail")), path="execution>failed", says="meant to fail"),
    Case(
        name="a failed grandchild",
        drive=child(stage("a", type="fail"), depth=2),
        path="execution>execution>failed",
        command="ignore-failure",
    ),
    Case(name="a time-out", drive=timed_out, path="timed-out", says="timed out"),
    Case(name="retries used up", drive=given_up, path="failed", says="Nobody answers"),
    Case(name="judged to stop", drive=judged_to_stop, path="judgment.stopped", says="bob"),
    Case(name="cancelled", drive=cancelled, path="canceled", says="bob: wrong version"),
    Case(
        name="cancelled with manifests that were applied",
        drive=half_applied,
        path="canceled",
        says="When stage Deploy was stopped: applied are service lb; not applied is deployment web. Nothing is taken back",
    ),
    Case(
        name="cancelled with its parent", drive=child_is_cancelled_with_its_parent, path="canceled.parent", says="bob"
    ),
    Case(
        name="cut off by a failure that was ignored since",
        drive=cut_off_by_a_failure_that_was_ignored,
        path="canceled.stage",
        says="cancelled: a",
        command="--stage a",
    ),
    Case(name="superseded", drive=superseded, path="canceled.superseded", says="newer"),
    Case(
        name="expired",
        drive=running(stage("a", startTimeExpiry="1000")),
        stage="a",
        path="skipped.expired",
        says="1970",
    ),
    Case(
        name="skipped by its condition",
        drive=running(stage("a", stageEnabled={"type": "expression", "expression": "false"})),
        stage="a",
        path="skipped",
        says="condition is false",
    ),
    Case(name="skipped by hand", drive=skipped_by_hand, stage="call", path="skipped.by-hand", says="bob"),
    Case(
        name="never started",
        drive=running(stage("a", type="fail"), stage("b", "a")),
        stage="b",
        path="never-started",
        says="a, which it requires, is TERMINAL",
    ),
    Case(name="a disabled pipeline", drive=running(WAIT, disabled=True), path="failed.submission", says="disabled"),
    Case(
        name="a failed expression",
        drive=running(stage("a", type="make", note=UNFIT, failOnFailedExpressions=True)),
        path="failed.expressions",
        says="noSuchThing",
    ),
    Case(
        name="an expression that can't be read",
        drive=running(stage("a", type="make", note="v${1 +}", failOnFailedExpressions=True)),
        path="failed.expressions",
        says="`v${1 +}` at /note could not be evaluated: Expected a value, found the end of the expression (character 7: }).",
    ),
    Case(
        name="an unknown function in an expression",
        drive=running(stage("a", type="make", note="${#stag('x')}", failOnFailedExpressions=True)),
        path="failed.expressions",
        says="There is no function #stag (character 3: #stag('x')). Did you mean #stage?",
    ),
    Case(
        name="a condition that can't be evaluated",
        drive=running(stage("a", stageEnabled={"type": "expression", "expression": "1 +"})),
        stage="a",
        path="skipped",
        says="can't be evaluated: 1 +: Expected a value, found the end of the expression (character 4, the end)",
    ),
    Case(name="success", drive=running(stage("a", type="make")), path="succeeded"),
    Case(
        name="requests that outlasted the drain time",
        drive=running(stage("a", type="make", requestsLeft={"shop-v001": 3})),
        path="succeeded",
        says="3 requests at shop-v001 had not ended",
    ),
    Case(
        name="a drain whose outcome nobody can tell",
        drive=running(stage("a", type="make", requestsLeft={"shop-v001": None})),
        path="succeeded",
        says="Whether requests at shop-v001 had ended when the time for draining (`drainTimeout`) was over is not known",
    ),
    Case(
        name="a message that was not taken",
        drive=message_not_taken,
        path="notification.failed",
        says="Nobody lives there",
    ),
    Case(
        name="a call whose outcome is unknown",
        drive=running(stage("a", type="call")),
        kill_at=("effect.after:RunTask:call.run", "effect.after:RunTask:call.run#2"),
        lives=3,
        path="effect.unknown",
        says="unknown",
    ),
    Case(
        name="a mail whose fate is unknown",
        drive=running(stage("a", type="make"), notifications=[MAIL]),
        kill_at=("effect.after:Notify:pipeline.starting", "effect.after:Notify:pipeline.starting#2"),
        lives=3,
        path="notification.unknown",
        says="may or may not",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_first_answer_is_the_cause(case: Case) -> None:
    case.check()


def test_the_corpus_is_large_and_its_names_are_its_own() -> None:
    names = [case.name for case in CASES]

    assert len(names) == len(set(names)) >= 40
