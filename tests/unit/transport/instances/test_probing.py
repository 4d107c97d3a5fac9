"""Tests of transport/instances/probing.py."""

import asyncio

import pytest
from tests import make

from gennaker.interfaces import health
from gennaker.interfaces.clouds import Capacity, Health, HealthProbe, NewServerGroup, Place
from gennaker.transport.instances import probing
from gennaker.transport.instances.probing import Probed, Prober
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


def test_why_it_could_not_be_started_is_told_once() -> None:
    new = NewServerGroup(key="k", name="shop-v000", place=PLACE, image="i", capacity=Capacity(min=1, max=1, desired=1))
    one = InstanceRecord(number=0, port=1000, launched_at=make.AT)
    record = GroupRecord(new=new, created_at=make.AT, capacity=new.capacity, instances=(one,))
    why = "The engine refuses it."
    ended = ProcessStatus(name="r", state=ProcessState.ENDED, reason=EndReason.UNSTARTABLE, message=why)

    found = probing.instance(record, one, status=ended, probed=None, log=f"{why}\n")

    assert found.health_reason == f"its process could not be started: {why}"


RUNNING = ProcessStatus(name="r", state=ProcessState.RUNNING)
ENDED = ProcessStatus(name="r", state=ProcessState.ENDED, exit_status=3, reason=EndReason.EXITED)


@pytest.mark.parametrize(
    ("status", "probed", "said"),
    [
        (None, None, {"local": Health.STARTING}),
        (RUNNING, None, {"local": Health.UNKNOWN, "Probe": Health.STARTING}),
        (RUNNING, Probed(failures=9), {"local": Health.UNKNOWN, "Probe": Health.STARTING}),
        (RUNNING, Probed(has_answered=True, failures=9), {"local": Health.UNKNOWN, "Probe": Health.DOWN}),
        (RUNNING, Probed(is_up=True), {"local": Health.UNKNOWN, "Probe": Health.UP}),
        (ENDED, Probed(has_been_up=True, failures=9), {"local": Health.DOWN}),
    ],
)
def test_the_provider_and_the_probe_say_their_own_and_together_what_the_instance_is(
    status: ProcessStatus | None, probed: Probed | None, said: dict[str, Health]
) -> None:
    new = NewServerGroup(key="k", name="shop-v000", place=PLACE, image="i", capacity=Capacity(min=1, max=1, desired=1))
    one = InstanceRecord(number=0, port=1000, launched_at=make.AT)
    record = GroupRecord(new=new, created_at=make.AT, capacity=new.capacity, instances=(one,))

    sources = probing.sources("local", record, one, status=status, probed=probed)
    whole = probing.instance(record, one, status=status, probed=probed, log="")

    assert {each.type: each.state for each in sources} == said
    assert health.is_up(sources) == (whole.health is Health.UP)


@pytest.mark.parametrize(
    ("probed", "health"),
    [
        (None, Health.UNKNOWN),
        (Probed(failures=2, reason="it gives no answer"), Health.UNKNOWN),
        (Probed(failures=3, reason="it gives no answer"), Health.STARTING),
        (Probed(failures=3, has_answered=True, reason="it answers 500"), Health.DOWN),
        (Probed(is_up=True, has_been_up=True, reason=""), Health.UP),
        (Probed(failures=3, has_been_up=True, reason="it gives no answer"), Health.DOWN),
    ],
)
def test_whether_one_that_was_taken_over_is_up_is_unknown_until_it_was_asked_often_enough(
    probed: Probed | None, health: Health
) -> None:
    new = NewServerGroup(key="k", name="shop-v000", place=PLACE, image="i", capacity=Capacity(min=1, max=1, desired=1))
    one = InstanceRecord(number=0, port=1000, launched_at=make.AT)
    record = GroupRecord(new=new, created_at=make.AT, capacity=new.capacity, instances=(one,))
    status = ProcessStatus(name="r", state=ProcessState.RUNNING)

    found = probing.instance(record, one, status=status, probed=probed, log="", is_taken_over=True)

    assert found.health is health
