"""Telling: live streams tell the same, encoded once, and end with the server."""

import asyncio

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.interfaces.executions import Update
from gennaker.plugins.flow import plugin as flow
from gennaker.web.encoded import Encoded


def update(number: int) -> Update:
    return Update(topic="execution", id=str(number), application="shop")


def test_an_update_is_encoded_once_and_told_from_another_that_looks_the_same() -> None:
    encoded, one = Encoded(), update(1)

    assert encoded.of(one) is encoded.of(one)
    assert encoded.of(update(1)) is not encoded.of(one)
    assert encoded.of(one) == b'event: execution\r\ndata: {"topic":"execution","id":"1","application":"shop"}\r\n\r\n'
    for number in range(100):
        encoded.of(update(number))
    assert encoded.of(one) == encoded.of(update(1))


def test_all_streams_tell_of_everything_in_order_and_end_with_the_server() -> None:
    async def work(site: Website) -> None:
        async with site.stream("/api/v1/events") as first, site.stream("/api/v1/events") as second:
            for events in (first, second):
                assert (await anext(events)).startswith("event: hello")
            for number in range(3):
                site.ports.services.updates.publish(update(number))
            told = [[await anext(events) for _ in range(3)] for events in (first, second)]
            site.ports.ending.set()
            for events in (first, second):
                with pytest.raises(StopAsyncIteration):
                    await asyncio.wait_for(anext(events), 600)

        assert told[0] == told[1]
        assert [event.splitlines()[0] for event in told[0]] == ["id: 1", "id: 2", "id: 3"]

    visit(work, harness=Harness(flow.plugin))
