"""Keeping ends when it is told to, whatever goes wrong at that moment, and goes on where one server group's part is refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from tests import waiting
from tests.fakes.virtual_time import RealTime

from gennaker.interfaces.clouds import Capacity, Health, HealthProbe, NewServerGroup, Place
from gennaker.model.problems import Problem, Refused
from gennaker.testing.documents import MemoryDocuments
from gennaker.transport.instances.keeping import Instances, RunsUnknown
from gennaker.transport.instances.records import GroupRecord, InstanceRecord, run_name
from gennaker.transport.processes import EndReason, ProcessState, ProcessStatus


class GoesAway:
    """An engine that breaks off just when whoever asks is told to end."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.breaks = asyncio.Event()

    async def look(self) -> None: ...

    async def groups(self) -> frozenset[str]:
        return frozenset()

    async def statuses(self, _: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        self.is_asked.set()
        await self.breaks.wait()
        raise RunsUnknown("it has gone away")


class Refuses:
    """An engine that refuses to look for the strays first, and then at one server group, for some time."""

    def __init__(self, times: int) -> None:
        self.started: set[str] = set()
        self.is_done = asyncio.Event()
        self._times = times
        self._strays_asked = 0

    async def look(self) -> None: ...

    async def groups(self) -> frozenset[str]:
        self._strays_asked += 1
        if self._strays_asked == 1:
            raise Refused(Problem(code="p", message="Not now.", remedy="Wait."))
        return frozenset()

    async def statuses(self, names: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        if any(name.startswith("shop-v000/") for name in names) and self._times > 0:
            self._times -= 1
            raise Refused(Problem(code="p", message="This one not.", remedy="Wait."))
        return dict.fromkeys(names)

    async def start(self, _: GroupRecord, __: object, name: str) -> None:
        self.started.add(name)
        if len(self.started) > 1:
            self.is_done.set()


class IsAway(Refuses):
    """An engine that can't be asked for some time."""

    async def look(self) -> None:
        self._times -= 1
        if self._times >= 0:
            raise RunsUnknown("it doesn't answer")


@pytest.mark.parametrize("kind", [Refuses, IsAway])
def test_what_is_refused_for_one_server_group_keeps_no_other_waiting_and_is_tried_again(kind: type[Refuses]) -> None:
    async def main() -> tuple[str, ...]:
        engine = kind(3)
        place, capacity = Place(account="a", region="r"), Capacity(min=1, max=1, desired=1)
        instances = Instances(provider="p", key="k", documents=MemoryDocuments(), runs=engine, clock=RealTime())  # type: ignore[arg-type]  # what isn't asked for isn't there
        for name in ("shop-v000", "shop-v001"):
            new = NewServerGroup(key=name, name=name, place=place, image="i", capacity=capacity)
            await instances.add(GroupRecord(new=new, created_at=datetime(2026, 1, 1, tzinfo=UTC), capacity=capacity))
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(instances.keep())
            await engine.is_done.wait()
            keeping.cancel()
        return tuple(sorted(engine.started))

    started = asyncio.run(waiting.with_an_end(main()))

    assert started == (run_name("shop-v000", 0, 0), run_name("shop-v001", 0, 0))


class HasNoLog(Refuses):
    """An engine that knows what has ended, but not what it has said."""

    async def statuses(self, names: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        ended = ProcessStatus(name="r", state=ProcessState.ENDED, reason=EndReason.EXITED, exit_status=3)
        return dict.fromkeys(names, ended)

    async def tail(self, _: str, __: int) -> str:
        raise RunsUnknown("the log is somewhere else")


def test_where_a_log_can_not_be_read_the_instances_health_is_known_all_the_same() -> None:
    place, capacity = Place(account="a", region="r"), Capacity(min=1, max=1, desired=1)
    instances = Instances(
        provider="p",
        key="k",
        documents=MemoryDocuments(),
        runs=HasNoLog(0),  # type: ignore[arg-type]  # what isn't asked for isn't there
        clock=RealTime(),
    )
    new = NewServerGroup(key="k", name="shop-v000", place=place, image="i", capacity=capacity)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    one = InstanceRecord(number=0, port=1000, launched_at=at)
    record = GroupRecord(new=new, created_at=at, capacity=capacity, instances=(one,))

    (shown,) = asyncio.run(instances.shown(record)).instances

    assert shown.health is Health.DOWN
    assert "exited with status 3" in shown.health_reason
    assert "the log is somewhere else" in shown.health_reason


class Running(Refuses):
    """An engine on which everything runs that is started, and what was started before."""

    def __init__(self, *before: str) -> None:
        super().__init__(0)
        self.started.update(before)

    async def groups(self) -> frozenset[str]:
        return frozenset()

    async def statuses(self, names: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        return {
            name: ProcessStatus(name=name, state=ProcessState.RUNNING) if name in self.started else None
            for name in names
        }

    async def tail(self, _: str, __: int) -> str:
        return ""


@pytest.mark.parametrize(("before", "health"), [((), Health.STARTING), (("shop-v000/0/0",), Health.UNKNOWN)])
def test_one_that_an_earlier_server_has_started_is_not_said_to_be_starting_after_one_failure(
    before: tuple[str, ...], health: Health
) -> None:
    async def main() -> Health:
        place, capacity = Place(account="a", region="r"), Capacity(min=1, max=1, desired=1)
        engine = Running(*before)
        instances = Instances(provider="p", key="k", documents=MemoryDocuments(), runs=engine, clock=RealTime())  # type: ignore[arg-type]  # what isn't asked for isn't there
        new = NewServerGroup(key="k", name="shop-v000", place=place, image="i", capacity=capacity)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        one = InstanceRecord(number=0, port=1, launched_at=at)
        record = GroupRecord(new=new, created_at=at, capacity=capacity, instances=(one,))
        await instances.add(record)
        if not before:
            await instances.settle_all()
        (shown,) = (await instances.shown(record)).instances
        assert "nothing listens on port 1 yet" in shown.health_reason
        return shown.health

    assert asyncio.run(waiting.with_an_end(main())) is health


def test_a_server_that_does_not_keep_an_instance_learns_its_health_whenever_it_is_asked() -> None:
    async def main() -> None:
        statuses = ["503 Not Yet", "200 OK", "503 No More"]

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {statuses[0]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            place, capacity = Place(account="a", region="r"), Capacity(min=1, max=1, desired=1)
            engine = Running("shop-v000/0/0")
            instances = Instances(provider="p", key="k", documents=MemoryDocuments(), runs=engine, clock=RealTime())  # type: ignore[arg-type]  # what isn't asked for isn't there
            probe = HealthProbe(interval=timedelta(milliseconds=1), timeout=timedelta(minutes=1))
            new = NewServerGroup(key="k", name="shop-v000", place=place, image="i", capacity=capacity, probe=probe)
            at = datetime(2026, 1, 1, tzinfo=UTC)
            one = InstanceRecord(number=0, port=server.sockets[0].getsockname()[1], launched_at=at)
            record = GroupRecord(new=new, created_at=at, capacity=capacity, instances=(one,))

            async def is_shown_as(health: Health) -> bool:
                (shown,) = (await instances.shown(record)).instances
                return shown.health is health

            assert not await is_shown_as(Health.UP)
            for health in (Health.UP, Health.DOWN):
                statuses.pop(0)
                await waiting.until_found(partial(is_shown_as, health), f"it is {health}")

    asyncio.run(waiting.with_an_end(main()))


@pytest.mark.parametrize("breaks_first", [True, False])
def test_an_engine_that_goes_away_while_keeping_ends_does_not_keep_it_going(*, breaks_first: bool) -> None:
    async def main() -> None:
        engine = GoesAway()
        place, capacity = Place(account="a", region="r"), Capacity(min=0, max=0, desired=0)
        instances = Instances(provider="p", key="k", documents=MemoryDocuments(), runs=engine, clock=RealTime())  # type: ignore[arg-type]  # what isn't asked for isn't there
        for name in ("shop-v000", "shop-v001"):
            new = NewServerGroup(key=name, name=name, place=place, image="i", capacity=capacity)
            await instances.add(GroupRecord(new=new, created_at=datetime(2026, 1, 1, tzinfo=UTC), capacity=capacity))
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(instances.keep())
            await engine.is_asked.wait()
            if breaks_first:
                engine.breaks.set()
                await asyncio.sleep(0)
            keeping.cancel()
            engine.breaks.set()
        assert keeping.cancelled()

    asyncio.run(waiting.with_an_end(main()))
