"""Phases: kept in memory where nobody else can change them, and read anew where others can."""

import asyncio
from datetime import UTC, datetime

import pytest

from gennaker.interfaces.documents import Document
from gennaker.migration.phases import Phase, Phases, Standing
from gennaker.model.problems import Refused
from gennaker.testing.documents import MemoryDocuments, MemoryStore

AT = datetime(2026, 1, 1, tzinfo=UTC)


def standing(phase: Phase) -> Standing:
    return Standing(application="shop", phase=phase, since=AT, by="ada", imported_at=AT)


@pytest.mark.parametrize("is_alone", [True, False])
def test_what_is_put_holds_at_once(is_alone: bool) -> None:
    async def work() -> None:
        phases = Phases(MemoryStore(), is_alone=is_alone)
        assert (await phases.of("shop"), await phases.is_held("shop"), await phases.of("")) == (None, False, None)

        await phases.put(standing(Phase.SHADOW))

        assert await phases.is_held("SHOP")
        await phases.put(standing(Phase.IMPORTED))
        assert await phases.is_held("shop")
        assert await phases.may_hold()
        assert [one.application for one in await phases.all()] == ["shop"]
        await phases.put(standing(Phase.LIVE))
        assert not await phases.is_held("shop")

    asyncio.run(work())


def test_what_another_server_has_put_holds_at_once() -> None:
    async def work() -> None:
        store = MemoryStore()
        one, other = Phases(store, is_alone=False), Phases(store, is_alone=False)
        assert not await one.is_held("shop")

        await other.put(standing(Phase.SHADOW))

        assert await one.is_held("shop")

    asyncio.run(work())


class SlowDocuments(MemoryDocuments):
    """Lists what there was, a moment later."""

    async def list(self, prefix: str = "") -> tuple[Document, ...]:
        found = await super().list(prefix)
        for _ in range(5):
            await asyncio.sleep(0)
        return found


def test_what_was_read_before_a_write_is_not_kept_after_it() -> None:
    async def work() -> None:
        slow = SlowDocuments()
        phases = Phases(lambda _: slow, is_alone=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(phases.is_held("shop"))
            await asyncio.sleep(0)
            await phases.put(standing(Phase.SHADOW))

        assert await phases.is_held("shop")

    asyncio.run(work())


@pytest.mark.parametrize("is_alone", [True, False])
def test_what_somebody_else_has_changed_is_not_written_over(is_alone: bool) -> None:
    async def work() -> None:
        phases = Phases(MemoryStore(), is_alone=is_alone)
        with pytest.raises(Refused, match="nothing was done"):
            await phases.change(standing(Phase.LIVE), before=standing(Phase.SHADOW), audit=())
        await phases.put(standing(Phase.SHADOW))

        await phases.change(standing(Phase.LIVE), before=standing(Phase.SHADOW), audit=())

        with pytest.raises(Refused, match="nothing was done"):
            await phases.change(standing(Phase.IMPORTED), before=standing(Phase.SHADOW), audit=())
        assert await phases.of("shop") == standing(Phase.LIVE)

    asyncio.run(work())
