"""Performing: whatever the performed code does becomes a result."""

import asyncio
from collections import Counter

import pytest
from msgspec.structs import replace
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, problem_of, reached

from gennaker.engine import keys
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, TaskContext
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked, Done, PlannedStage, TaskResult
from gennaker.model.execution import Execution
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.model.statuses import Status
from gennaker.settings import EngineSettings, Settings


def run(*stages: JsonObject, plugins: tuple[Plugin, ...], **fields: object) -> tuple[Harness, Execution]:
    harness = Harness(*plugins)
    config = {"application": "shop", "name": "d", "stages": list(stages), **fields}
    return harness, harness.run(config)  # type: ignore[arg-type]  # JSON


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused(Problem(code="test.no", message="Not with me.", remedy="Ask nicely.")), "Not with me."),
        (ValueError("what?"), "Unexpected failure of run: ValueError: what?"),
        (RecursionError("deep"), "RecursionError: deep"),
        (TimeoutError(), "Unexpected failure of run: TimeoutError"),
    ],
)
def test_what_a_task_raises_becomes_its_failure(error: Exception, said: str) -> None:
    async def raises(_: TaskContext) -> TaskResult:
        raise error

    _, execution = run(
        make.stage_json("a", type="raises"), plugins=(scripted.plugin(Target(), scripted.stage("raises", raises)),)
    )

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({1: {2: 2}}, {"1": {"2": 2}}),
        ({"a": (1, 2)}, {"a": [1, 2]}),
        ({"a": object()}, None),
        ({"a": {(): 1}}, None),
    ],
)
def test_what_a_task_tells_is_json_or_its_failure(told: dict[object, object], kept: JsonObject | None) -> None:
    async def tells(_: TaskContext) -> TaskResult:
        return Done(outputs={"told": told})  # type: ignore[dict-item]  # what a plugin that isn't checked may give

    stages = (make.stage_json("a", type="tells"), make.stage_json("b", "a", type="tells", note="${ told }"))
    _, execution = run(*stages, plugins=(scripted.plugin(Target(), scripted.stage("tells", tells)),))

    last = [*execution.in_order()][-1]
    assert last.context.get("note") == (kept or "${ told }")
    assert execution.head.status is (Status.SUCCEEDED if kept else Status.TERMINAL)
    assert kept or "Unexpected failure of run" in problem_of(execution)


@pytest.mark.parametrize(
    ("told", "kept"), [({1: {2: 2}}, {"1": {"2": 2}}), ({"a": (1, 2)}, {"a": [1, 2]}), ({"a": object()}, None)]
)
@pytest.mark.parametrize("where", ["context", "before", "after"])
def test_what_a_plan_tells_is_json_or_its_failure(
    where: str, told: dict[object, object], kept: JsonObject | None
) -> None:
    context: JsonObject = {"told": told}  # type: ignore[dict-item]  # what a plugin that isn't checked may give
    part = PlannedStage(type="quick", name="part", context=context)

    async def plan(_: StageSpec, __: StageContext) -> Plan:
        return Plan(context=context if where == "context" else {}, before=(part,) if where == "before" else ())

    async def after(_: StageSpec, __: StageContext) -> tuple[PlannedStage, ...]:
        return (part,) if where == "after" else ()

    async def quick(_: TaskContext) -> TaskResult:
        return Done()

    quickly = scripted.stage("quick", quick)
    plans = replace(quickly, name="plans", plan=plan, plan_after=after)
    _, execution = run(make.stage_json("a", type="plans"), plugins=(scripted.plugin(Target(), plans, quickly),))

    found = [one.context["told"] for one in execution.in_order() if "told" in one.context]
    assert found == ([kept] if kept else [])
    assert execution.head.status is (Status.SUCCEEDED if kept else Status.TERMINAL)
    assert kept or "Planning a stage of type plans failed" in problem_of(execution)


def test_a_task_is_given_its_keys_and_what_it_needs() -> None:
    seen: list[TaskContext] = []

    async def looks(context: TaskContext) -> TaskResult:
        seen.append(context)
        return Done()

    _, execution = run(
        make.stage_json("a b/c", type="looks", colour="red"),
        plugins=(scripted.plugin(Target(), scripted.stage("looks", looks)),),
    )

    (context,) = seen
    (stage,) = execution.in_order()
    assert context.key == f"{context.attempt_key}/0"
    assert context.attempt_key == keys.attempt(execution.head.id, stage, stage.tasks[0])
    assert context.attempt_key == f"{execution.head.id}/a b%2Fc/1/0.1"
    assert not context.is_repeat
    assert context.lookup("colour") == "red"


def test_a_stage_with_an_alias_is_planned_and_performed_by_the_type_of_that_name() -> None:
    async def works(context: TaskContext) -> TaskResult:
        return Done(outputs={"worked": context.stage.type})

    _, execution = run(
        make.stage_json("a", type="whatever", alias="works"),
        plugins=(scripted.plugin(Target(), scripted.stage("works", works)),),
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert next(execution.top_level()).outputs == {"worked": "whatever"}


def test_a_task_that_the_settings_disable_is_skipped() -> None:
    target = Target()
    plugin = scripted.plugin(target)
    harness = Harness(plugin, settings=Settings(engine=EngineSettings(disabled_tasks=("run",))))

    execution = harness.run(make.config(make.stage_json("a", type="make")))

    assert execution.head.status is Status.SUCCEEDED
    assert [task.status for task in next(execution.top_level()).tasks] == [Status.SKIPPED]
    assert target.made == {}


def test_what_stopping_raises_is_recorded_and_the_execution_stays_cancelled() -> None:
    async def hang(_: TaskContext) -> TaskResult:
        await asyncio.sleep(10_000)
        return Done()

    async def stop(_: TaskContext) -> None:
        raise ValueError("it does not stop")

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "hangs")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    harness = Harness(scripted.plugin(Target(), scripted.stage("hangs", hang, stop=stop)))
    config: JsonObject = {"application": "shop", "name": "d", "stages": [make.stage_json("a", type="hangs")]}
    execution = harness.run(config, meanwhile=cancel)

    assert execution.head.status is Status.CANCELED
    harness.do(_nothing)
    (entry,) = [e for e in harness.journal.audit if e.action == "effect.stopped"]
    assert "it does not stop" in str(entry.details["problem"])


def test_stops_that_wait_for_an_absent_server_leave_hands_for_other_work() -> None:
    asked: Counter[str] = Counter()
    most = 8

    async def hang(_: TaskContext) -> TaskResult:
        await asyncio.sleep(10_000)
        return Done()

    async def stop(context: TaskContext) -> None:
        asked[context.stage.id] += 1
        raise Refused(Problem(code="test.away", message="It doesn't answer."), status=UNAVAILABLE)

    async def cancel(services: Services, execution_id: str) -> None:
        await asyncio.sleep(60)
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    settings = Settings(engine=EngineSettings(concurrent_tasks=most + 1))
    harness = Harness(scripted.plugin(Target(), scripted.stage("hangs", hang, stop=stop)), settings=settings)
    stages: list[Json] = [make.stage_json(str(number), type="hangs") for number in range(most + 1)]
    harness.run({"application": "shop", "name": "d", "stages": stages}, meanwhile=cancel)
    harness.do(_nothing)

    stopped = [entry for entry in harness.journal.audit if entry.action == "effect.stopped"]
    assert len(asked) == most + 1
    assert [times for times in asked.values() if times == 1] == [1]
    assert "It doesn't answer." in str(stopped[0].details["problem"])


async def _nothing(_: Services) -> None:
    await asyncio.sleep(60)


NOTIFIED = {"when": ["pipeline.complete"], "address": "team"}


@pytest.mark.parametrize(
    ("notification", "outcome", "said"),
    [
        ({"type": "test", **NOTIFIED}, "done", ""),
        ({"type": "test", **NOTIFIED, "address": "nobody"}, "failed", "Nobody lives there."),
        (
            {"type": "pigeon", **NOTIFIED},
            "failed",
            "There is no notifier of type 'pigeon'. Use one of test.",
        ),
        ({"type": "test", **NOTIFIED, "address": "mute"}, "unknown", "No answer."),
        ({"type": "test", **NOTIFIED, "address": "broken"}, "failed", "ZeroDivisionError"),
    ],
)
def test_what_comes_of_a_message_is_recorded(notification: JsonObject, outcome: str, said: str) -> None:
    harness, execution = run(
        make.stage_json("a", type="make"),
        plugins=(scripted.plugin(Target()),),
        notifications=[notification],
    )

    assert execution.head.status is Status.SUCCEEDED
    harness.do(_nothing)
    (entry,) = [e for e in harness.journal.audit if e.action == "notification.sent"]
    assert entry.details["outcome"] == outcome
    assert said in str(entry.details["problem"])


def test_a_notification_of_the_application_may_be_as_wrong_as_it_likes() -> None:
    harness = Harness(scripted.plugin(Target()))
    wrong: JsonObject = {"type": "test", "when": ["pipeline.complete"], "address": 5, "customMessage": []}
    asyncio.run(harness.definitions.save("notifications", "shop", {"test": [wrong]}, author="ada"))

    execution = harness.run({"application": "shop", "name": "d", "stages": [make.stage_json("a", type="make")]})

    assert execution.head.status is Status.SUCCEEDED
    harness.do(_nothing)
    (entry,) = [e for e in harness.journal.audit if e.action == "notification.sent"]
    assert entry.details["outcome"] == "done"


def test_a_task_of_a_plugin_that_is_gone_fails_with_a_sentence() -> None:
    async def wait(context: TaskContext) -> TaskResult:
        context.services.clock.now()
        harness.probe.reached("by hand")
        return Done()

    harness = Harness(scripted.plugin(Target(), scripted.stage("special", wait)))
    config: JsonObject = {"application": "shop", "name": "d", "stages": [make.stage_json("a", type="special")]}

    async def uninstall(*_: object) -> None:
        harness.plugins = (scripted.plugin(Target()),)

    execution = harness.run(config, kill_at=["by hand"], meanwhile=uninstall)

    assert execution.head.status is Status.TERMINAL
    assert "have no task 'run' in this installation" in problem_of(execution)
