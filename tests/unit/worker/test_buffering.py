"""Buffering: who is held back while many executions run, who is taken up when there is room, and what one may do meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests import make
from tests.harness import TESTER, Harness, ended

from gennaker.engine import rules, why
from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.event import CancelAsked, PauseAsked, RestartAsked
from gennaker.model.execution import ExecutionKind
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import EngineSettings, Settings

WAIT = make.stage_json("w", type="wait", waitTime=60)


def visit(work: Callable[["Visit"], Awaitable[None]], *, most: int = 2, harness: Harness | None = None) -> Harness:
    harness = harness or Harness(flow.plugin)
    harness.settings = Settings(engine=EngineSettings(most_running=most))

    async def main(services: Services) -> None:
        await work(Visit(services))

    harness.do(main)
    return harness


class Visit:
    """A running installation."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def start(self, *stages: JsonObject, kind: ExecutionKind = ExecutionKind.PIPELINE, **trigger: Any) -> str:
        config = make.config(*(stages or (WAIT,)))
        execution_id = await self.services.executions.submit(
            Submission(kind=kind, config=config, trigger=trigger), TESTER
        )
        await asyncio.sleep(0.5)
        return execution_id

    async def status(self, execution_id: str) -> Status:
        found = await self.services.executions.get(execution_id)
        assert found is not None
        return found.head.status


def test_pipelines_are_held_back_while_many_run_and_taken_up_oldest_first() -> None:
    async def work(visit: Visit) -> None:
        ids = [await visit.start() for _ in range(4)]
        assert [await visit.status(one) for one in ids] == [Status.RUNNING] * 2 + [Status.BUFFERED] * 2

        await ended(visit.services, ids[0])
        await asyncio.sleep(0.2)
        assert [await visit.status(one) for one in ids[2:]] == [Status.BUFFERED] * 2
        await asyncio.sleep(1.5)
        assert [await visit.status(one) for one in ids[1:]] == [Status.SUCCEEDED, Status.RUNNING, Status.RUNNING]
        for one in ids[2:]:
            assert (await ended(visit.services, one)).head.status is Status.SUCCEEDED

    visit(work)


def test_without_a_limit_nobody_is_held_back() -> None:
    async def work(visit: Visit) -> None:
        ids = [await visit.start() for _ in range(5)]
        assert {await visit.status(one) for one in ids} == {Status.RUNNING}

    visit(work, most=0)


def test_orchestrations_and_children_that_are_waited_for_are_never_held_back() -> None:
    async def work(visit: Visit) -> None:
        child: JsonObject = {**make.config(WAIT), "id": "child"}
        await visit.services.definitions.save("pipeline", "child", child, author="ada")

        parent = await visit.start(make.stage_json("p", type="pipeline", pipeline="child"))
        job = await visit.start(kind=ExecutionKind.ORCHESTRATION)
        other = await visit.start()

        assert await visit.status(job) is Status.RUNNING
        assert await visit.status(other) is Status.BUFFERED
        assert (await ended(visit.services, parent)).head.status is Status.SUCCEEDED

    visit(work, most=1)


def test_one_that_is_held_back_says_why_and_can_be_cancelled_but_nothing_else() -> None:
    async def work(visit: Visit) -> None:
        await visit.start()
        held = await visit.start()
        executions, at = visit.services.executions, visit.services.clock.now()

        explained = why.explain(await executions.facts(held), rules.Rules(), stage_ref="")
        assert (
            "fewer than 1 executions to run in this installation (engine.most-running)" in explained.answers[0].sentence
        )
        for event in (PauseAsked(at=at, by="ada"), RestartAsked(at=at, by="ada", stage_id="x")):
            with pytest.raises(Refused):
                await executions.tell(held, event, TESTER)
        cancelled = await executions.tell(held, CancelAsked(at=at, by="ada", reason="no longer"), TESTER)
        assert (cancelled.head.status, cancelled.head.cancellation_reason) == (Status.CANCELED, "no longer")
        await asyncio.sleep(100)
        assert await visit.status(held) is Status.CANCELED

    visit(work, most=1)


def test_a_pipeline_s_own_limit_holds_when_it_is_taken_up() -> None:
    async def work(visit: Visit) -> None:
        config: JsonObject = {**make.config(WAIT), "id": "p", "limitConcurrent": True}
        submitted = [await visit.services.executions.submit(Submission(config=config), TESTER) for _ in range(2)]
        await asyncio.sleep(2.5)
        assert [await visit.status(one) for one in submitted] == [Status.RUNNING, Status.NOT_STARTED]

    visit(work, most=5)


def test_the_same_submission_is_held_back_once() -> None:
    async def work(visit: Visit) -> None:
        await visit.start()
        submission = Submission(config=make.config(WAIT), key="k1")
        first, second = [await visit.services.executions.submit(submission, TESTER) for _ in range(2)]
        assert first == second
        assert await visit.status(first) is Status.BUFFERED

    visit(work, most=1)


def test_what_was_held_back_is_taken_up_after_a_restart_even_if_there_is_no_limit_any_more() -> None:
    held: list[str] = []

    async def fill(visit: Visit) -> None:
        await visit.start()
        held.append(await visit.start())
        assert await visit.status(held[0]) is Status.BUFFERED

    async def later(visit: Visit) -> None:
        assert (await ended(visit.services, held[0])).head.status is Status.SUCCEEDED

    harness = visit(fill, most=1)
    visit(later, most=0, harness=harness)
    events = [type(one.event).__name__ for one in harness.time.run(harness.journal.events(held[0]))]
    assert events[:3] == ["Submitted", "Promoted", "SubmissionPrepared"]
