"""Stalls: a place where executions hang in every way, driven for real in virtual time, to ask why they do.

    site = Stalls(); site.why(driver) -> the answers for the execution whose id the driver returns

Stage types that are scripted here say `Again` with each kind of wait, hang, fail, or can't be planned.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
from tests import make
from tests.fakes import scripted
from tests.fakes.rollouts import NEW, SICK, FakePlace
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, Killed

from gennaker.engine import rules, why
from gennaker.engine.answers import Why
from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.inspection import Facts
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, Unplannable
from gennaker.model import waiting
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.event import Again, CancelAsked, Done, Event, Failed, ManualJudgmentGiven, PauseAsked, TaskResult
from gennaker.model.execution import EffectClass, Execution
from gennaker.model.problems import Problem
from gennaker.plugins.deploy.plugin import plugin as deploy
from gennaker.plugins.flow.plugin import plugin as flow
from gennaker.settings import EngineSettings, Settings
from gennaker.worker.core import Core

NOT_ANSWERED = Problem(code="test.unanswered", message="Nobody answers.", remedy="Plug it in.")


class Site:
    """A running installation in which something is made to hang."""

    def __init__(self, harness: Harness, core: Core) -> None:
        self.harness = harness
        self.core = core

    @property
    def services(self) -> Services:
        """As stages see them."""
        return self.core.services

    async def save(self, name: str, *stages: JsonObject, **keys: Json) -> JsonObject:
        """Saves a pipeline whose id is its name."""
        listed: list[Json] = list(stages)
        body: JsonObject = {"id": name, "application": "shop", "name": name, "stages": listed, **keys}
        await self.services.definitions.save("pipeline", name, body, author="ada")
        return body

    async def run(self, *stages: JsonObject, trigger: JsonObject | None = None, **keys: Json) -> str:
        """Starts a pipeline of these stages and lets a second pass."""
        listed: list[Json] = list(stages)
        config: JsonObject = {"application": "shop", "name": "deliver", "stages": listed, **keys}
        return await self.start(config, trigger)

    async def start(self, config: JsonObject, trigger: JsonObject | None = None) -> str:
        """Starts a pipeline and lets a second pass."""
        found = await self.services.executions.submit(Submission(config=config, trigger=trigger or {}), TESTER)
        await asyncio.sleep(1)
        return found

    async def tell(self, execution_id: str, event: Event) -> None:
        """A command."""
        await self.services.executions.tell(execution_id, event, TESTER)
        await asyncio.sleep(1)

    async def stage_id(self, execution_id: str, name: str) -> str:
        """Of a stage by its name."""
        return next(one.id for one in (await self.get(execution_id)).in_order() if one.name == name)

    async def get(self, execution_id: str) -> Execution:
        """The execution."""
        found = await self.services.executions.get(execution_id)
        assert found is not None
        return found

    async def child_of(self, execution_id: str) -> str:
        """The execution that it has started."""
        for one in (await self.get(execution_id)).in_order():
            if one.context.get("executionId"):
                return str(one.context["executionId"])
        raise AssertionError("it has started none")

    async def judge(self, execution_id: str, name: str, judgment: str, *roles: str) -> None:
        """Answers a judgment."""
        stage_id = await self.stage_id(execution_id, name)
        at = self.services.clock.now()
        await self.tell(
            execution_id,
            ManualJudgmentGiven(at=at, stage_id=stage_id, by="bob", judgment=judgment, roles=frozenset(roles)),
        )

    async def cancel(self, execution_id: str, reason: str = "") -> None:
        """Cancels."""
        await self.tell(execution_id, CancelAsked(at=self.services.clock.now(), by="bob", reason=reason))

    async def pause(self, execution_id: str) -> None:
        """Pauses."""
        await self.tell(execution_id, PauseAsked(at=self.services.clock.now(), by="bob"))

    async def facts(self, execution_id: str) -> Facts:
        """What is known now."""
        return await self.services.executions.facts(execution_id)


Driver = Callable[[Site], Awaitable[str]]
Change = Callable[[Facts], Facts]


class Stalls:
    """Runs a driver and asks why."""

    def __init__(self, *, hands: int = 64, settings: Settings = Settings()) -> None:  # noqa: B008 - a frozen record
        self.place = FakePlace()
        self.target = Target()
        settings = msgspec.structs.replace(settings, engine=EngineSettings(concurrent_tasks=hands))
        fakes = self.place.harness.plugins[2]
        self.harness = Harness(flow, deploy, fakes, scripted.plugin(self.target, *STAGES), settings=settings)

    def why(
        self,
        driver: Driver,
        *,
        stage: str = "",
        seen: Change = lambda facts: facts,
        kill_at: tuple[str, ...] = (),
        lives: int = 1,
    ) -> Why:
        """Asks while the process runs; with `kill_at` after so many processes have lived and died."""
        if kill_at:
            self.harness.probe.kill_at(kill_at)
            return self._killed(driver, stage, seen, lives)

        async def main() -> Facts:
            async with self.harness.process() as core:
                site = Site(self.harness, core)
                return await site.facts(await driver(site))

        return self._explained(seen(self.harness.time.run(main())), stage)

    def _killed(self, driver: Driver, stage: str, seen: Change, lives: int) -> Why:

        async def main(*, is_first: bool) -> None:
            async with self.harness.process() as core:
                site = Site(self.harness, core)
                if is_first:
                    await driver(site)
                await asyncio.sleep(120)

        for number in range(lives):
            try:
                self.harness.time.run(main(is_first=number == 0))
            except* Killed:
                pass  # as the driver wants it
        return self._explained(seen(self.harness.time.run(self._first())), stage)

    async def _first(self) -> Facts:
        """The facts about the first execution as someone sees them who looks into the store: no worker."""
        services = self.harness.built().services
        found = await services.executions.find(Found(limit=50))
        return await services.executions.facts(found[-1].head.id)

    def _explained(self, facts: Facts, stage: str) -> Why:
        types = self.harness.built().stage_types
        return why.explain(facts, rules.from_stage_types(types.values()), stage_ref=stage)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One stall."""

    name: str
    drive: Callable[[Site], Awaitable[str]]
    path: str
    says: str = ""
    """Part of the first answer's sentence, object or observation."""
    command: str = ""
    """Part of a command that unblocks it."""
    stage: str = ""
    """The stage that is asked about; empty: the execution."""
    kill_at: tuple[str, ...] = ()
    lives: int = 1
    """Processes, of which each but the last is killed."""
    seen: Callable[[Facts], Facts] = lambda facts: facts
    hands: int = 64
    settings: Settings = Settings()
    times_out: bool | None = None
    goes_on: bool | None = None

    def check(self) -> None:
        """Drives it and looks at the first answer."""
        found = Stalls(hands=self.hands, settings=self.settings).why(
            self.drive, stage=self.stage, seen=self.seen, kill_at=self.kill_at, lives=self.lives
        )

        first = found.answers[0]
        said = " ".join([first.sentence, first.about, first.observed, first.log, *first.notes])
        assert ">".join([*(link.code for link in first.chain), first.code]) == self.path, to_json(found)
        assert self.says in said, said
        assert any(self.command in way.command for way in first.ways) or not self.command, first.ways
        assert self.times_out in (None, first.times_out_at is not None), first
        assert self.goes_on in (None, first.goes_on_at is not None), first


def running(*stages: object, **keys: object) -> Callable[[Site], Awaitable[str]]:
    """The driver that just starts a pipeline."""

    async def drive(site: Site) -> str:
        return await site.run(*stages, **keys)  # type: ignore[arg-type]  # a builder's keywords

    return drive


def behind(first: object, **keys: object) -> Callable[[Site], Awaitable[str]]:
    """The second execution of a pipeline that runs one at a time, whose stage is this."""

    async def drive(site: Site) -> str:
        config = await site.save("p", first, limitConcurrent=True, **keys)  # type: ignore[arg-type]  # as above
        await site.start(config)
        return await site.start(config)

    return drive


def child(*stages: object, depth: int = 1, **keys: object) -> Callable[[Site], Awaitable[str]]:
    """A pipeline that starts a pipeline (that starts a pipeline) of these stages."""

    async def drive(site: Site) -> str:
        await site.save("c0", *stages, **keys)  # type: ignore[arg-type]  # as above
        for level in range(depth - 1):
            await site.save(f"c{level + 1}", stage("call", type="pipeline", pipeline=f"c{level}", application="shop"))
        return await site.run(stage("call", type="pipeline", pipeline=f"c{depth - 1}", application="shop"))

    return drive


def stage(ref: str, *requires: str, type: str = "work", **context: Json) -> JsonObject:  # noqa: A002 - the key's name
    """A stage of a definition."""
    return make.stage_json(ref, *requires, type=type, **context)


WAIT = stage("a", type="wait", waitTime=600)
JUDGE = stage("a", type="manualJudgment")
DEPLOY = {
    "account": "local",
    "region": "local",
    "cloudProvider": "fake",
    "application": "shop",
    "capacity": {"min": 1, "max": 1, "desired": 1},
    "image": SICK,
    "upTimeout": "PT30M",
}
SICK_DEPLOY = stage("a", type="deploy", clusters=[DEPLOY])
JOB = stage("a", type="runJob", account="local", region="local", cloudProvider="fake", image=NEW, command=["x"])


async def _says(context: TaskContext) -> TaskResult:
    """Waits for what the stage's JSON says, for ever."""
    given = context.stage.context
    kinds: dict[str, Callable[[], waiting.Waiting]] = {
        "window": lambda: waiting.ForWindow(
            reason="its execution window to open", opens_at=context.at + timedelta(hours=3)
        ),
        "lock": lambda: waiting.ForLock(
            reason="the cluster shop-main", lock="cluster shop-main", holder=str(given.get("holder") or "")
        ),
        "artifact": lambda: waiting.ForArtifact(
            reason="an image of shop", kind="docker/image", reference="registry/shop:2"
        ),
        "execution": lambda: waiting.ForExecution(
            reason="an execution that is gone", execution_id=str(given.get("holder") or "")
        ),
        "builders": lambda: waiting.ForTurn(
            reason="a free builder", queue="builders", running=(str(given.get("holder") or ""),)
        ),
        "other": lambda: waiting.ForOther(reason="the stars"),
        "object": lambda: waiting.ForObject(
            reason="the build to end", kind="build", name="job/7", observed="queued", url="https://ci/7"
        ),
    }
    return Again(after=timedelta(seconds=20), waiting_for=kinds[str(given["says"])]())


async def _refused(_: TaskContext) -> TaskResult:
    return Failed(problem=NOT_ANSWERED, retryable=True)


async def _noisy(_: TaskContext) -> TaskResult:
    details: JsonObject = {"log": "logs/1.log", "tail": "\n".join(f"line {number}" for number in range(1, 31))}
    return Failed(problem=Problem(code="test.noisy", message="The step 'Test' ended with 1.", details=details))


async def _unplannable(_: StageSpec, __: StageContext) -> Plan:
    raise Unplannable(NOT_ANSWERED, retryable=True)


async def _never_planned(_: StageSpec, __: StageContext) -> Plan:
    await asyncio.sleep(100_000)
    return Plan()


async def _nothing(_: TaskContext) -> TaskResult:
    return Done()


def _odd(name: str, plan: Callable[[StageSpec, StageContext], Awaitable[Plan]]) -> StageType:
    return StageType(name=name, label=name, about=name, spec=StageSpec, plan=plan, plans_without_io=False)


STAGES = (
    scripted.stage("says", _says),
    scripted.stage("refused", _refused, effect_class=EffectClass.REPEATABLE),
    scripted.stage("noisy", _noisy),
    _odd("unplannable", _unplannable),
    _odd("neverPlanned", _never_planned),
    scripted.stage("work", _nothing),
)
