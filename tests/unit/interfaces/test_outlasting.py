"""Who can't be asked now is asked again for five minutes: tasks, plans and what stops them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, ended, problem_of, reached

from gennaker.engine import rules, why
from gennaker.engine.answers import Answer
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, CancelAsked, Done, Failed, TaskResult
from gennaker.model.execution import EffectClass, Execution
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther, ForRetry, Waiting
from gennaker.settings import Settings

AWAY = Problem(code="test.away", message="The API server of prod doesn't answer.", remedy="See to it.")
CONFIG = make.config(make.stage_json("a", type="looks"))


class Server:
    """Doesn't answer for so long from the first question on."""

    def __init__(self, away: timedelta, *, status: int = UNAVAILABLE) -> None:
        self.questions = 0
        self.looks: list[tuple[bool, JsonObject]] = []
        self._away = away.total_seconds()
        self._status = status
        self._began: float | None = None

    def ask(self) -> None:
        self.questions += 1
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        if now - self._began < self._away:
            raise Refused(AWAY, status=self._status)

    async def look(self, context: TaskContext) -> TaskResult:
        self.looks.append((context.is_repeat, context.task.memory))
        if not context.task.memory:
            return Again(after=timedelta(), waiting_for=ForOther(reason="the next look"), memory={"seen": 1})
        self.ask()
        return Done()


def run(
    stage: StageType, *, meanwhile: Callable[[Services, str], Awaitable[None]] | None = None
) -> tuple[Execution, float]:
    """The execution, and how many seconds it took."""
    found = Harness(scripted.plugin(Target(), stage)).run(CONFIG, meanwhile=meanwhile)
    assert found.head.start_time is not None
    assert found.head.end_time is not None
    return found, (found.head.end_time - found.head.start_time).total_seconds()


def test_a_task_outlasts_a_minute_without_an_answer_and_keeps_what_it_remembered() -> None:
    server = Server(timedelta(minutes=1))

    execution, took = run(scripted.stage("looks", server.look))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert 60 <= took < 72, "the pauses grow to ten seconds"
    first, second, *again = server.looks
    assert (first, second) == ((False, {}), (False, {"seen": 1}))
    assert again == [(True, {"seen": 1})] * len(again), "what was cut off may have been done in part"


def test_who_stays_away_is_given_up_after_five_minutes() -> None:
    execution, took = run(scripted.stage("looks", Server(timedelta(hours=1)).look))

    assert execution.head.status is Status.TERMINAL
    assert 300 <= took <= 310
    assert "The API server of prod doesn't answer. So it was for 5 minutes." in problem_of(execution)


def test_tries_that_were_counted_before_take_nothing_from_the_five_minutes() -> None:
    server = Server(timedelta(minutes=4, seconds=57))
    begun: list[float] = []

    async def look(_: TaskContext) -> TaskResult:
        begun.append(asyncio.get_running_loop().time())
        if len(begun) < 5:
            return Failed(problem=AWAY, retryable=True)
        server.ask()
        return Done()

    execution, took = run(scripted.stage("looks", look))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert begun[4] - begun[0] > 11
    assert took > 300


@pytest.mark.parametrize(
    ("status", "effect_class"), [(409, EffectClass.REPEATABLE), (UNAVAILABLE, EffectClass.AT_MOST_TWICE)]
)
def test_an_answer_and_what_must_not_be_repeated_end_the_task_at_once(status: int, effect_class: EffectClass) -> None:
    server = Server(timedelta(minutes=1), status=status)

    execution, took = run(scripted.stage("looks", server.look, effect_class=effect_class))

    assert execution.head.status is Status.TERMINAL
    assert took < 1


def test_why_says_who_is_waited_for_since_when_and_until_when() -> None:
    server = Server(timedelta(minutes=1))
    stage = scripted.stage("looks", server.look)
    waits: list[Waiting | None] = []
    told: list[Answer] = []
    asked: list[int] = []

    async def look(services: Services, execution_id: str) -> None:
        await asyncio.sleep(40)
        asked.append(server.questions)
        facts = await services.executions.facts(execution_id)
        (running,) = facts.known[execution_id].execution.in_order()
        waits.extend(one.waiting_for for one in running.tasks)
        told.extend(why.explain(facts, rules.from_stage_types([stage], Settings())).answers)

    execution, _ = run(stage, meanwhile=look)

    began = execution.head.start_time
    assert began is not None
    until: datetime = began + timedelta(minutes=5)
    (wait,), (answer,) = waits, told
    assert isinstance(wait, ForRetry)
    assert (wait.since, wait.gives_up_at, wait.problem) == (began, until, AWAY)
    assert wait.attempt == asked[0] + 1
    assert (answer.since, answer.times_out_at) == (began, until)
    assert f"again until {until:%H:%M:%S} UTC. The API server of prod doesn't answer." in answer.sentence
    assert "there is no answer by then" in answer.then


def test_a_plan_outlasts_it_too() -> None:
    server = Server(timedelta(minutes=1))

    async def plan(_: StageSpec, __: StageContext) -> Plan:
        server.ask()
        return Plan()

    execution, _ = run(replace(scripted.stage("looks", server.look), plan=plan, plans_without_io=False))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert server.questions > 2


def test_what_a_cancelled_task_has_begun_is_stopped_once_somebody_answers() -> None:
    server = Server(timedelta(minutes=1))
    stops: list[float] = []

    async def hang(_: TaskContext) -> TaskResult:
        await asyncio.sleep(10_000)
        return Done()

    async def stop(_: TaskContext) -> None:
        server.ask()
        stops.append(asyncio.get_running_loop().time())

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "looks", task="run")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)
        await ended(services, execution_id)
        await asyncio.sleep(100)

    execution, _ = run(scripted.stage("looks", hang, stop=stop), meanwhile=cancel)

    assert execution.head.status is Status.CANCELED
    assert len(stops) == 1
    assert server.questions > 2


def test_no_stop_begins_after_a_minute_and_a_half() -> None:
    began: list[float] = []

    async def hang(_: TaskContext) -> TaskResult:
        await asyncio.sleep(10_000)
        return Done()

    async def stop(_: TaskContext) -> None:
        began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(27)
        raise Refused(AWAY, status=UNAVAILABLE)

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "looks", task="run")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)
        await ended(services, execution_id)
        await asyncio.sleep(200)

    run(scripted.stage("looks", hang, stop=stop), meanwhile=cancel)

    assert [round(one - began[0]) for one in began] == [0, 30, 60]
