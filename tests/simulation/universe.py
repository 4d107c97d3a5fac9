"""A universe: random pipelines on several servers that share a store, in virtual time, and all that can go wrong.

Everything is drawn from one seed: pipelines, outcomes, how long each way to the store and to the world takes, and so the
order in which things happen; people who command anything at any instant, often twice; results that come once more, or
late; servers that die, stand still until their lease has gone, or have a clock that jumps. After each commit the
invariants are checked (`tests.simulation.checking`). In the end people are helpful and the world is kind, and everything
must come to its end.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random  # noqa: TID251 - seeded dice

import msgspec
from tests.fakes.servers import SharedJournal, SharedServers, SharedStore
from tests.simulation import shapes
from tests.simulation import world as worlds
from tests.simulation.checking import RESULTS, CheckedJournal, Violated

from gennaker.engine import replay, rules
from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.executions import Submission
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.event import (
    CancelAsked,
    ChildEnded,
    Event,
    IgnoreFailureAsked,
    ManualJudgmentGiven,
    PauseAsked,
    RestartAsked,
    ResumeAsked,
    SkipAsked,
    StagePatched,
    Started,
    TimerRang,
)
from gennaker.model.execution import Execution
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import Settings
from gennaker.testing.audit import MemoryAuditTrail
from gennaker.testing.definitions import MemoryDefinitions
from gennaker.testing.documents import MemoryStore
from gennaker.testing.evidence import MemoryEvidence, MemoryLogs
from gennaker.testing.ids import CountingIds
from gennaker.testing.virtual_time import VirtualTime
from gennaker.worker import core
from gennaker.worker.core import Core
from gennaker.worker.probes import SilentProbe

EVE = Principal(name="eve", via="simulation")
_NOWHERE = Path("/nonexistent/gennaker")
_LONGEST_SLEEP = timedelta(hours=2)
_ACTIVE = {Status.RUNNING, Status.PAUSED}
_PATIENCE = timedelta(days=30)
"""How long everything may take to its end once people are helpful: windows open on some days of the week only."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a universe is disturbed."""

    pipelines: int = 4
    disturbances: int = 60
    """What people, networks and machines do before they become helpful."""
    servers: int = 2
    is_guarded: bool = True
    """False: leases don't count, and all servers race for every execution."""


class Clock:
    """One server's clock, which may be wrong."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.wrong_by = timedelta()

    def now(self) -> datetime:
        return self._time.now() + self.wrong_by

    async def sleep_until(self, at: datetime) -> None:
        while (left := at - self.now()) > timedelta():  # noqa: ASYNC110 - it waits for a time, not for an event
            await asyncio.sleep(min(left, _LONGEST_SLEEP).total_seconds())


class Server:
    """One server's process."""

    def __init__(self, universe: "Universe", name: str) -> None:
        self.name = name
        self.clock = Clock(universe.time)
        self._universe = universe
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        fence = universe.store.join(name)
        self.fence = fence
        self.lost = ""
        """Why it has ended by itself."""
        self.core = self._built(fence)

    def _built(self, fence: int) -> Core:
        universe = self._universe
        journal = SharedJournal(universe.store, fence, self.reach)
        return core.build(
            store=core.StorePorts(
                journal=journal,
                searches=journal,
                definitions=universe.definitions,
                documents=universe.documents,
                evidence=MemoryEvidence(),
                logs=MemoryLogs(_NOWHERE),
                audit=MemoryAuditTrail(),
            ),
            clock=self.clock,
            ids=universe.ids,
            settings=Settings(),
            data=_NOWHERE,
            plugins=(flow.plugin, worlds.plugin(universe.world, self.reach)),
            registries={},
            probe=SilentProbe(),
            servers=SharedServers(universe.store, fence, self.reach),
        )

    async def run(self) -> None:
        """Until it is killed, or its lease was ended by another."""
        try:
            await self.core.worker.run()
        except* StoreUnusable as lost:
            self.lost = str(lost.exceptions[0])

    async def reach(self) -> None:
        """The way out of the process and back: it takes its time, and longer where the process stands still."""
        await self._universe.latency()
        await self._goes_on.wait()

    def stand_still(self) -> None:
        self._goes_on.clear()

    def go_on(self) -> None:
        self._goes_on.set()


class Universe:
    """All that one seed gives."""

    def __init__(self, seed: str, plan: Plan = Plan()) -> None:  # noqa: B008 - a frozen record
        self.seed = seed
        self.plan = plan
        self.dice = Random(seed)
        self._weather = Random(f"{seed}/weather")
        self.time = VirtualTime()
        self.ids = CountingIds()
        self.world = worlds.World(seed)
        self.definitions = SlowDefinitions(self)
        self.documents = MemoryStore()
        types = (*flow.plugin.stages, *worlds.plugin(self.world, self.latency).stages)
        self.journal = CheckedJournal(rules.from_stage_types(types))
        self.rules = rules.from_stage_types(types)
        self.store = SharedStore(
            self.journal,
            self.time,
            lease=timedelta(seconds=12),
            poll=timedelta(seconds=2),
            is_guarded=plan.is_guarded,
        )
        self.happened: Counter[str] = Counter()
        """What was done to it, by kind."""
        self._running: dict[Server, asyncio.Task[None]] = {}
        self._started = 0

    def run(self) -> None:
        """From the first submission to the last end. Raises Violated with what doesn't hold."""
        try:
            self.time.run(self._run())
        except BaseExceptionGroup as group:
            found = _first(group)
            if isinstance(found, Violated):
                raise found from group
            raise
        try:
            self._check_end()
        except AssertionError as error:
            raise Violated(str(error)) from error

    async def latency(self) -> None:
        """A little time, as the weather is."""
        await asyncio.sleep(self._weather.choice((0, 0, 0, 0.0005, 0.002, 0.02, 0.3)))

    async def _run(self) -> None:
        for number in range(self.plan.pipelines):
            body = shapes.pipeline(self.dice, number)
            await self.definitions.save("pipeline", f"pipeline-{number}", body, author="eve")
        async with asyncio.TaskGroup() as group:
            for _ in range(self.plan.servers):
                self._start(group)
            await self._disturb(group)
            await self._calm(group)
            await self._finish()
            for task in self._running.values():
                task.cancel()

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    async def _disturb(self, group: asyncio.TaskGroup) -> None:
        waiting = [*range(self.plan.pipelines), *(self.dice.randrange(self.plan.pipelines) for _ in range(2))]
        deeds = self._deeds(group)
        while waiting or self.happened.total() < self.plan.disturbances:
            if waiting and self.dice.random() < 0.3:
                await self._submit(waiting.pop(0))
            else:
                name = self.dice.choices(list(deeds), [weight for weight, _ in deeds.values()])[0]
                self.happened[name] += 1
                await deeds[name][1]()
            await asyncio.sleep(self.dice.choice((0, 0, 0.001, 0.05, 1, 1, 15, 61)))

    def _deeds(self, group: asyncio.TaskGroup) -> dict[str, tuple[int, Callable[[], Awaitable[None]]]]:
        async def kill() -> None:
            await self._kill(group)

        return {
            "command": (20, self._command),
            "repeat": (8, self._repeat),
            "kill": (3, kill),
            "stand still": (2, self._stand_still),
            "jump": (3, self._jump),
        }

    async def _submit(self, number: int) -> None:
        """Repeated until it is answered, under one key."""
        definition = await self.definitions.get("pipeline", f"pipeline-{number}")
        assert definition is not None
        self._started += 1
        trigger = {"type": "manual", "dryRun": self.dice.random() < 0.1}
        submission = Submission(config=definition.body, trigger=trigger, key=f"submission-{self._started}")

        async def submit(server: Server) -> None:
            await server.core.services.executions.submit(submission, EVE)

        await self._insist(submit)

    async def _insist(self, ask: Callable[[Server], Awaitable[None]]) -> None:
        while True:
            server = self._some_server()
            if await self._ask(server, ask):
                return
            await asyncio.sleep(1)

    async def _ask(self, server: Server, ask: Callable[[Server], Awaitable[None]]) -> bool:
        """Whether the server has answered before it died, or before whoever asked grew tired."""
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(_answered(ask, server))
            running = self._running.get(server)
            if running is not None:
                await asyncio.wait((asking, running), timeout=100, return_when=asyncio.FIRST_COMPLETED)
            asking.cancel()
        return not asking.cancelled() and asking.result()

    async def _command(self) -> None:
        execution = self._some_execution()
        if execution is None:
            return
        event = self._some_command(execution)
        for _ in range(1 + (self.dice.random() < 0.2)):
            await self._tell(execution, event)

    async def _tell(self, execution: Execution, event: Event) -> None:
        async def tell(server: Server) -> None:
            with suppress(Refused):
                await server.core.services.executions.tell(execution.head.id, event, EVE)

        await self._ask(self._some_server(), tell)

    def _some_command(self, execution: Execution) -> Event:
        at = self.time.now()
        dice = self.dice
        busy = [one.id for one in execution.in_order() if one.is_preparing or one.status in _ACTIVE]
        stage_id = dice.choice([*execution.head.stage_order, *busy, *busy, "nowhere"])
        judged = [one.id for one in execution.in_order() if one.type == "manualJudgment"]
        return dice.choice(
            [
                CancelAsked(at=at, by="eve") if dice.random() < 0.4 else PauseAsked(at=at, by="eve"),
                PauseAsked(at=at, by="eve"),
                ResumeAsked(at=at, by="eve"),
                ResumeAsked(at=at, by="eve"),
                StagePatched(at=at, stage_id=stage_id, by="eve", patch={"colour": dice.randint(0, 99)}),
                StagePatched(at=at, stage_id=stage_id, by="eve", patch={"manualSkip": True}),
                StagePatched(at=at, stage_id=stage_id, by="eve", patch={"stageTimeoutMs": dice.choice((500, 90_000))}),
                ManualJudgmentGiven(
                    at=at,
                    stage_id=dice.choice(judged or [stage_id]),
                    by="eve",
                    judgment=dice.choice(("continue", "stop", "?")),
                ),
                SkipAsked(at=at, stage_id=stage_id, by="eve"),
                RestartAsked(at=at, stage_id=stage_id, by="eve"),
                RestartAsked(at=at, stage_id=stage_id, by="eve"),
                IgnoreFailureAsked(at=at, stage_id=stage_id, by="eve"),
                IgnoreFailureAsked(at=at, stage_id=stage_id, by="eve"),
            ]
        )

    async def _repeat(self) -> None:
        """Something that was said once is said again, late; or something that nobody should say."""
        execution = self._some_execution()
        if execution is None:
            return
        at = self.time.now()
        old = [one for one in self.journal.all_events(execution.head.id) if isinstance(one, RESULTS)]
        stage_id = self.dice.choice([*execution.head.stage_order, "nowhere"])
        stray: list[Event] = [
            ChildEnded(at=at, stage_id=stage_id, child_id="nobody", status=Status.SUCCEEDED),
            Started(at=at) if execution.head.pipeline_config_id is None else TimerRang(at=at, key="nothing"),
            TimerRang(at=at, key="no such timer"),
        ]
        event = self.dice.choice(old or stray) if self.dice.random() < 0.7 else self.dice.choice(stray)

        async def apply(server: Server) -> None:
            with suppress(Exception):
                await server.core.worker.apply(execution.head.id, event)

        await self._ask(self._some_server(), apply)

    async def _kill(self, group: asyncio.TaskGroup) -> None:
        server = self._some_server()
        await self._end(server)
        self._start(group)

    async def _end(self, server: Server) -> None:
        """Its lease stays until it ends by itself, as after SIGKILL."""
        task = self._running.pop(server)
        task.cancel()
        await asyncio.wait((task,))
        if not self.plan.is_guarded:
            self.store.end(server.fence)

    async def _stand_still(self) -> None:
        server = self._some_server()
        server.stand_still()
        asyncio.get_running_loop().call_later(self.dice.choice((0.5, 5, 14, 40)), server.go_on)

    async def _jump(self) -> None:
        clock = self._some_server().clock
        clock.wrong_by = timedelta(seconds=self.dice.choice((0, 0, -3_600, -2, -0.001, 0.5, 30, 3_600, 90_000)))

    def _start(self, group: asyncio.TaskGroup) -> None:
        server = Server(self, f"server {len(self.store.names) + 1}")
        task = group.create_task(server.run())
        self._running[server] = task
        task.add_done_callback(lambda ended: self._replace(group, server, ended))

    def _replace(self, group: asyncio.TaskGroup, server: Server, ended: asyncio.Task[None]) -> None:
        """A server that has lost its lease is started again by whoever looks after it."""
        if not ended.cancelled() and ended.exception() is None and self._running.pop(server, None):
            self.happened["lease lost"] += 1
            self._start(group)

    def _some_server(self) -> Server:
        return self.dice.choice(list(self._running))

    def _some_execution(self) -> Execution | None:
        found = self.journal.all_executions()
        return self.dice.choice(found) if found else None

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _calm(self, group: asyncio.TaskGroup) -> None:
        """Clocks are right, servers run, the world is kind."""
        self.world.is_kind = True
        for server in self._running:
            server.clock.wrong_by = timedelta()
            server.go_on()
        await self._kill(group)  # what its timers were set by is forgotten with it
        await asyncio.sleep(60)
        self.store.lease, self.store.poll = timedelta(days=1), timedelta(hours=6)  # days pass: nobody needs to look

    async def _finish(self) -> None:
        """People do what is waited for until everything has ended."""
        began, pause = self.time.now(), 1.0
        while unfinished := await self._unfinished():
            if self.time.now() - began > _PATIENCE:
                raise Violated(f"stuck: {[_state(one) for one in unfinished]}")
            for execution in unfinished:
                await self._help(execution)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 3_600)

    async def _unfinished(self) -> list[Execution]:
        """What hasn't ended; where there is nothing, not even what the last end has started a moment later."""
        for wait in (0, 60):
            await asyncio.sleep(wait)
            found = [one for one in self.journal.all_executions() if not one.head.status.is_complete]
            if found:
                break
        return found

    async def _help(self, execution: Execution) -> None:
        at = self.time.now()
        if execution.head.status is Status.PAUSED:
            await self._tell(execution, ResumeAsked(at=at, by="ada"))
        for stage in execution.in_order():
            if stage.type == "manualJudgment" and stage.status is Status.RUNNING:
                given = ManualJudgmentGiven(at=at, stage_id=stage.id, by="ada", judgment="continue")
                await self._tell(execution, given)

    def _check_end(self) -> None:
        journal = self.journal
        assert not journal.outbox, f"left in the outbox: {sorted(journal.outbox)}"
        for queue in journal.queues.values():
            assert (queue.running, queue.held, queue.waiting) == ((), (), ()), queue
        for execution in journal.all_executions():
            events = journal.all_events(execution.head.id)
            assert len(events) == execution.head.version
            assert replay.fold(events, self.rules) == execution, "replaying gives another state"
            said = repr(execution)
            for fault in ("A fault in the engine", "Unexpected failure of", "code of the stage type"):
                assert fault not in said, said[said.index(fault) :][:300]
        if self.plan.is_guarded:
            self._check_world()

    def _check_world(self) -> None:
        """Counted at the target, by docs/guarantees.md."""
        world = self.world
        for counted in (world.calls, world.inbox.mails):
            assert max(counted.values(), default=0) <= 2, [key for key, count in counted.items() if count > 2]
        performed = Counter(
            str(entry.details["key"]) for entry in self.journal.audit if entry.action == "effect.performed"
        )
        assert max(performed.values(), default=0) <= 1, "an effect was recorded twice"


class SlowDefinitions(MemoryDefinitions):
    """Definitions that take their time when they are listed."""

    def __init__(self, universe: Universe) -> None:
        super().__init__(universe.time)
        self._universe = universe

    async def list(self, kind: str, application: str | None = None) -> tuple[Definition, ...]:
        await self._universe.latency()
        return await super().list(kind, application)


async def _answered(ask: Callable[[Server], Awaitable[None]], server: Server) -> bool:
    try:
        await ask(server)
    except StoreUnusable:
        return False
    return True


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What it is about: a violation if there is one."""
    violated, _ = group.split(Violated)
    found: BaseException = violated or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def _state(execution: Execution) -> str:
    stages = {one.ref_id: (one.type, one.status.value, one.is_preparing) for one in execution.in_order()}
    return f"{execution.head.id} {execution.head.status} {execution.head.waiting_for} {stages}"
