"""Keeping: makes the runs of all server groups match their records, as long as the server runs."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import msgspec
import structlog

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.clouds import Health, HealthProbe, Instance, ServerGroup
from gennaker.interfaces.documents import Documents, VersionMismatch
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.problems import Refused
from gennaker.transport import cancellation, ports
from gennaker.transport.instances import probing, settling
from gennaker.transport.instances.probing import AttemptKey, Prober
from gennaker.transport.instances.records import GroupRecord, InstanceRecord, run_name
from gennaker.transport.instances.refusals import Refusals
from gennaker.transport.processes import ProcessState, ProcessStatus

log = structlog.get_logger()

_TICK_SECONDS = 0.25
_PROBE_TICK_SECONDS = 0.05
_PAUSE_SECONDS = 1.0
"""Before the next attempt at what is impossible now."""
_CONCURRENT_STARTS = 2
_KEPT_ATTEMPTS = 2
_LOG_LINES = 200

Statuses = dict[int, ProcessStatus | None]
"""By instance number: the run of its present attempt."""


class RunsUnknown(Exception):
    """What runs can't be found out now; the text says why. It is no sign that anything has ended."""


class Runs(Protocol):
    """How runs are started, looked at and stopped; each is one attempt of one instance and never starts twice.

    A run's name is `<server group>/<number>/<attempt>`.
    """

    async def look(self) -> None:
        """Raises RunsUnknown where nothing can be found out now, of whatever run."""
        ...

    async def groups(self) -> frozenset[str]:
        """Server groups of which there is any run. Raises RunsUnknown."""
        ...

    async def statuses(self, names: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        """All of them as they are now; None: not started. Raises RunsUnknown."""
        ...

    async def start(self, record: GroupRecord, one: InstanceRecord, name: str) -> None:
        """Returns when it runs or has ended. Raises Refused for what may be otherwise later, RunsUnknown."""
        ...

    async def stop(self, name: str, drain_seconds: float) -> None:
        """Tells it to end, and ends it after the time. Doesn't wait; called again and again until it has ended."""
        ...

    async def tail(self, name: str, lines: int) -> str:
        """The end of its output; empty where there is none. Raises RunsUnknown."""
        ...

    async def remove(self, name: str) -> None:
        """Removes what is left of one that has ended, if anything is."""
        ...

    async def remove_group(self, group: str) -> None:
        """Ends and removes all runs of a server group."""
        ...


class Instances:
    """The instances of all server groups of one provider on one machine."""

    def __init__(
        self,
        *,
        provider: str,
        key: str,
        documents: Documents,
        runs: Runs,
        clock: Clock,
        host: str = "127.0.0.1",
    ) -> None:
        """`provider`: the cloud provider's name; `key` decides where free ports are looked for; `host`: theirs."""
        self._provider = provider
        self._port_key = key
        self._documents = documents
        self._runs = runs
        self._clock = clock
        self._host = host
        self._prober = Prober(host)
        self._nudged = asyncio.Event()
        self._starts = asyncio.Semaphore(_CONCURRENT_STARTS)
        self._start_at: dict[AttemptKey, float] = {}
        self._running: dict[AttemptKey, tuple[int, HealthProbe]] = {}
        """What is to be probed: port and probe by attempt."""
        self._started: set[AttemptKey] = set()
        """What was started from here."""
        self._unstartable: dict[str, str] = {}
        """Why, by server group."""
        self._refusals = Refusals(provider)
        self._strays: set[str] | None = None
        """Server groups that nobody knew any more when keeping began, and of which there are runs still; None: not looked for yet."""
        self._unknown = ""
        """Why runs can't be looked at; empty: they can."""

    def nudge(self) -> None:
        """A record has changed: look at once."""
        self._nudged.set()

    async def records(self) -> tuple[GroupRecord, ...]:
        """All server groups."""
        return tuple(msgspec.convert(document.body, GroupRecord) for document in await self._documents.list())

    async def record(self, name: str) -> GroupRecord | None:
        """One server group."""
        document = await self._documents.get(name)
        return None if document is None else msgspec.convert(document.body, GroupRecord)

    async def add(self, record: GroupRecord) -> bool:
        """Writes a new server group; False: there is one of that name."""
        try:
            await self._documents.put(record.name, _body(record), if_version=0)
        except VersionMismatch:
            return False
        self.nudge()
        return True

    async def change(self, name: str, change: Callable[[GroupRecord], GroupRecord]) -> bool:
        """Changes a record; False: there is none."""
        while True:
            document = await self._documents.get(name)
            if document is None:
                return False
            before = msgspec.convert(document.body, GroupRecord)
            after = change(before)
            if after == before:
                return True
            try:
                await self._documents.put(name, _body(after), if_version=document.version)
            except VersionMismatch:
                continue
            self.nudge()
            return True

    async def shown(self, record: GroupRecord) -> ServerGroup:
        """The server group with live health."""
        instances = await self._all_shown(record)
        return ServerGroup(
            name=record.name,
            place=record.new.place,
            cloud_provider=self._provider,
            moniker=record.moniker,
            created_at=record.created_at,
            capacity=record.capacity,
            is_disabled=record.is_disabled,
            image=record.new.image,
            version=record.new.version,
            load_balancers=record.new.load_balancers,
            instances=instances,
            labels=record.new.labels,
            created_by=record.new.key,
        )

    async def log(self, name: str, one: InstanceRecord, lines: int) -> str:
        """The end of an instance's output: of its present attempt, or of the one before if that is still silent."""
        for attempt in range(one.attempt, max(-1, one.attempt - _KEPT_ATTEMPTS), -1):
            text = await self._runs.tail(run_name(name, one.number, attempt), lines)
            if text:
                return text
        return ""

    async def keep(self) -> None:
        """Makes live match desired until cancelled."""
        self._strays = None  # Another server may have kept them meanwhile.
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._probe(), name=f"{self._provider}:probes")
                await self._keep()
        finally:
            self._running.clear()

    async def _keep(self) -> None:
        while True:
            self._nudged.clear()
            why = ""
            try:
                await cancellation.apart(self.settle_all)
            except* (RunsUnknown, Refused) as unknown:
                why = str(_first(unknown))
            cancellation.pass_on()
            self._tell_unknown(why)
            if why:
                await asyncio.sleep(_PAUSE_SECONDS)
            try:
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._nudged.wait()
            except TimeoutError:
                continue

    async def settle_all(self) -> None:
        """One look at everything. Raises RunsUnknown, Refused where nothing can be looked at."""
        strays = await self._stray_groups()
        records = await self.records()
        if records:
            await self._runs.look()
        taken = {one.port for record in records for one in record.instances}
        async with asyncio.TaskGroup() as group:
            for stray in strays:
                group.create_task(self._alone(stray, partial(self._remove_stray, strays, stray)))
            for record in records:
                if record.name not in strays:
                    group.create_task(self._alone(record.name, partial(self._settle, record, taken), record))
        after = await self.records()
        self._refusals.forget(strays | {record.name for record in after})
        keys = {_key(record, one) for record in after for one in record.instances}
        self._prober.forget(frozenset(keys))
        self._running = {key: probed for key, probed in self._running.items() if key in keys}
        self._started &= keys
        self._start_at = {key: at for key, at in self._start_at.items() if key in keys}

    async def _alone(self, name: str, work: Callable[[], Awaitable[None]], wanted: object = None) -> bool:
        """Whether it is done. What is refused for one keeps no other waiting, and is tried again after a pause.

        `wanted`: what is to become of it; when that changes, it is tried at once.
        """
        if not self._refusals.is_due(name, wanted):
            return False
        why = ""
        try:
            await cancellation.apart(work)
        except* (Refused, RunsUnknown) as refused:
            why = str(_first(refused))
        cancellation.pass_on()
        if why:
            self._refusals.refused(name, wanted, why)
        else:
            self._refusals.done(name)
        return not why

    async def _settle(self, record: GroupRecord, taken: set[int]) -> None:
        statuses = await self._statuses(record)
        seen = {one.number: self._prober.seen(_key(record, one), statuses[one.number]) for one in record.instances}

        def free_port(number: int, attempt: int) -> int:
            port = ports.free(f"{self._port_key}/{record.name}/{number}/{attempt}", taken)
            taken.add(port)
            return port

        after = settling.settled(record, seen, port=free_port, at=self._clock.now())
        after = await self._without_left(record, after)
        if after != record and not await self._replace(record, after):
            self.nudge()  # Somebody else has changed it meanwhile: look again.
            return
        if after.is_destroyed and not after.instances:
            await self._remove(after)
            return
        async with asyncio.TaskGroup() as group:
            for one in after.instances:
                status = statuses.get(one.number) if one in record.instances or one.is_leaving else None
                group.create_task(self._act(after, one, _state(status)))

    async def _without_left(self, record: GroupRecord, after: GroupRecord) -> GroupRecord:
        """Removes the runs of instances that have left; one whose run can't be removed yet isn't forgotten yet."""
        present = {one.number for one in after.instances}
        stuck = []
        for one in record.instances:
            if one.number not in present:
                name = run_name(record.name, one.number, one.attempt)
                if not await self._alone(name, partial(self._runs.remove, name)):
                    stuck.append(one)
        instances = sorted((*stuck, *after.instances), key=lambda one: one.number)
        return msgspec.structs.replace(after, instances=tuple(instances))

    async def _act(self, record: GroupRecord, one: InstanceRecord, state: ProcessState | None) -> None:
        name = run_name(record.name, one.number, one.attempt)
        if one.is_leaving:
            self._running.pop(_key(record, one), None)
            await self._runs.stop(name, record.new.drain_timeout.total_seconds())
        elif state is ProcessState.RUNNING:
            self._running[_key(record, one)] = (one.port, record.new.probe)
        elif state in (None, ProcessState.UNSTARTED) and self._is_time_to_start(record, one):
            async with self._starts:
                await self._start(record, one, name)

    def _is_time_to_start(self, record: GroupRecord, one: InstanceRecord) -> bool:
        now = asyncio.get_running_loop().time()
        return now >= self._start_at.setdefault(_key(record, one), now + settling.pause_seconds(one.crashes))

    async def _start(self, record: GroupRecord, one: InstanceRecord, name: str) -> None:
        try:
            await self._runs.start(record, one, name)
        except RunsUnknown:
            raise
        except Refused as refused:
            # The image was there when the server group was created; its registry may come back.
            if self._unstartable.get(record.name) != str(refused):
                log.warning(
                    "instances.unstartable", provider=self._provider, server_group=record.name, why=str(refused)
                )
            self._unstartable[record.name] = str(refused)
            self._start_at[_key(record, one)] = asyncio.get_running_loop().time() + _PAUSE_SECONDS
            return
        self._unstartable.pop(record.name, None)
        self._started.add(_key(record, one))
        self._running[_key(record, one)] = (one.port, record.new.probe)
        log.info(
            "instances.started",
            provider=self._provider,
            server_group=record.name,
            instance=one.number,
            attempt=one.attempt,
        )
        old = one.attempt - _KEPT_ATTEMPTS
        if old >= 0:
            # One that can't be removed now stays until its server group goes.
            await self._runs.remove(run_name(record.name, one.number, old))

    async def _probe(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                for key, (port, probe) in self._running.items():
                    if self._prober.is_due(key):
                        group.create_task(self._prober.ask(key, port, probe))
                await asyncio.sleep(_PROBE_TICK_SECONDS)

    async def _all_shown(self, record: GroupRecord) -> tuple[Instance, ...]:
        try:
            statuses = await self._statuses(record)
            return tuple([await self._shown(record, one, statuses[one.number]) for one in record.instances])
        except RunsUnknown as unknown:
            return tuple(probing.unknown(record, one, host=self._host, why=str(unknown)) for one in record.instances)

    async def _shown(self, record: GroupRecord, one: InstanceRecord, status: ProcessStatus | None) -> Instance:
        key = _key(record, one)
        if _state(status) is ProcessState.RUNNING and self._is_to_be_asked(key, one):
            await self._prober.ask(key, one.port, record.new.probe)
        probed = self._prober.known(key)
        is_up = probed is not None and probed.is_up and not (status and status.complaint)
        output = "" if is_up else await self._words(record.name, one)
        found = probing.instance(
            record,
            one,
            status=status,
            probed=probed,
            log=output,
            host=self._host,
            is_taken_over=key not in self._started,
        )
        if found.health is Health.STARTING and record.name in self._unstartable:
            return msgspec.structs.replace(found, health=Health.FAILED, health_reason=self._unstartable[record.name])
        sources = probing.sources(self._provider, record, one, status=status, probed=probed)
        return msgspec.structs.replace(found, sources=sources)

    def _is_to_be_asked(self, key: AttemptKey, one: InstanceRecord) -> bool:
        """Whether nobody asks it here but who wants to know: at the first look after a restart, and where another server keeps it."""
        is_kept_elsewhere = key not in self._running and not one.is_leaving
        return self._prober.known(key) is None or (is_kept_elsewhere and self._prober.is_due(key))

    async def _words(self, name: str, one: InstanceRecord) -> str:
        """Its last ones, beside its health: where they can't be read, that is known all the same."""
        try:
            return await self.log(name, one, _LOG_LINES)
        except (RunsUnknown, Refused) as failure:
            return str(failure)

    async def _statuses(self, record: GroupRecord) -> Statuses:
        names = {one.number: run_name(record.name, one.number, one.attempt) for one in record.instances}
        found = await self._runs.statuses(tuple(names.values()))
        return {number: found[name] for number, name in names.items()}

    async def _replace(self, before: GroupRecord, after: GroupRecord) -> bool:
        document = await self._documents.get(before.name)
        if document is None or msgspec.convert(document.body, GroupRecord) != before:
            return False
        try:
            await self._documents.put(before.name, _body(after), if_version=document.version)
        except VersionMismatch:
            return False
        return True

    async def _remove(self, record: GroupRecord) -> None:
        await self._runs.remove_group(record.name)
        await self._documents.delete(record.name)
        log.info("instances.destroyed", provider=self._provider, server_group=record.name)

    async def _stray_groups(self) -> set[str]:
        if self._strays is None:
            found = await self._runs.groups()
            self._strays = set(found) - {record.name for record in await self.records()}
        return self._strays

    async def _remove_stray(self, strays: set[str], group: str) -> None:
        """Also where a server group is called so again by now: it must not take over what is left."""
        await self._runs.remove_group(group)
        strays.discard(group)

    def _tell_unknown(self, why: str) -> None:
        if why and why != self._unknown:
            log.warning("instances.unknown", provider=self._provider, why=why)
        self._unknown = why


def _key(record: GroupRecord, one: InstanceRecord) -> AttemptKey:
    return (record.name, one.number, one.attempt)


def _state(status: ProcessStatus | None) -> ProcessState | None:
    return None if status is None else status.state


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """One of them says enough."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _body(record: GroupRecord) -> JsonObject:
    body = to_json(record)
    assert isinstance(body, dict)
    return body
