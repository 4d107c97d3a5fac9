"""Executions: submitting once, commands, and the numbers of server groups."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, ended

from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.journal import OwnedElsewhere
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.event import CancelAsked, PauseAsked, ResumeAsked
from gennaker.model.execution import ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow

MAKE: JsonObject = {"application": "shop", "name": "d", "stages": [make.stage_json("make", type="make", name="make")]}
WAIT: JsonObject = {
    "application": "shop",
    "name": "w",
    "stages": [make.stage_json("wait", type="wait", name="wait", waitTime=600)],
}
Work = Callable[[Services], Awaitable[None]]


@pytest.fixture
def harness() -> Harness:
    return Harness(flow.plugin, scripted.plugin(Target()))


def test_the_same_key_starts_one_execution_even_at_the_same_time(harness: Harness) -> None:
    async def work(services: Services) -> None:
        one = Submission(config=MAKE, key="event-1")
        found = await asyncio.gather(*(services.executions.submit(one, TESTER) for _ in range(10)))
        assert len(set(found)) == 1
        await ended(services, found[0])
        assert await services.executions.submit(one, TESTER) == found[0]

    harness.do(work)

    assert len(harness.executions()) == 1


def test_an_unfinished_execution_with_the_same_correlation_id_is_the_answer(harness: Harness) -> None:
    async def work(services: Services) -> None:
        one = Submission(config=WAIT, trigger={"correlationId": "c"})
        found = await asyncio.gather(*(services.executions.submit(one, TESTER) for _ in range(10)))
        assert len(set(found)) == 1

        orchestration = Submission(kind=ExecutionKind.ORCHESTRATION, config=WAIT, trigger={"correlationId": "c"})
        assert await services.executions.submit(orchestration, TESTER) != found[0]

        await ended(services, found[0])
        assert await services.executions.submit(one, TESTER) != found[0]

    harness.do(work)

    assert len(harness.executions()) == 3


def test_an_id_that_the_caller_gives_is_kept(harness: Harness) -> None:
    async def work(services: Services) -> None:
        chosen = Submission(config=MAKE, trigger={"executionId": "my-run.1"})
        assert await services.executions.submit(chosen, TESTER) == "my-run.1"
        assert await services.executions.submit(chosen, TESTER) == "my-run.1"

    harness.do(work)

    assert [one.head.id for one in harness.executions()] == ["my-run.1"]


def test_an_id_that_something_else_has_is_refused(harness: Harness) -> None:
    async def work(services: Services) -> None:
        await services.executions.submit(Submission(config=MAKE, trigger={"executionId": "x"}, key="a"), TESTER)

        with pytest.raises(Refused) as caught:
            await services.executions.submit(Submission(config=MAKE, trigger={"executionId": "x"}, key="b"), TESTER)

        assert (caught.value.status, caught.value.problems[0].code) == (409, "execution.id_taken")

    harness.do(work)


@pytest.mark.parametrize("chosen", ["../../etc", "a/b", "a b", ".hidden", "é", "x" * 65, "a\n"])
def test_an_id_that_could_lead_elsewhere_is_refused(harness: Harness, chosen: str) -> None:
    async def work(services: Services) -> None:
        with pytest.raises(Refused, match="can't be the id of an execution"):
            await services.executions.submit(Submission(config=MAKE, trigger={"executionId": chosen}), TESTER)

    harness.do(work)

    assert harness.executions() == ()


def test_a_submission_is_recorded_with_who_asked_for_it(harness: Harness) -> None:
    async def work(services: Services) -> None:
        await services.executions.submit(Submission(config=MAKE), Principal(name="ada", via="page"))

    harness.do(work)

    entry = harness.journal.audit[0]
    assert (entry.actor, entry.action, entry.details["via"]) == ("ada", "execution.submitted", "page")


def test_a_command_is_recorded_with_who_gave_it_and_answers_with_the_new_state(harness: Harness) -> None:
    async def work(services: Services) -> None:
        started = await services.executions.submit(Submission(config=WAIT), TESTER)
        await asyncio.sleep(1)
        event = CancelAsked(at=services.clock.now(), by="ada", reason="enough")

        state = await services.executions.tell(started, event, Principal(name="ada", via="cli"))

        assert (state.head.status, state.head.canceled_by) == (Status.CANCELED, "ada")
        now = await services.executions.get(started)
        assert now is not None
        assert now.stages == state.stages
        assert now.head.version - state.head.version in {0, 1}, "the stopped task may have told its end meanwhile"

    harness.do(work)

    (entry,) = [e for e in harness.journal.audit if e.action == "command.CancelAsked"]
    assert entry.actor == "ada"
    assert entry.details == {"via": "cli", "reason": "enough"}


def test_a_command_that_changes_nothing_is_refused_with_the_engines_reason(harness: Harness) -> None:
    async def work(services: Services) -> None:
        started = await services.executions.submit(Submission(config=MAKE), TESTER)
        await ended(services, started)
        with pytest.raises(Refused, match="this one is SUCCEEDED") as caught:
            await services.executions.tell(started, PauseAsked(at=services.clock.now(), by="ada"), TESTER)
        assert caught.value.status == 409

    harness.do(work)


def test_pausing_and_resuming_go_through(harness: Harness) -> None:
    async def work(services: Services) -> None:
        started = await services.executions.submit(Submission(config=WAIT), TESTER)
        await asyncio.sleep(1)
        paused = await services.executions.tell(started, PauseAsked(at=services.clock.now(), by="ada"), TESTER)
        assert paused.head.status is Status.PAUSED
        await asyncio.sleep(3600)
        await services.executions.tell(started, ResumeAsked(at=services.clock.now(), by="ada"), TESTER)
        assert (await ended(services, started)).head.status is Status.SUCCEEDED

    harness.do(work)


def test_a_holder_gets_the_same_number_until_it_returns_it(harness: Harness) -> None:
    async def work(services: Services) -> None:
        reserve = services.executions.reserve_number
        assert await reserve("local:local:shop", "a", taken=(), newest=None) == 0
        assert await reserve("local:local:shop", "a", taken=(0, 1), newest=1) == 0
        assert await reserve("local:local:shop", "b", taken=(), newest=None) == 1
        assert await reserve("local:local:cart", "a", taken=(7,), newest=7) == 8
        await services.executions.return_number("local:local:shop", "a")
        assert await reserve("local:local:shop", "c", taken=(), newest=None) == 0

    harness.do(work)


def test_when_all_numbers_are_taken_the_next_one_is_refused(harness: Harness) -> None:
    async def work(services: Services) -> None:
        with pytest.raises(Refused, match="All 1000 server-group numbers of the cluster local:local:shop are taken"):
            await services.executions.reserve_number("local:local:shop", "a", taken=tuple(range(1000)), newest=999)

    harness.do(work)


def test_searches_are_the_stores(harness: Harness) -> None:
    async def work(services: Services) -> None:
        started = await services.executions.submit(Submission(config=MAKE), TESTER)
        await ended(services, started)
        assert [one.head.id for one in await services.executions.find(Found(name="d"))] == [started]
        assert await services.executions.find(Found(name="other")) == ()

    harness.do(work)


def test_who_owns_an_execution_and_does_not_answer_is_told_once(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is stored: with the status 503 whoever gives it would give it again."""

    class Elsewhere:
        async def apply(self, execution_id: str, *_: object, **__: object) -> None:
            raise OwnedElsewhere(execution_id)

    async def work(services: Services) -> None:
        execution_id = await services.executions.submit(Submission(config=WAIT), TESTER)
        cancel = CancelAsked(at=services.clock.now(), by="ada")
        with monkeypatch.context() as patch:
            patch.setattr(services.executions, "_worker", Elsewhere())
            with pytest.raises(Refused, match="hasn't answered within 60 s") as refused:
                await services.executions.tell(execution_id, cancel, TESTER)
        assert refused.value.status == 504
        await ended(services, execution_id)

    harness.do(work)
