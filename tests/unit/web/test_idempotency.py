"""Idempotency-Key: what starts something starts it once for each key, whoever repeats it and whatever became of the server."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests.fakes.visiting import visit
from tests.fakes.website import Answer, Website
from tests.harness import Harness

from gennaker.interfaces.executions import Found
from gennaker.plugins.flow import plugin as flow
from gennaker.web import idempotency

PIPELINE = {"application": "shop", "name": "Deliver", "stages": [make.stage_json("a", type="wait", waitTime=1)]}
KEY = {"idempotency-key": "k1"}


async def start(site: Website, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    path = "/api/v1/applications/shop/pipelines/Deliver/start"
    return await site.call("POST", path, json=body or {"parameters": {"x": "1"}}, headers=headers or {})


async def started(site: Website) -> int:
    return len(await site.ports.services.executions.find(Found(application="shop")))


async def saved(site: Website) -> None:
    assert (await site.post("/api/v1/pipelines", PIPELINE)).status == 200


def run(work: Callable[[Website], Awaitable[None]], harness: Harness | None = None) -> None:
    visit(work, harness=harness or Harness(flow.plugin))


def test_a_repeated_request_is_answered_with_the_execution_of_the_first() -> None:
    async def work(site: Website) -> None:
        await saved(site)
        first, again = await start(site, headers=KEY), await start(site, headers=KEY)
        assert (first.status, again.status, again.json) == (202, 202, first.json)
        assert await started(site) == 1
        other = await start(site, headers={"idempotency-key": "k2"})
        without = [await start(site), await start(site)]
        assert len({one.json["executionId"] for one in (first, other, *without)}) == 4

    run(work)


def test_a_repeated_run_saves_nothing_again_and_minds_what_it_was_meant_for() -> None:
    async def work(site: Website) -> None:
        first = await site.post("/api/v1/run", PIPELINE, headers={**KEY, "if-none-match": "*"})
        again = await site.post("/api/v1/run", PIPELINE, headers={**KEY, "if-none-match": "*"})
        assert (first.status, again.status, again.json) == (202, 202, first.json)
        assert (await started(site), first.json["revision"]) == (1, 1)
        pipeline = await site.ports.services.definitions.get("pipeline", first.json["pipelineId"])
        assert pipeline is not None
        assert pipeline.revision == 1

        stale = await site.post("/api/v1/run", PIPELINE, headers={"if-match": '"7"'})
        assert (stale.status, stale.json["code"], await started(site)) == (412, "precondition.failed", 1)
        wanted = await site.post("/api/v1/run", PIPELINE, headers={"if-match": '"1"'})
        assert (wanted.status, wanted.json["revision"], await started(site)) == (202, 2, 2)

    run(work)


def test_runs_that_come_at_once_with_one_key_save_one_revision() -> None:
    async def work(site: Website) -> None:
        every = await asyncio.gather(*(site.post("/api/v1/run", PIPELINE, headers=KEY) for _ in range(5)))
        assert {one.status for one in every} == {202}
        assert {one.json["executionId"] for one in every} == {every[0].json["executionId"]}
        definitions = site.ports.services.definitions
        assert [one.revision for one in await definitions.list("pipeline")] == [1]

        changed = {**PIPELINE, "description": "again"}
        again = await asyncio.gather(
            *(site.post("/api/v1/run", changed, headers={"idempotency-key": "k2"}) for _ in range(5))
        )
        assert {(one.status, one.json["revision"]) for one in again} == {(202, 2)}
        history = await definitions.history("pipeline", every[0].json["pipelineId"])
        assert [one.revision for one in history] == [2, 1]

    run(work)


def test_a_run_that_broke_off_after_saving_saves_nothing_again() -> None:
    async def work(site: Website) -> None:
        documents = site.ports.services.documents("web.idempotency")
        first = await site.post("/api/v1/run", PIPELINE, headers={**KEY, "if-none-match": "*"})
        (kept,) = await documents.list()
        await documents.put(kept.key, {name: value for name, value in kept.body.items() if name != "answer"})

        again = await site.post("/api/v1/run", PIPELINE, headers={**KEY, "if-none-match": "*"})

        assert (again.status, again.json) == (202, first.json)
        assert len(await site.ports.services.definitions.history("pipeline", first.json["pipelineId"])) == 1

    run(work)


def test_a_run_that_somebody_else_came_before_is_refused_and_can_be_repeated() -> None:
    async def work(site: Website) -> None:
        first = await site.post("/api/v1/run", PIPELINE)
        documents, definitions = site.ports.services.documents("web.idempotency"), site.ports.services.definitions
        pipeline_id = first.json["pipelineId"]
        mine = {**PIPELINE, "description": "mine"}
        assert (await site.post("/api/v1/run", mine, headers=KEY)).json["revision"] == 2
        (kept,) = await documents.list()
        late = {**kept.body["intent"], "revision": 1, "at": "2020-01-01T00:00:00Z"}  # as if it had not been saved
        await documents.put(kept.key, {"request": kept.body["request"], "at": kept.body["at"], "intent": late})

        refused, repeated = [await site.post("/api/v1/run", mine, headers=KEY) for _ in range(2)]

        assert (refused.status, refused.json["code"]) == (409, "definition.changed")
        assert (repeated.status, repeated.json["revision"]) == (202, 3)
        assert len(await definitions.history("pipeline", pipeline_id)) == 3

    run(work)


def test_another_request_with_the_same_key_is_refused_and_starts_nothing() -> None:
    async def work(site: Website) -> None:
        await saved(site)
        await start(site, headers=KEY)
        other = await start(site, {"parameters": {"x": "2"}}, KEY)
        elsewhere = await site.post("/api/v1/run", PIPELINE, headers=KEY)
        for refused in (other, elsewhere):
            assert (refused.status, refused.json["code"]) == (422, "request.idempotency_key")
        assert await started(site) == 1
        assert (await start(site, headers={"idempotency-key": "x" * 256})).status == 400

    run(work)


def test_a_key_outlives_the_server_and_a_request_that_was_refused() -> None:
    harness = Harness(flow.plugin)
    ids: list[str] = []

    async def before(site: Website) -> None:
        assert (await start(site, headers=KEY)).status == 404, "there is no such pipeline yet"
        await saved(site)
        ids.append((await start(site, headers=KEY)).json["executionId"])

    async def after(site: Website) -> None:
        ids.append((await start(site, headers=KEY)).json["executionId"])
        assert await started(site) == 1

    run(before, harness)
    run(after, harness)

    assert ids[0] == ids[1]


def test_a_key_is_forgotten_after_a_day() -> None:
    async def work(site: Website) -> None:
        await saved(site)
        first = await start(site, headers=KEY)
        clock = site.ports.services.clock
        await clock.sleep_until(clock.now() + timedelta(days=1, seconds=1))
        new = await start(site, {"parameters": {"x": "2"}}, KEY)
        assert new.status == 202
        assert new.json != first.json

    run(work)


def test_keys_that_are_too_old_are_swept_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "_SWEEPS", "")

    async def work(site: Website) -> None:
        await saved(site)
        await start(site, headers=KEY)
        clock = site.ports.services.clock
        await clock.sleep_until(clock.now() + timedelta(days=1, seconds=1))
        await start(site, headers={"idempotency-key": "k2"})
        assert len(await site.ports.services.documents("web.idempotency").list()) == 1

    run(work)
