"""The poller: new tags start something once; the first look at an account starts nothing; kills lose no tag."""

import asyncio
import contextlib
import itertools
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests import make
from tests.fakes import scripted
from tests.fakes.registry import MemoryRegistry
from tests.fakes.scripted import Target
from tests.harness import Harness, Killed

from gennaker.interfaces.documents import Document
from gennaker.interfaces.intake import OutsideEvent
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.flow import plugin as flow
from gennaker.plugins.oci import poller

DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64


class Moody(MemoryRegistry):
    """A registry that refuses what it is told to, and loses tags between listing and asking."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()
        self.refuses: set[str] = set()
        self.resolved = 0

    async def repositories(self) -> tuple[str, ...]:
        if "all" in self.refuses:
            raise Refused(Problem(code="registry.down", message="The registry is down."))
        return await super().repositories()

    async def tags(self, repository: str) -> tuple[str, ...]:
        if repository in self.refuses:
            raise Refused(Problem(code="registry.no", message=f"{repository} is not for you."))
        return await super().tags(repository)

    async def resolve(self, repository: str, reference: str) -> str | None:
        self.resolved += 1
        return None if reference in self.gone else await super().resolve(repository, reference)


class Silent(MemoryRegistry):
    """A registry that takes an hour to answer."""

    async def repositories(self) -> tuple[str, ...]:
        await asyncio.sleep(3600)
        return ()


class Site:
    """An installation that watches one registry, after others."""

    def __init__(self, *repositories: str, **others: ImageRegistry) -> None:
        self.registry = Moody()
        registries: dict[str, ImageRegistry] = {**others, "local-registry": self.registry}
        self.harness = Harness(flow.plugin, scripted.plugin(Target()), registries=registries)
        for repository in repositories or ("shop",):
            trigger: JsonObject = {
                "enabled": True,
                "type": "docker",
                "account": "local-registry",
                "repository": repository,
            }
            stages: list[Any] = [make.stage_json("make", type="make")]
            body: JsonObject = {"application": "shop", "name": repository, "triggers": [trigger], "stages": stages}
            asyncio.run(self.harness.definitions.save("pipeline", repository, body, author="ada"))

    def poll(self, **options: bool) -> None:
        async def work(services: Services) -> None:
            await poller.poll(services, "local-registry", self.registry, **options)

        self.harness.do(work)

    @property
    def started(self) -> list[tuple[Any, Any]]:
        found = [one.head.trigger for one in self.harness.executions()]
        return [(trigger["repository"], trigger["tag"]) for trigger in found]

    @property
    def digests(self) -> list[Any]:
        return [one.head.trigger["digest"] for one in self.harness.executions()]


def test_an_account_that_is_seen_for_the_first_time_starts_nothing() -> None:
    site = Site()
    site.registry.images = {"shop": {"1": DIGEST, "2": OTHER}}

    site.poll()
    site.poll()

    assert site.started == []


def test_a_new_tag_and_a_new_repository_of_a_known_account_start_once() -> None:
    site = Site("shop", "cart")
    site.registry.images = {"shop": {"1": DIGEST}}
    site.poll()
    site.registry.images = {"shop": {"1": DIGEST, "2": OTHER}, "cart": {"1": DIGEST}}

    for _ in range(3):
        site.poll()

    assert site.started == [("cart", "1"), ("shop", "2")]
    trigger = site.harness.executions()[1].head.trigger
    assert trigger["digest"] == OTHER
    artifacts = cast("list[dict[str, Any]]", trigger["artifacts"])
    assert artifacts[0]["reference"] == f"127.0.0.1:5000/shop@{OTHER}"


def test_the_same_tag_with_the_same_image_starts_nothing_and_with_another_it_does() -> None:
    site = Site()
    site.poll()
    site.registry.images = {"shop": {"main": DIGEST}}
    site.poll()
    site.registry.images = {"shop": {}}
    site.poll()
    site.registry.images = {"shop": {"main": DIGEST}}
    site.poll()
    assert len(site.started) == 1

    site.registry.images = {"shop": {"main": OTHER}}
    site.poll(asks_digests=False)
    assert len(site.started) == 1
    site.poll()
    assert len(site.started) == 2


def test_a_tag_that_is_moved_to_and_fro_starts_each_time() -> None:
    site = Site()
    site.poll()
    for digest in (DIGEST, OTHER, DIGEST, OTHER, DIGEST):
        site.registry.images = {"shop": {"main": digest}}
        for _ in range(3):
            site.poll()

    assert site.digests == [DIGEST, OTHER, DIGEST, OTHER, DIGEST]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    rounds=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(["1", "main"]), st.sampled_from("abc")),
            st.lists(st.integers(min_value=0, max_value=2), max_size=2),
        ),
        max_size=8,
    )
)
def test_each_move_of_a_tag_that_is_seen_starts_once_wherever_polls_are_killed(
    rounds: list[tuple[dict[str, str], list[int]]],
) -> None:
    """Each round: what the registry lists, and after how many events its polls are killed before one is not."""
    site = Site()
    services = site.harness.built().services
    intake = CountingIntake()
    watched = site.registry
    asyncio.run(poller.poll(services, "local-registry", watched))
    for listed, kills in rounds:
        site.registry.images = {"shop": listed}
        for after in (*kills, None, None):
            intake.dies_after = after
            looking = replace(
                services,
                intake=cast("Any", intake),
                documents=services.documents if after is None else cast("Any", lambda _: Cut(site)),
            )
            with contextlib.nullcontext() if after is None else contextlib.suppress(Killed):
                asyncio.run(poller.poll(looking, "local-registry", watched))

    for tag in ("1", "main"):
        seen = [listed[tag] for listed, _ in rounds if tag in listed]
        moves = [digest for digest, _ in itertools.groupby(seen)]
        assert [digest for name, digest in intake.started if name == tag] == moves


class CountingIntake:
    """Starts something once per event, as the real one does."""

    def __init__(self) -> None:
        self.dies_after: int | None = None
        self.started: list[tuple[Any, Any]] = []
        self._ids: set[str] = set()

    async def take(self, event: OutsideEvent) -> tuple[str, ...]:
        if self.dies_after == 0:
            raise Killed(event.event_id)
        if self.dies_after is not None:
            self.dies_after -= 1
        if event.event_id not in self._ids:
            self._ids.add(event.event_id)
            self.started.append((event.content["tag"], event.content["digest"]))
        return (event.event_id,)


class Cut:
    """Documents that are no longer there when something is written: the process dies before it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.inner = site.harness.built().services.documents("docker.tags")

    async def get(self, key: str) -> Document | None:
        return await self.inner.get(key)

    async def put(self, key: str, body: JsonObject, *, if_version: int | None = None) -> Document:
        raise Killed(key)


def test_a_process_that_is_killed_before_it_remembers_starts_nothing_twice_and_loses_nothing() -> None:
    site = Site()
    site.poll()
    site.registry.images = {"shop": {"1": DIGEST, "2": OTHER}}

    async def die(services: Services) -> None:
        cut = replace(services, documents=cast("Any", lambda _: Cut(site)))
        await poller.poll(cut, "local-registry", site.registry)

    for _ in range(3):
        with pytest.raises(BaseExceptionGroup):
            site.harness.do(die)
    site.poll()

    assert site.started == [("shop", "1"), ("shop", "2")]


def test_a_first_look_that_was_cut_off_is_made_again_without_starting_anything() -> None:
    site = Site("shop", "cart")
    site.registry.images = {"cart": {"1": DIGEST}, "shop": {"1": DIGEST}}
    site.registry.refuses = {"cart"}
    with pytest.raises(BaseExceptionGroup):
        site.poll()
    site.registry.refuses = set()

    site.poll()

    assert site.started == []


def test_one_repository_that_is_refused_does_not_hold_up_the_others() -> None:
    site = Site("cart", "shop")
    site.poll()
    site.registry.images = {"cart": {"1": DIGEST}, "shop": {"1": DIGEST}}
    site.registry.refuses = {"cart"}

    with pytest.raises(BaseExceptionGroup):
        site.poll()

    assert site.started == [("shop", "1")]
    site.registry.refuses = set()
    site.poll()
    assert site.started == [("shop", "1"), ("cart", "1")]


def test_a_tag_that_is_deleted_while_it_is_looked_at_starts_nothing_and_is_not_remembered() -> None:
    site = Site()
    site.poll()
    site.registry.images = {"shop": {"1": DIGEST}}
    site.registry.gone = {"1"}
    site.poll()
    assert site.started == []

    site.registry.gone = set()
    site.poll()
    assert site.started == [("shop", "1")]


def test_known_tags_are_not_asked_about_in_every_round() -> None:
    site = Site()
    site.poll()
    site.registry.images = {"shop": {str(number): DIGEST for number in range(50)}}
    site.poll(asks_digests=False)
    asked = site.registry.resolved

    site.poll(asks_digests=False)

    assert site.registry.resolved == asked


def test_a_registry_that_does_not_answer_is_said_once_and_when_it_answers_again() -> None:
    site = Site()

    async def work(services: Services) -> None:
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(poller.poll_forever(services))
            await asyncio.sleep(3)
            site.registry.refuses = {"all"}
            await asyncio.sleep(5)
            site.registry.refuses = set()
            site.registry.images = {"shop": {"1": DIGEST}}
            await asyncio.sleep(3)
            polling.cancel()

    with capture_logs() as lines:
        site.harness.do(work)

    assert [(line["event"], line["why"]) for line in lines if line["event"].startswith("registry.")] == [
        ("registry.refuses", "The registry is down."),
        ("registry.answers", ""),
    ]
    assert site.started == [("shop", "1")]


def test_a_registry_that_does_not_answer_holds_up_no_other() -> None:
    site = Site(silent=Silent())

    async def work(services: Services) -> None:
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(poller.poll_forever(services))
            await asyncio.sleep(3)
            site.registry.images = {"shop": {"1": DIGEST}}
            await asyncio.sleep(3)
            polling.cancel()

    site.harness.do(work)

    assert site.started == [("shop", "1")]
