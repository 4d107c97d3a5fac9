"""Taking up: what a living server does with the effects that another one has left behind."""

import asyncio

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.journal import MemoryJournal
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, ended

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.effect import PendingEffect
from gennaker.model.event import CancelAsked
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.worker.alone import Alone

CALL: JsonObject = make.config(make.stage_json("call", type="call"))


class Orphans(Alone):
    """A server that finds the whole outbox only after it has begun: what another one has left behind."""

    def __init__(self, journal: MemoryJournal) -> None:
        super().__init__(journal)
        self.finds = [(), journal.pending]

    @property
    def is_alone(self) -> bool:
        return False

    async def take(self) -> tuple[PendingEffect, ...]:
        found = self.finds.pop(0) if self.finds else ()
        return found if isinstance(found, tuple) else await found()

    async def woken(self) -> None:
        if not self.finds:
            await super().woken()


def test_what_is_dropped_between_being_found_and_taken_up_is_not_performed() -> None:
    target = Target()

    class Counting(MemoryJournal):
        """Somebody cancels right before a repeat is counted."""

        async def raise_tries(self, key: str) -> int:
            event = CancelAsked(at=harness.time.now(), by="tester")
            await built.worker.apply(key.partition("/")[0], event)
            return await super().raise_tries(key)

    harness = Harness(flow.plugin, scripted.plugin(target))
    journal = harness.journal = Counting()
    harness.probe.kill_at(["effect.after:RunTask:call.run"])
    with pytest.raises(BaseExceptionGroup):
        harness.do(lambda services: until_ended(services, CALL))
    built = harness.built(Orphans(journal))

    async def take_up() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(built.worker.run())
            await asyncio.sleep(60)
            assert not running.done()
            running.cancel()

    harness.time.run(take_up())

    (execution,) = harness.executions()
    assert execution.head.status is Status.CANCELED
    assert target.calls == {"call": 1}
    assert asyncio.run(journal.pending()) == ()


async def until_ended(services: Services, config: JsonObject) -> None:
    await ended(services, await services.executions.submit(Submission(config=config), TESTER))
