"""The scraper against real HTTP servers: every live instance once an interval, none held up by another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import httpx2
import msgspec
import pytest
from structlog.testing import capture_logs
from tests import waiting
from tests.fakes.clouds import CloudState, FakeCloud
from tests.fakes.virtual_time import RealTime
from tests.harness import Harness

from gennaker.interfaces.clouds import Capacity, NewServerGroup, Place, ServerGroup
from gennaker.interfaces.metrics import MetricScope
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.plugins.scraper import scraping
from gennaker.plugins.scraper.plugin import plugin as scraper_plugin
from gennaker.plugins.scraper.scraping import Looker, Scraper, Target
from gennaker.plugins.scraper.series import SeriesStore
from gennaker.settings import MetricsSettings, Settings

PLACE = Place(account="local", region="local")
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def instance(answer: Answer) -> AsyncIterator[str]:
    """A server; gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"{host}:{port}"
    finally:
        server.close()


def page(text: str, status: str = "200 OK") -> Answer:
    async def write(writer: asyncio.StreamWriter) -> None:
        body = text.encode()
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    return write


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy nobody is given up."""
    monkeypatch.setattr(scraping, "_LONGEST_FETCH_SECONDS", 600.0)


@asynccontextmanager
async def scraper_of(*answers: Answer, slot_seconds: float = 1000) -> AsyncIterator[tuple[Scraper, SeriesStore]]:
    """A scraper of these instances, and its store."""
    store = SeriesStore(slot_seconds=slot_seconds, keep_seconds=100 * slot_seconds)
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=600) as client, AsyncExitStack() as servers:
        scraper = Scraper(store, client)
        addresses = [await servers.enter_async_context(instance(answer)) for answer in answers]
        scraper.targets = tuple(
            Target(group=f"shop-v{number:03d}", instance="0", address=address)
            for number, address in enumerate(addresses)
        )
        yield scraper, store


async def scraped(*answers: Answer, rounds: int = 1) -> SeriesStore:
    """A store after these rounds."""
    async with scraper_of(*answers) as (scraper, store):
        for number in range(rounds):
            await scraper.scrape(slot=number, at=AT, now=lambda: AT)
    return store


@pytest.mark.usefixtures("patient")
def test_every_group_gets_its_series() -> None:
    store = asyncio.run(scraped(page("memory 1"), page("memory 2")))

    assert store.names() == ("shop-v000", "shop-v001")


@pytest.mark.usefixtures("patient")
def test_one_that_is_silent_costs_the_others_nothing() -> None:
    async def story() -> tuple[str, ...]:
        is_over = asyncio.Event()

        async def silence(_: asyncio.StreamWriter) -> None:
            await is_over.wait()

        async with scraper_of(silence, page("memory 2")) as (scraper, store), asyncio.TaskGroup() as group:
            scraping_all = group.create_task(scraper.scrape(slot=0, at=AT, now=lambda: AT))
            await waiting.until(store.names, "the other to be recorded")
            assert not scraping_all.done()
            is_over.set()
        return store.names()

    assert asyncio.run(story()) == ("shop-v001",)


@pytest.mark.slow
def test_one_that_stays_silent_is_given_up() -> None:
    async def story() -> tuple[str, ...]:
        is_over = asyncio.Event()

        async def silence(_: asyncio.StreamWriter) -> None:
            await is_over.wait()

        async with scraper_of(silence, slot_seconds=0.4) as (scraper, store):
            await scraper.scrape(slot=0, at=AT, now=lambda: AT)
            is_over.set()
        return store.names()

    assert asyncio.run(waiting.with_an_end(story())) == ()


@pytest.mark.usefixtures("patient")
def test_one_without_metrics_is_left_in_peace() -> None:
    asked = 0

    async def missing(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await page("no", "404 Not Found")(writer)

    store = asyncio.run(scraped(missing, rounds=3))

    assert asked == 1
    assert store.names() == ()


def test_one_that_is_gone_is_no_error() -> None:
    async def main() -> SeriesStore:
        store = SeriesStore(slot_seconds=1, keep_seconds=60)
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=600) as client:
            scraper = Scraper(store, client)
            scraper.targets = (Target(group="shop-v000", instance="0", address="127.0.0.1:1"),)
            await scraper.scrape(slot=0, at=AT, now=lambda: AT)
        return store

    assert asyncio.run(main()).names() == ()


@pytest.mark.slow
def test_the_service_finds_instances_by_their_application_and_fills_the_source() -> None:
    state = CloudState()
    state.images.add("shop")
    settings = Settings(metrics=MetricsSettings(scrape_seconds=0.5, keep_seconds=600))
    clouds = Plugin(name="fakes", clouds=(lambda _: FakeCloud(state, PLACE),))
    harness = Harness(scraper_plugin, clouds, settings=settings, time=RealTime())
    total = 0

    async def growing(writer: asyncio.StreamWriter) -> None:
        nonlocal total
        total += 1
        await page(f"hits_total {total}\nmemory 7")(writer)

    async def watch(services: Services) -> None:
        await services.definitions.save("pipeline", "p", {"application": "shop"}, author="ada")
        cloud = services.clouds["fake"]
        capacity = Capacity(min=1, max=1, desired=1)
        new = NewServerGroup(key="k", name="shop-v000", place=PLACE, image="shop", capacity=capacity)
        async with instance(growing) as address:
            await cloud.create(new)
            group = state.groups["shop-v000"]
            here = msgspec.structs.replace(group.instances[0], address=address)
            state.groups["shop-v000"] = msgspec.structs.replace(group, instances=(here,))
            start = services.clock.now()

            async def has_grown() -> bool:
                scope = MetricScope(scope="shop-v000", start=start, end=services.clock.now(), step_seconds=1)
                (found,) = await services.metrics["embedded"].fetch(
                    "m", {"type": "embedded", "metric": "hits_total"}, scope
                )
                return any(value > 0 for value in found.values)

            await waiting.until_found(has_grown, "the metric to grow", pause_seconds=0.05)

    harness.do(watch)


class Away(FakeCloud):
    """A provider that doesn't answer for some looks."""

    name = "away"

    def __init__(self, state: CloudState, away: list[int]) -> None:
        super().__init__(state, PLACE)
        self._away = away

    async def describe(self, application: str) -> tuple[ServerGroup, ...]:
        self._away[0] -= 1
        if self._away[0] >= 0:
            raise Refused(Problem(code="p", message="Not now."), status=UNAVAILABLE)
        return await super().describe(application)


def test_a_provider_that_does_not_answer_hides_none_of_another() -> None:
    here, there, away = CloudState(), CloudState(), [2]
    capacity = Capacity(min=1, max=1, desired=1)
    both = Plugin(name="fakes", clouds=(lambda _: Away(there, away), lambda _: FakeCloud(here, PLACE)))

    async def look(services: Services) -> None:
        await services.definitions.save("pipeline", "p", {"application": "shop"}, author="ada")
        for name, state, group in (("away", there, "shop-far-v000"), ("fake", here, "shop-near-v000")):
            state.images.add("shop")
            new = NewServerGroup(key=group, name=group, place=PLACE, image="shop", capacity=capacity)
            await services.clouds[name].create(new)
        looker = Looker(services)
        with capture_logs() as lines:
            seen = [sorted(one.group for one in await looker.targets()) for _ in range(3)]
        assert seen == [["shop-near-v000"]] * 2 + [["shop-far-v000", "shop-near-v000"]]
        assert [(line["event"], line["account"]) for line in lines] == [("scraper.account_unseen", "away")]

    Harness(both).do(look)
