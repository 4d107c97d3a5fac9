"""What can't be done for one server group or run keeps no other waiting, is told once, and tried again after pauses that grow."""

import asyncio
import itertools
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests import waiting
from tests.fakes.virtual_time import VirtualTime

from gennaker.interfaces.clouds import Capacity, NewServerGroup, Place
from gennaker.model.problems import Problem, Refused
from gennaker.testing.documents import MemoryDocuments
from gennaker.transport.instances.keeping import Instances, RunsUnknown
from gennaker.transport.instances.records import GroupRecord, run_name
from gennaker.transport.instances.refusals import Refusals
from gennaker.transport.processes import EndReason, ProcessState, ProcessStatus

BUSY = Refused(Problem(code="p", message="It is busy.", remedy="Wait."))


class Engine:
    """What runs; of some of it nothing can be found out, some can't be removed."""

    def __init__(self, *running: str) -> None:
        self.running = dict.fromkeys(running, ProcessState.RUNNING)
        self.unknown: set[str] = set()
        self.stuck: set[str] = set()
        self.tried: list[float] = []
        """When something was asked in vain."""

    async def look(self) -> None: ...

    async def groups(self) -> frozenset[str]:
        return frozenset(name.partition("/")[0] for name in self.running)

    async def statuses(self, names: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        if self.unknown & set(names):
            self._in_vain()
            raise RunsUnknown("its layer is not known")
        return {name: self._status(name) for name in names}

    async def start(self, _: GroupRecord, __: object, name: str) -> None:
        await asyncio.sleep(0.1)
        self.running[name] = ProcessState.RUNNING

    async def stop(self, name: str, _: float) -> None:
        self.running[name] = ProcessState.ENDED

    async def remove(self, name: str) -> None:
        if name in self.stuck:
            self._in_vain()
            raise BUSY
        self.running.pop(name, None)

    async def remove_group(self, group: str) -> None:
        for name in tuple(self.running):
            if name.startswith(f"{group}/"):
                await self.remove(name)

    def _in_vain(self) -> None:
        self.tried.append(asyncio.get_running_loop().time())

    def _status(self, name: str) -> ProcessStatus | None:
        state = self.running.get(name)
        return None if state is None else ProcessStatus(name=name, state=state, reason=EndReason.EXITED)


class Kept:
    """Instances that are looked at every quarter of a second, and never probed."""

    def __init__(self, engine: Engine, time: VirtualTime) -> None:
        self.engine = engine
        self.instances = Instances(provider="p", key="k", documents=MemoryDocuments(), runs=engine, clock=time)  # type: ignore[arg-type]  # what isn't asked for isn't there

    async def add(self, name: str, size: int = 1) -> None:
        place, capacity = Place(account="a", region="r"), Capacity(min=0, max=size, desired=size)
        new = NewServerGroup(key=name, name=name, place=place, image="i", capacity=capacity)
        record = GroupRecord(new=new, created_at=datetime(2026, 1, 1, tzinfo=UTC), capacity=capacity)
        assert await self.instances.add(record)

    async def resize(self, name: str, size: int) -> None:
        capacity = Capacity(min=0, max=size, desired=size)
        assert await self.instances.change(name, lambda record: replace(record, capacity=capacity))

    async def destroy(self, name: str) -> None:
        assert await self.instances.change(name, lambda record: replace(record, is_destroyed=True))

    async def for_seconds(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            await self.instances.settle_all()
            await asyncio.sleep(0.25)

    async def numbers(self, name: str) -> list[int]:
        record = await self.instances.record(name)
        assert record is not None
        return [one.number for one in record.instances]


def pauses(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_pauses_grow_until_something_else_is_wanted_and_each_reason_is_told_once() -> None:
    async def story() -> tuple[list[float], bool]:
        refusals, waited = Refusals("p"), []
        loop = asyncio.get_running_loop()
        assert refusals.is_due("shop-v000", 1)
        for _ in range(7):
            refusals.refused("shop-v000", 1, "It is busy.")
            began = loop.time()
            await waiting.until(lambda: refusals.is_due("shop-v000", 1), "it is due", pause_seconds=0.5)
            waited.append(round(loop.time() - began, 1))
        refusals.refused("shop-v000", 1, "It is locked.")
        assert not refusals.is_due("shop-v000", 1)
        return waited, refusals.is_due("shop-v000", 2)

    with capture_logs() as lines:
        waited, is_due = VirtualTime().run(story())

    assert waited == [1, 2, 4, 8, 16, 30, 30]
    assert is_due
    assert [(line["of"], line["why"]) for line in lines] == [
        ("shop-v000", "It is busy."),
        ("shop-v000", "It is locked."),
    ]


def test_what_is_not_refused_any_more_or_forgotten_has_no_pause() -> None:
    async def story() -> list[bool]:
        refusals = Refusals("p")
        for name in ("shop-v000", "shop-v000/1/0", "shop-v001", "shop-v002"):
            refusals.refused(name, None, "It is busy.")
        refusals.done("shop-v002")
        refusals.forget({"shop-v000", "shop-v002"})
        return [refusals.is_due(name, None) for name in ("shop-v000", "shop-v000/1/0", "shop-v001", "shop-v002")]

    assert VirtualTime().run(story()) == [False, False, True, True]


def test_runs_of_an_unknown_server_group_that_can_not_be_removed_keep_no_other_waiting() -> None:
    stray, wanted = run_name("old-v001", 0, 0), run_name("shop-v000", 0, 0)
    time = VirtualTime()

    async def story() -> None:
        kept = Kept(Engine(stray), time)
        kept.engine.stuck = {stray}
        await kept.add("shop-v000")
        await kept.for_seconds(6)
        assert set(kept.engine.running) == {stray, wanted}
        assert len(kept.engine.tried) == 3

        # One that is called so by now doesn't take it over.
        await kept.add("old-v001")
        await kept.for_seconds(2)
        assert await kept.numbers("old-v001") == []
        kept.engine.stuck.clear()
        await kept.for_seconds(8)
        assert set(kept.engine.running) == {stray, wanted}
        assert await kept.numbers("old-v001") == [0]

    with capture_logs() as lines:
        time.run(story())

    assert [line["of"] for line in lines if line["event"] == "instances.refused"] == ["old-v001"]
    assert [line["server_group"] for line in lines if line["event"] == "instances.started"] == ["shop-v000", "old-v001"]


def test_a_server_group_of_which_nothing_can_be_found_out_keeps_no_other_waiting() -> None:
    bad = run_name("bad-v000", 0, 0)
    time = VirtualTime()

    async def story() -> list[float]:
        kept = Kept(Engine(), time)
        await kept.add("bad-v000")
        await kept.for_seconds(1)
        kept.engine.unknown = {bad}
        await kept.add("shop-v000", 3)
        await kept.for_seconds(20)
        assert set(kept.engine.running) == {bad, *(run_name("shop-v000", number, 0) for number in range(3))}
        tried = pauses(kept.engine.tried)

        # Somebody wants something else: it is tried at once.
        before = len(kept.engine.tried)
        await kept.destroy("bad-v000")
        await kept.instances.settle_all()
        assert len(kept.engine.tried) == before + 1
        kept.engine.unknown.clear()
        await kept.for_seconds(3)
        assert await kept.instances.record("bad-v000") is None
        return tried

    with capture_logs() as lines:
        tried = time.run(story())

    assert [round(pause) for pause in tried] == [1, 2, 4, 8]
    assert [line["of"] for line in lines if line["event"] == "instances.refused"] == ["bad-v000"]


@pytest.mark.parametrize("is_destroyed", [False, True])
def test_an_instance_that_has_left_is_known_until_nothing_is_left_of_it(*, is_destroyed: bool) -> None:
    first, second = run_name("shop-v000", 0, 0), run_name("shop-v000", 1, 0)
    time = VirtualTime()

    async def story() -> None:
        kept = Kept(Engine(), time)
        await kept.add("shop-v000", 2)
        await kept.for_seconds(1)
        kept.engine.stuck = {second}
        if is_destroyed:
            await kept.destroy("shop-v000")
        else:
            await kept.resize("shop-v000", 1)
        await kept.for_seconds(3)
        assert kept.engine.running.get(second) is ProcessState.ENDED
        assert await kept.numbers("shop-v000") == ([1] if is_destroyed else [0, 1])

        # Others are kept all the same.
        if not is_destroyed:
            await kept.resize("shop-v000", 2)
            await kept.for_seconds(1)
            assert set(kept.engine.running) == {first, second, run_name("shop-v000", 2, 0)}
            assert await kept.numbers("shop-v000") == [0, 1, 2]

        kept.engine.stuck.clear()
        await kept.for_seconds(10)
        assert second not in kept.engine.running
        if is_destroyed:
            assert await kept.instances.record("shop-v000") is None
        else:
            assert await kept.numbers("shop-v000") == [0, 2]

    with capture_logs() as lines:
        time.run(story())

    assert [line["of"] for line in lines if line["event"] == "instances.refused"] == [second]
