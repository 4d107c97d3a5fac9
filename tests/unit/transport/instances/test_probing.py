"""Tests of transport/instances/probing.py."""

import asyncio

import pytest
from tests import make

from gennaker.interfaces.clouds import Capacity, Health, HealthProbe, NewServerGroup, Place
from gennaker.transport.instances import probing
from gennaker.transport.instances.probing import Prober
from gennaker.transport.instances.records import GroupRecord, InstanceRecord
from gennaker.transport.processes import EndReason, ProcessState, ProcessStatus

PLACE = Place(account="local", region="local")
KEY = ("shop-v000", 0, 0)


def test_who_asks_while_a_probe_is_under_way_gets_its_answer() -> None:
    """After a restart a stage and the keeper of instances ask at the same time; neither may hear "not asked yet"."""

    async def play() -> tuple[bool, bool]:
        is_asked, may_answer = asyncio.Event(), asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            is_asked.set()
            await may_answer.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        prober, probe = Prober(), HealthProbe()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, asyncio.TaskGroup() as group:
            port = server.sockets[0].getsockname()[1]
            group.create_task(prober.ask(KEY, port, probe))
            await is_asked.wait()
            second = group.create_task(prober.ask(KEY, port, probe))
            await asyncio.sleep(0)
            was_answered_early = second.done()
            may_answer.set()
            await second
            known = prober.known(KEY)
        return was_answered_early, known is not None and known.is_up

    assert asyncio.run(play()) == (False, True)


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", "its process exited with status 3; it has written nothing"),
        ("\n \n", "its process exited with status 3; it has written nothing"),
        ("one\ntwo\n", "its process exited with status 3; its last output:\none\ntwo"),
    ],
)
def test_what_a_program_has_written_is_told_only_if_it_has(log: str, told: str) -> None:
    new = NewServerGroup(key="k", name="shop-v000", place=PLACE, image="i", capacity=Capacity(min=1, max=1, desired=1))
    one = InstanceRecord(number=0, port=1000, launched_at=make.AT)
    record = GroupRecord(new=new, created_at=make.AT, capacity=new.capacity, instances=(one,))
    ended = ProcessStatus(name="r", state=ProcessState.ENDED, exit_status=3, reason=EndReason.EXITED)

    found = probing.instance(record, one, status=ended, probed=None, log=log)

    assert (found.health, found.health_reason) == (Health.DOWN, told)
