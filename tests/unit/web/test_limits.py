"""Limits: how many requests a caller may make, and how long a body may take."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.fakes.virtual_time import VirtualTime
from tests.fakes.website import HOST, TOKEN, Website
from tests.harness import Harness
from tests.unit.web.test_access import SETTINGS, token_of, visit

from gennaker.model.problems import Refused
from gennaker.settings import ServerSettings, Settings
from gennaker.web import limits
from gennaker.web.limits import Rates

FEW = msgspec.structs.replace(SETTINGS, server=ServerSettings(requests_per_minute=30))


def test_a_bucket_is_filled_steadily_and_is_each_callers_own() -> None:
    time = VirtualTime()

    async def main() -> None:
        rates = Rates(60, time)
        for _ in range(60):
            rates.count("ada")
        with pytest.raises(Refused) as refused:
            rates.count("ada")
        assert (refused.value.status, "in 1 seconds" in str(refused.value)) == (429, True)
        rates.count("eve")
        await time.sleep_until(time.now() + timedelta(seconds=2))
        rates.count("ada")
        rates.count("ada")
        with pytest.raises(Refused):
            rates.count("ada")

    time.run(main())


def test_no_limit_is_none() -> None:
    rates = Rates(0, VirtualTime())

    assert [rates.count("ada") for _ in range(10_000)] == [None] * 10_000


def test_whoever_asks_too_often_is_told_to_wait_and_nobody_else() -> None:
    async def work(site: Website) -> None:
        ada, eve = await token_of(site, "reader"), await token_of(site, "writer")
        found = [(await site.get("/applications", token=ada)).status for _ in range(31)]
        assert found == [200] * 30 + [429]
        told = (await site.get("/api/v1/stage-types", token=ada)).json
        assert (told["status"], told["code"]) == (429, "request.too_many")
        assert (await site.get("/applications", token=eve)).status == 200
        nobody = [(await site.get("/health", token=None)).status for _ in range(31)]
        assert nobody[-1] == 429, "their address counts"

    visit(work, FEW)


def test_where_nobody_signs_in_nobody_is_counted() -> None:
    async def work(site: Website) -> None:
        assert {(await site.get("/applications")).status for _ in range(40)} == {200}

    visit(work, Settings(server=FEW.server))


def test_a_body_that_does_not_arrive_is_answered() -> None:
    harness = Harness()

    async def main() -> None:
        async with harness.process() as core:
            site = Website(harness, core)
            began = harness.time.now()
            assert await stalled(site, "POST", "/pipelines") == 408
            assert harness.time.now() - began == timedelta(seconds=limits.BODY_SECONDS)

    harness.time.run(main())


async def stalled(site: Website, method: str, path: str) -> int:
    """The status of the answer to a request whose body stops in the middle."""
    headers = {
        "host": HOST,
        "authorization": f"Bearer {TOKEN}",
        "content-length": "100",
        "content-type": "application/json",
    }
    parts = [{"type": "http.request", "body": b'{"a":', "more_body": True}]
    statuses = []

    async def receive() -> Any:
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Any = site.scope(method, path, headers=headers)
    await site.app(scope, receive, send)
    return int(statuses[0])


def test_waiting_for_a_client_to_leave_may_take_long() -> None:
    time = VirtualTime()
    seen: list[str] = []

    async def application(_scope: Any, receive: Any, _send: Any) -> None:
        seen.extend([(await receive())["type"], (await receive())["type"]])

    async def receive() -> Any:
        if told:
            await asyncio.sleep(limits.BODY_SECONDS * 10)
            return {"type": "http.disconnect"}
        told.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    told: list[bool] = []
    scope: Any = {"type": "http"}
    time.run(limits.TimelyBodies(application)(scope, receive, receive))  # type: ignore[arg-type]  # nothing is sent

    assert seen == ["http.request", "http.disconnect"]
