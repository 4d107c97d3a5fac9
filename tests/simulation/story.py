"""A story with events of every kind, for stopping the process anywhere in it.

Two runs of one pipeline after the other, a third that is superseded while it waits; children, a dependent pipeline; one
execution that is cancelled with its child, one that fails and is restarted, one whose failure is ignored. People do what
they do because of what they see, so that they do the same whoever was stopped meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from tests import make
from tests.fakes.mailbox import Inbox, Mailbox

from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType, Unplannable
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import (
    Again,
    CancelAsked,
    Done,
    Event,
    Failed,
    IgnoreFailureAsked,
    ManualJudgmentGiven,
    PauseAsked,
    PlannedStage,
    RestartAsked,
    ResumeAsked,
    SkipAsked,
    StagePatched,
    TaskResult,
)
from gennaker.model.execution import EffectClass, Execution, Stage
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther

PEOPLE = Principal(name="ada", via="test")
PROBLEM = Problem(code="story.broken", message="It broke.")
_LOOK_SECONDS = 60
_REACTION_SECONDS = 0.1
_PAUSE = timedelta(minutes=1)
_MOMENTS: list[Json] = [
    *("pipeline.starting", "pipeline.complete", "pipeline.failed"),
    *("stage.starting", "stage.complete", "stage.failed"),
]
_TEAM: list[Json] = [{"type": "test", "address": "team", "when": _MOMENTS}]


class Outside:
    """The world outside, which outlives every process."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        """What takes a key: how often it was asked for; it is there once."""
        self.calls: Counter[str] = Counter()
        """What takes none, by the run that called."""
        self.inbox = Inbox()
        self.stopped: Counter[str] = Counter()
        self._marked: set[str] = set()

    @property
    def acts(self) -> int:
        """How often anything has been done to it."""
        return sum(counts.total() for counts in (self.made, self.calls, self.stopped)) + len(self.inbox.messages)

    @property
    def mails(self) -> Counter[str]:
        """By delivery id."""
        return self.inbox.mails

    @property
    def marked(self) -> set[str]:
        """Calls and mails that were marked as repeats."""
        return self._marked | self.inbox.marked

    def make(self, key: str) -> None:
        self.made[key] += 1

    def call(self, key: str, *, is_repeat: bool) -> None:
        self.calls[key] += 1
        if is_repeat:
            self._marked.add(key)

    def stop(self, key: str) -> None:
        self.stopped[key] += 1


def plugin(outside: Outside) -> Plugin:
    """Stages that do what they say: `job`, and `asking`, which must ask before it can plan."""
    tasks = _tasks(outside)

    async def plan(_: StageSpec, context: StageContext) -> Plan:
        own = context.stage.context
        return Plan(
            tasks=tuple(
                tasks[foreign.text(name)].planned(is_loop_start=name == "loop", is_loop_end=name == "loop")
                for name in foreign.items(own.get("tasks"))
            ),
            before=_children(own, "before"),
        )

    async def ask(spec: StageSpec, context: StageContext) -> Plan:
        await asyncio.sleep(0.5)
        if context.stage.preparation == 0:
            raise Unplannable(PROBLEM, retryable=True)
        return await plan(spec, context)

    async def plan_after(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
        return _children(context.stage.context, "after")

    async def plan_on_failure(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
        return _children(context.stage.context, "onFailure")

    job = StageType(
        name="job",
        label="Job",
        about="Does what its tasks are called.",
        spec=StageSpec,
        tasks=tuple(tasks.values()),
        plan=plan,
        plan_after=plan_after,
        plan_on_failure=plan_on_failure,
        is_skippable=True,
    )
    asking = msgspec.structs.replace(job, name="asking", plan=ask, plans_without_io=False)
    return Plugin(name="story", stages=(job, asking), notifiers=(lambda _: Mailbox(outside.inbox),))


def _tasks(outside: Outside) -> dict[str, TaskType]:
    async def create(context: TaskContext) -> TaskResult:
        outside.make(context.attempt_key)
        return Done(outputs={f"made {context.stage.name}": context.stage.attempt})

    async def call(context: TaskContext) -> TaskResult:
        outside.call(context.key, is_repeat=context.is_repeat)
        return Done(context={"called": True})

    async def poll(context: TaskContext) -> TaskResult:
        seen = context.task.memory.get("seen", 0)
        assert isinstance(seen, int)
        outside.make(context.attempt_key)
        if seen == 3:
            return Done(outputs={"seen": seen})
        return Again(after=timedelta(seconds=20), waiting_for=ForOther(reason="more"), memory={"seen": seen + 1})

    async def retry(context: TaskContext) -> TaskResult:
        outside.make(context.attempt_key)
        return Failed(problem=PROBLEM, retryable=True) if context.task.failures < 2 else Done()

    async def loop(context: TaskContext) -> TaskResult:
        outside.make(context.attempt_key)
        return Done(status=Status.REDIRECT if context.task.attempt < 3 else Status.SUCCEEDED)

    async def fail(context: TaskContext) -> TaskResult:
        outside.make(context.attempt_key)
        return Failed(problem=PROBLEM) if context.stage.attempt == 0 else Done()

    async def hang(context: TaskContext) -> TaskResult:
        outside.make(context.attempt_key)
        await asyncio.sleep(1_000_000)
        return Done()

    async def stop(context: TaskContext) -> None:
        outside.stop(context.attempt_key)

    limit = timedelta(seconds=45)
    types = (
        TaskType(name="make", run=create),
        TaskType(name="call", run=call, effect_class=EffectClass.AT_MOST_TWICE),
        TaskType(name="poll", run=poll),
        TaskType(name="retry", run=retry),
        TaskType(name="loop", run=loop),
        TaskType(name="fail", run=fail),
        TaskType(name="hang", run=hang, stop=stop, timeout=None),
        TaskType(name="limited", run=hang, stop=stop, timeout=limit, is_timeout_overridable=False),
    )
    return {one.name: one for one in types}


def _children(own: JsonObject, side: str) -> tuple[PlannedStage, ...]:
    """The first that follows has an expression which asks outside, and is evaluated when their first task starts."""
    asks: JsonObject = {"title": "${ #pipelineId('child') }"} if side == "after" else {}
    return tuple(
        PlannedStage(
            type="job",
            name=f"{side} {place}",
            context={"tasks": tasks, **({} if place else asks)},
            requisites=(0,) if place else (),
        )
        for place, tasks in enumerate(foreign.items(own.get(side)))
    )


def _job(ref: str, *requires: str, tasks: tuple[str, ...] = ("make",), type: str = "job", **more: Json) -> JsonObject:  # noqa: A002 - the key's name
    listed: list[Json] = list(tasks)
    return make.stage_json(ref, *requires, type=type, tasks=listed, **more)


_WINDOW: JsonObject = {
    "restrictExecutionDuringTimeWindow": True,
    "restrictedExecutionWindow": {
        "whitelist": [{"startHour": hour, "startMin": 30, "endHour": hour, "endMin": 59} for hour in range(24)],
        "jitter": {"enabled": True, "minDelay": 3, "maxDelay": 9},
    },
}
PARENT: JsonObject = {
    "id": "parent",
    "application": "shop",
    "name": "parent",
    "limitConcurrent": True,
    "keepWaitingPipelines": False,
    "spelEvaluator": "v4",
    "notifications": _TEAM,
    "stages": [
        _job(
            "rich",
            tasks=("make", "call", "poll"),
            before=[["make", "retry"], ["call"], ["call", "make"]],
            after=[["make", "call"], ["loop"]],
        ),
        _job("loud", tasks=("call", "make"), sendNotifications=True, notifications=_TEAM),
        _job("retried", tasks=("retry", "loop", "call", "make", "call", "make")),
        _job("windowed", "rich", **_WINDOW),
        make.stage_json("waits", "loud", type="wait", waitTime=35),
        make.stage_json("skipped wait", "loud", type="wait", waitTime=86_400),
        make.stage_json(
            "judged",
            "retried",
            type="manualJudgment",
            notifications=[{**_TEAM[0], "when": ["manualJudgment"]}],  # type: ignore[dict-item]  # the table above
        ),
        make.stage_json("child", "windowed", type="pipeline", pipeline="child"),
        _job(
            "ignored", "judged", tasks=("fail", "make"), continuePipeline=True, after=[["make"]], onFailure=[["fail"]]
        ),
        _job("stopped", "judged", tasks=("fail",), failPipeline=False, onFailure=[["make"], ["call"], ["retry"]]),
        _job("after stopped", "stopped"),
        _job("limited", "waits", tasks=("limited",), markSuccessfulOnTimeout=True),
        _job("slow", "waits", tasks=("poll", "call", "poll", "make")),
        _job("evaluated", "limited", title="${ execution.name }", after=[["make"]]),
        _job("asking", "slow", type="asking", tasks=("call", "make", "retry")),
        _job("skippable", "skipped wait", tasks=("hang",), skippable=True),
        _job("disabled", "skippable", stageEnabled={"type": "expression", "expression": "false"}),
        make.stage_json("join", "child", "ignored", "evaluated", "asking", "disabled", type="noop"),
        _job("one of two", "join", tasks=("make", "call"), after=[["call"], ["make"]]),
        _job("two of two", "join", tasks=("call", "make"), before=[["call"], ["make"]]),
        _job("busy", "windowed", tasks=("make", "loop"), after=[["call"]]),
        _job(
            "last",
            "one of two",
            "two of two",
            "busy",
            tasks=("make", "call"),
            sendNotifications=True,
            notifications=_TEAM,
        ),
    ],
}
CHILD: JsonObject = {
    "id": "child",
    "application": "shop",
    "name": "child",
    "notifications": _TEAM,
    "stages": [
        _job("inner", tasks=("make", "call", "loop")),
        _job("deep", "inner", tasks=("call", "retry"), after=[["make"]]),
    ],
}
DEPENDENT: JsonObject = {
    "id": "dependent",
    "application": "shop",
    "name": "dependent",
    "triggers": [{"enabled": True, "type": "pipeline", "pipeline": "parent", "status": ["successful", "failed"]}],
    "stages": [_job("follows", tasks=("make", "call", "poll", "retry"))],
}
HANGING: JsonObject = {
    "id": "hanging",
    "application": "shop",
    "name": "hanging",
    "stages": [_job("hangs", tasks=("hang",))],
}
VICTIM: JsonObject = {
    "id": "victim",
    "application": "shop",
    "name": "victim",
    "notifications": _TEAM,
    "stages": [
        _job("holds", tasks=("make", "hang"), before=[["make"]]),
        make.stage_json("holds a child", type="pipeline", pipeline="hanging"),
        _job("polls", tasks=("poll", "hang")),
        _job("never", "holds"),
    ],
}
TROUBLED: JsonObject = {
    "id": "troubled",
    "application": "shop",
    "name": "troubled",
    "maxConcurrentExecutions": 2,
    "notifications": _TEAM,
    "stages": [
        _job("first", tasks=("make", "fail"), onFailure=[["make"]]),
        _job("second", "first", tasks=("call",)),
        make.stage_json(
            "third",
            "second",
            type="checkPreconditions",
            preconditions=[{"type": "expression", "failPipeline": True, "context": {"expression": "false"}}],
        ),
        _job("fourth", "third", after=[["call"]]),
    ],
}
DEFINITIONS = (PARENT, CHILD, DEPENDENT, HANGING, VICTIM, TROUBLED)
_EXPECTED = {"parent": 3, "child": 2, "dependent": 2, "hanging": 1, "victim": 1, "troubled": 1}
"""How many executions of each there are in the end: the superseded one isn't followed."""


async def submit(services: Services, config: JsonObject, key: str) -> None:
    """As often as one likes: it starts one."""
    await services.executions.submit(Submission(config=config, trigger={"type": "manual"}, key=key), PEOPLE)


async def tell(services: Services) -> None:
    """Does what people do until everything has ended."""
    for config in (PARENT, VICTIM, TROUBLED):
        await submit(services, config, f"{config['id']} 1")
    async with asyncio.TaskGroup() as group:
        news: asyncio.Queue[str] = asyncio.Queue()
        hearing = group.create_task(_hear(services, news))
        await asyncio.sleep(_REACTION_SECONDS)
        await _act(services, news)
        hearing.cancel()


async def _hear(services: Services, news: asyncio.Queue[str]) -> None:
    async for update in services.updates.follow():
        news.put_nowait(update.id)


async def _act(services: Services, news: asyncio.Queue[str]) -> None:
    known = {one.head.id: one for one in await services.executions.find(Found(limit=1000))}
    while True:
        everyone = [known[execution_id] for execution_id in sorted(known)]
        for execution in everyone:
            for event in _wanted(execution, everyone, services.clock.now()):
                await services.executions.tell(execution.head.id, event, PEOPLE)
        runs = [one for one in everyone if one.head.name == "parent"]
        if runs[0].head.status is Status.RUNNING and runs[-1].head.is_submitted:  # each waits before the next comes
            await submit(services, PARENT, f"parent {min(len(runs) + 1, 3)}")
        counts = Counter(one.head.name for one in everyone)
        if counts == _EXPECTED and all(_is_over(one) for one in everyone):
            return
        for execution_id in await _heard(news) or known:
            seen = await services.executions.get(execution_id)
            assert seen is not None, f"execution {execution_id} is lost"
            known[execution_id] = seen


async def _heard(news: asyncio.Queue[str]) -> set[str]:
    """What there is news of, seen a moment later; nothing if there was none for long."""
    try:
        heard = {await asyncio.wait_for(news.get(), _LOOK_SECONDS)}
    except TimeoutError:
        return set()
    await asyncio.sleep(_REACTION_SECONDS)
    while not news.empty():
        heard.add(news.get_nowait())
    return heard


def _is_over(execution: Execution) -> bool:
    return execution.head.status.is_complete and not (
        execution.head.name == "troubled" and execution.head.status is Status.TERMINAL
    )


def _wanted(execution: Execution, everyone: list[Execution], at: datetime) -> list[Event]:
    """At most one command: what comes after it depends on what comes of it."""
    head = execution.head
    if head.status.is_complete and head.status is not Status.TERMINAL:
        return []
    if head.status is Status.PAUSED:
        assert head.paused is not None
        return [ResumeAsked(at=at, by="ada")] if at - head.paused.pause_time >= _PAUSE else []
    stages = {stage.name: stage for stage in execution.in_order() if not stage.is_synthetic}
    for name, rule in _RULES.items():
        stage = stages.get(name)
        event = rule(execution, stage, everyone, at) if stage is not None else None
        if event is not None:
            return [event]
    return []


Rule = Callable[[Execution, Stage, list[Execution], datetime], Event | None]


def _is_working(stage: Stage) -> bool:
    return any(task.status is Status.RUNNING for task in stage.tasks)


def _pause(execution: Execution, stage: Stage, _: list[Execution], at: datetime) -> Event | None:
    return PauseAsked(at=at, by="ada") if _is_working(stage) and execution.head.paused is None else None


def _skip(_: Execution, stage: Stage, __: list[Execution], at: datetime) -> Event | None:
    is_asked = stage.context.get("skipRemainingWait") is True
    return SkipAsked(at=at, stage_id=stage.id, by="ada") if _is_working(stage) and not is_asked else None


def _judge(_: Execution, stage: Stage, __: list[Execution], at: datetime) -> Event | None:
    if not _is_working(stage) or stage.context.get("judgmentStatus"):
        return None
    return ManualJudgmentGiven(at=at, stage_id=stage.id, by="ada", judgment="continue")


def _patch(_: Execution, stage: Stage, __: list[Execution], at: datetime) -> Event | None:
    if not _is_working(stage) or "colour" in stage.context:
        return None
    return StagePatched(at=at, stage_id=stage.id, by="ada", patch={"colour": "green"})


def _cancel(execution: Execution, stage: Stage, everyone: list[Execution], at: datetime) -> Event | None:
    """Once everything in it hangs, its child too."""
    hanging = [one for one in everyone if one.head.name == "hanging" and any(map(_is_working, one.in_order()))]
    own = [one for one in execution.in_order() if one.tasks and one.tasks[-1].status is Status.RUNNING]
    is_caught = len(hanging) == 1 and len(own) == 3
    return CancelAsked(at=at, by="ada", reason="enough") if is_caught and stage.status is Status.RUNNING else None


def _restart(execution: Execution, stage: Stage, _: list[Execution], at: datetime) -> Event | None:
    is_wanted = stage.status is Status.TERMINAL and execution.head.status is Status.TERMINAL
    return RestartAsked(at=at, stage_id=stage.id, by="ada") if is_wanted else None


def _ignore(execution: Execution, stage: Stage, _: list[Execution], at: datetime) -> Event | None:
    is_wanted = stage.status is Status.TERMINAL and execution.head.status is Status.TERMINAL
    return IgnoreFailureAsked(at=at, stage_id=stage.id, by="ada", reason="it is known") if is_wanted else None


_RULES: dict[str, Rule] = {
    "slow": _pause,
    "skipped wait": _skip,
    "skippable": _skip,
    "judged": _judge,
    "retried": _patch,
    "holds": _cancel,
    "first": _restart,
    "third": _ignore,
}
