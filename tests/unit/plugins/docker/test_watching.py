"""For how long what an engine said about its containers holds, by what its events tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from gennaker.plugins.docker.engine import Engine
from gennaker.plugins.docker.watching import Freshness, Watch
from gennaker.settings import DockerSettings


def a_watch() -> Watch:
    return Watch(Engine("prod", DockerSettings()))


def watched_since(opened: float, *, looked: float) -> Freshness:
    lists = Freshness(0.2)
    lists.watched(opened, is_watched=True)
    lists.looked(looked)
    return lists


def test_nothing_holds_before_anybody_has_looked() -> None:
    assert not Freshness(0.2).holds(0.0)


def test_without_events_a_look_holds_for_its_seconds_alone() -> None:
    lists = Freshness(0.2)
    lists.looked(10.0)

    assert [lists.holds(at) for at in (10.1, 10.3)] == [True, False]


@pytest.mark.parametrize(
    ("looked", "at", "holds"),
    [
        (10.5, 10.6, True),  # It is new.
        (10.5, 10.8, False),  # What happened before the stream was opened may show late.
        (11.0, 39.0, True),
        (11.0, 41.5, False),  # From time to time it is looked at all the same.
    ],
)
def test_a_look_holds_as_long_as_no_event_contradicts_it(looked: float, at: float, holds: bool) -> None:
    assert watched_since(10.0, looked=looked).holds(at) is holds


def test_after_an_event_is_looked_until_the_engine_s_lists_know_it() -> None:
    lists = watched_since(0.0, looked=5.0)
    lists.told(20.0)
    contradicted = lists.holds(20.0)
    lists.looked(20.1)
    too_early = lists.holds(20.4)
    lists.looked(21.0)

    assert (contradicted, too_early, lists.holds(40.0)) == (False, False, True)


def test_an_act_of_one_s_own_contradicts_also_a_look_under_way() -> None:
    lists = watched_since(0.0, looked=5.0)
    lists.acted(20.0)
    lists.looked(19.9)
    under_way = lists.holds(20.0)
    lists.looked(20.0)

    assert (under_way, lists.holds(20.1)) == (False, True)


def test_a_stream_that_has_ended_confirms_nothing() -> None:
    lists = watched_since(0.0, looked=5.0)
    lists.watched(9.0, is_watched=False)

    assert not lists.holds(9.0)


@pytest.mark.parametrize(
    ("action", "lists_hold", "health_holds"),
    [
        ("die", False, False),
        ("destroy", False, False),
        ("", False, False),
        ("health_status: unhealthy", True, False),
        ("exec_died", True, False),
        ("exec_create: /bin/sh -c true", True, True),
        ("exec_start: /bin/sh -c true", True, True),
    ],
)
def test_events_say_what_to_look_at(action: str, lists_hold: bool, health_holds: bool) -> None:
    watch = a_watch()
    for one in (watch.lists, watch.health):
        one.watched(0.0, is_watched=True)
        one.looked(5.0)

    watch.heard(action, 20.0)

    assert (watch.lists.holds(20.0), watch.health.holds(20.0)) == (lists_hold, health_holds)


@pytest.mark.parametrize(("is_told", "holds"), [(True, True), (False, False)])
def test_events_that_never_tell_of_what_is_seen_are_not_relied_on(is_told: bool, holds: bool) -> None:
    watch = a_watch()
    with capture_logs() as logs:
        watch.opened(0.0)
        watch.looked(5.0)
        watch.surprised(30.0)
        if is_told:
            watch.heard("die", 31.0)
        watch.looked(33.0)  # It may be under way still.
        watch.looked(60.0)

    assert watch.lists.holds(61.0) is holds
    assert [line["event"] for line in logs] == ([] if is_told else ["docker.events_missing"])


class Streams:
    """An engine that tells one thing in each of its streams, and ends only the first two."""

    account = "prod"

    def __init__(self) -> None:
        self.opened = 0
        self.is_left_open = asyncio.Event()

    @asynccontextmanager
    async def lines(self, *_: object, **__: object) -> AsyncIterator[AsyncIterator[str]]:
        self.opened += 1
        yield self._told()

    async def _told(self) -> AsyncIterator[str]:
        yield '{"Action": "die"}'
        if self.opened > 2:
            self.is_left_open.set()
            await asyncio.Event().wait()


def test_a_stream_that_ends_or_may_have_broken_off_is_opened_again() -> None:
    async def story() -> int:
        streams = Streams()
        watch = Watch(cast("Any", streams), pauses=(0.0, 60.0))
        async with asyncio.TaskGroup() as group:
            following = group.create_task(watch.follow("label", lambda: None))
            await streams.is_left_open.wait()
            streams.is_left_open.clear()
            watch.failed()
            watch.failed()
            await streams.is_left_open.wait()
            following.cancel()
        return streams.opened

    with capture_logs() as logs:
        opened = asyncio.run(story())

    assert opened == 4
    assert [line["event"] for line in logs] == ["docker.events_lost"]


def test_the_first_event_after_a_rest_wakes_whoever_looks_and_those_that_follow_at_once_do_not() -> None:
    woken: list[str] = []

    async def story() -> None:
        streams = Streams()
        streams.opened = 2  # The next stays open.
        watch = Watch(cast("Any", streams))
        async with asyncio.TaskGroup() as group:
            following = group.create_task(watch.follow("label", lambda: woken.append("now")))
            await streams.is_left_open.wait()
            watch.opened(0.0)
            watch.looked(5.0)
            for action in ("exec_died", "kill", "die", "cleanup"):
                watch.heard(action, 20.0)
            following.cancel()

    asyncio.run(story())

    assert woken == ["now"]
