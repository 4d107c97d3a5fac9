"""Scraping: a service that fetches /metrics of every live instance once an interval, all of them side by side.

Two loops: one looks which instances there are, the other fetches at whole multiples of the interval. Each fetch has
less time than an interval and its page is recorded when it arrives, so a slow or dead instance costs nobody anything.
What has no /metrics is asked again now and then. Connections are not kept: they would hold up an instance that drains.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import httpx2
import msgspec
import structlog

from gennaker.interfaces import clouds
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.plugins import Service
from gennaker.interfaces.services import Services
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.scraper.series import SeriesStore
from gennaker.plugins.scraper.source import TYPE, EmbeddedSource
from gennaker.transport import exposition, metrics_pages

log = structlog.get_logger()

_PAGE_SERIES = 500
_LOOK_SECONDS = 1.0
"""Between two looks at which instances there are."""
_APPLICATIONS_SECONDS = 5.0
"""Between two looks at which applications there are."""
_PART_OF_INTERVAL = 0.8
_LONGEST_FETCH_SECONDS = 2.0
_NOT_OFFERED_SECONDS = 30.0
_ASKED = frozenset({Health.UP, Health.OUT_OF_SERVICE, Health.DRAINING, Health.UNKNOWN})


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that is scraped."""

    group: str
    instance: str
    address: str
    """`host:port`"""

    @property
    def key(self) -> str:
        """Tells its process apart from the one before it, which had another address."""
        return f"{self.instance}@{self.address}"


class Scraper:
    """Fetches from targets into a store."""

    def __init__(self, store: SeriesStore, client: httpx2.AsyncClient) -> None:
        """The client is somebody else's to close."""
        self.targets: tuple[Target, ...] = ()
        self._store = store
        self._client = client
        self._quiet_until: dict[str, datetime] = {}
        self._silent: set[str] = set()

    async def scrape(self, *, slot: int, at: datetime, now: Callable[[], datetime]) -> None:
        """One round over all targets; the slot is the one that ends now. Returns when all have answered or failed."""
        due = [one for one in self.targets if self._quiet_until.get(one.key, at) <= at]
        async with asyncio.TaskGroup() as group:
            for target in due:
                group.create_task(self._scrape_one(target, slot, now))
        keys = {one.key for one in self.targets}
        self._quiet_until = {key: until for key, until in self._quiet_until.items() if key in keys}
        self._silent &= keys
        self._store.forget(slot=slot, instances=frozenset((one.group, one.key) for one in self.targets))

    async def _scrape_one(self, target: Target, slot: int, now: Callable[[], datetime]) -> None:
        seconds = min(self._store.slot_seconds * _PART_OF_INTERVAL, _LONGEST_FETCH_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                text = await metrics_pages.fetch(self._client, target.address)
        except (TimeoutError, httpx2.HTTPError) as error:
            self._failed(target, f"{type(error).__name__}: {error}")
            return
        except metrics_pages.NotOffered as error:
            self._failed(target, str(error))
            self._quiet_until[target.key] = now() + timedelta(seconds=_NOT_OFFERED_SECONDS)
            return
        self._silent.discard(target.key)
        page = exposition.parse(text, most=_PAGE_SERIES)
        self._store.record(target.group, target.key, slot=slot, at=now(), page=page)

    def _failed(self, target: Target, why: str) -> None:
        """Says it once, until the instance answers again."""
        if target.key not in self._silent:
            self._silent.add(target.key)
            log.info("scraper.no_metrics", server_group=target.group, instance=target.instance, why=why)


class Looker:
    """Finds the live instances of all applications that have definitions."""

    def __init__(self, services: Services) -> None:
        """Asks the providers of these services."""
        self._services = services
        self._applications: frozenset[str] = frozenset()
        self._known_until: datetime | None = None
        self._unseen: frozenset[str] = frozenset()

    async def targets(self) -> tuple[Target, ...]:
        """The instances that can be asked now."""
        found: list[Target] = []
        missing: dict[str, Problem] = {}
        for application in sorted(await self._known_applications()):
            for provider in self._services.clouds.values():
                try:
                    described = await clouds.seen(provider, application)
                except Refused as refused:
                    missing[provider.name] = refused.problems[0]
                    continue
                missing |= described.missing
                for group in described.groups:
                    found += [
                        Target(group=group.name, instance=one.id, address=one.address)
                        for one in group.instances
                        if one.address is not None and one.health in _ASKED
                    ]
        self._say(missing)
        return tuple(found)

    def _say(self, missing: dict[str, Problem]) -> None:
        """Once for each account, until it answers again."""
        for account in missing.keys() - self._unseen:
            log.warning("scraper.account_unseen", account=account, why=str(missing[account]))
        self._unseen = frozenset(missing)

    async def _known_applications(self) -> frozenset[str]:
        now = self._services.clock.now()
        if self._known_until is None or now >= self._known_until:
            definitions = self._services.definitions
            pipelines = await definitions.list("pipeline")
            own = await definitions.list("application")
            named = [one.body.get("application") for one in pipelines]
            named += [one.body.get("name") or one.id for one in own]
            self._applications = frozenset(one for one in named if isinstance(one, str) and one)
            self._known_until = now + timedelta(seconds=_APPLICATIONS_SECONDS)
        return self._applications


async def run(services: Services) -> None:
    """Looks and scrapes until cancelled."""
    source: Mapping[str, object] = services.metrics
    embedded = source.get(TYPE)
    if not isinstance(embedded, EmbeddedSource):
        message = f"another plugin offers the metric source {TYPE!r}"
        raise TypeError(message)
    async with (
        metrics_pages.client(_LONGEST_FETCH_SECONDS) as client,
        asyncio.TaskGroup() as group,
    ):
        scraper = Scraper(embedded.store, client)
        group.create_task(_look(services, scraper), name="scraper:look")
        group.create_task(_scrape(services, scraper, embedded.store.slot_seconds), name="scraper:scrape")


async def _look(services: Services, scraper: Scraper) -> None:
    looker = Looker(services)
    while True:
        scraper.targets = await looker.targets()
        await services.clock.sleep_until(services.clock.now() + timedelta(seconds=_LOOK_SECONDS))


async def _scrape(services: Services, scraper: Scraper, interval: float) -> None:
    while True:
        tick = math.floor(services.clock.now().timestamp() / interval) + 1
        await services.clock.sleep_until(datetime.fromtimestamp(tick * interval, UTC))
        if (at := services.clock.now()).timestamp() >= tick * interval:  # else the clock was put back
            await scraper.scrape(slot=tick - 1, at=at, now=services.clock.now)


service = Service(name="scraper", run=run, is_everywhere=True)
