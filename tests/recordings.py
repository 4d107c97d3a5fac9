"""Recordings for tests: a rich execution, really run, with everything that has happened to it."""

import asyncio

from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness
from tests.make import stage_json

from gennaker.engine import recording, rules
from gennaker.engine.recording import Recording
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.event import IgnoreFailureAsked, ManualJudgmentGiven, PauseAsked, ResumeAsked, SkipAsked
from gennaker.plugins.flow import plugin as flow

RICH: JsonObject = {
    "id": "p1",
    "application": "shop",
    "name": "deliver",
    "limitConcurrent": True,
    "notifications": [{"type": "test", "address": "team", "when": ["pipeline.complete", "pipeline.failed"]}],
    "stages": [
        stage_json("make", type="make"),
        stage_json("soak", "make", type="wait", waitTime=60),
        stage_json("poll", "make", type="poll"),
        stage_json("judge", "soak", "poll", type="manualJudgment"),
        stage_json("ship", "judge", type="make", note="${ #stage('poll').outputs.polls }"),
        stage_json("check", "ship", type="fail", stageTimeoutMs=60_000),
        stage_json("tell", "check", type="wait", waitTime=600),
    ],
}
"""Parallel branches, a poll, a pause, a judgment, a failure that is ignored, a skipped wait, an expression, mail."""


def rich() -> Recording:
    """The rich pipeline run to its end."""
    return recorded(RICH, _steer)


async def _steer(services: Services, execution_id: str) -> None:
    executions = services.executions

    async def tell(event: object) -> None:
        await executions.tell(execution_id, event, TESTER)  # type: ignore[arg-type]  # an event
        await asyncio.sleep(1)

    async def stage(name: str) -> str:
        found = await executions.get(execution_id)
        assert found is not None
        return next(one.id for one in found.in_order() if one.name == name)

    now = services.clock.now
    await asyncio.sleep(10)
    await tell(PauseAsked(at=now(), by="ada"))
    await asyncio.sleep(30)
    await tell(ResumeAsked(at=now(), by="ada"))
    await asyncio.sleep(120)
    await tell(ManualJudgmentGiven(at=now(), stage_id=await stage("judge"), by="bob", judgment="continue"))
    await asyncio.sleep(5)
    await tell(IgnoreFailureAsked(at=now(), stage_id=await stage("check"), by="ada", reason="known"))
    await tell(SkipAsked(at=now(), stage_id=await stage("tell"), by="ada"))


def recorded(pipeline: JsonObject, steer: object = None) -> Recording:
    """A pipeline run to its end, with what someone does meanwhile."""
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    execution = harness.run(pipeline, meanwhile=steer)  # type: ignore[arg-type]  # a Meanwhile
    found: list[Recording] = []

    async def look() -> None:
        types = {id(one): one for one in harness.built().stage_types.values()}.values()
        events = await harness.journal.events(execution.head.id)
        given = rules.from_stage_types(types)
        stored = await harness.journal.load(execution.head.id)
        assert stored is not None
        found.append(recording.of(stored, events, rules=given, engine_versions=("0.1.0",)))

    harness.time.run(look())
    return found[0]
