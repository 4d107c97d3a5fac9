"""Instances: makes the processes of all server groups match their records, as long as the server runs."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.clouds import Health, HealthProbe, Instance, ServerGroup
from gennaker.interfaces.documents import Documents, VersionMismatch
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.problems import Refused
from gennaker.plugins.local import command, probing, settling
from gennaker.plugins.local.images import Images
from gennaker.plugins.local.probing import AttemptKey, Prober
from gennaker.plugins.local.records import PLACE, GroupRecord, InstanceRecord, run_name
from gennaker.transport import ports
from gennaker.transport.processes import Processes, ProcessSpec, ProcessState, ProcessStatus

log = structlog.get_logger()

_TICK_SECONDS = 0.25
_PROBE_TICK_SECONDS = 0.05
_CONCURRENT_STARTS = 2
_KEPT_ATTEMPTS = 2
_LOG_LINES = 200

Statuses = dict[int, ProcessStatus | None]
"""By instance number: the process of its present attempt."""


class Instances:
    """The processes of all server groups."""

    def __init__(self, *, folder: Path, documents: Documents, images: Images, clock: Clock, host_path: str) -> None:
        """`folder`: where runs are, `<server group>/<number>/<attempt>`."""
        self._folder = folder
        self._documents = documents
        self._images = images
        self._clock = clock
        self._host_path = host_path
        self._processes = Processes(folder)
        self._prober = Prober()
        self._nudged = asyncio.Event()
        self._starts = asyncio.Semaphore(_CONCURRENT_STARTS)
        self._start_at: dict[AttemptKey, float] = {}
        self._running: dict[AttemptKey, tuple[int, HealthProbe]] = {}
        """What is to be probed: port and probe by attempt."""
        self._unstartable: dict[str, str] = {}

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
        statuses = await self._statuses(record)
        return ServerGroup(
            name=record.name,
            place=PLACE,
            cloud_provider=PLACE.account,
            moniker=record.moniker,
            created_at=record.created_at,
            capacity=record.capacity,
            is_disabled=record.is_disabled,
            image=record.new.image,
            version=record.new.version,
            load_balancers=record.new.load_balancers,
            instances=tuple([await self._shown(record, one, statuses[one.number]) for one in record.instances]),
            labels=record.new.labels,
            created_by=record.new.key,
        )

    async def log(self, name: str, one: InstanceRecord, lines: int) -> str:
        """The end of an instance's output: of its present attempt, or of the one before if that is still silent."""
        for attempt in range(one.attempt, max(-1, one.attempt - _KEPT_ATTEMPTS), -1):
            text = await self._processes.tail(run_name(name, one.number, attempt), lines)
            if text:
                return text
        return ""

    async def keep(self) -> None:
        """Makes live match desired until cancelled."""
        await self._remove_strays()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._probe(), name="local:probes")
            while True:
                self._nudged.clear()
                await self.settle_all()
                try:
                    async with asyncio.timeout(_TICK_SECONDS):
                        await self._nudged.wait()
                except TimeoutError:
                    continue

    async def settle_all(self) -> None:
        """One look at everything."""
        records = await self.records()
        taken = {one.port for record in records for one in record.instances}
        async with asyncio.TaskGroup() as group:
            for record in records:
                group.create_task(self._settle(record, taken))
        keys = {_key(record, one) for record in await self.records() for one in record.instances}
        self._prober.forget(frozenset(keys))
        self._running = {key: probed for key, probed in self._running.items() if key in keys}
        self._start_at = {key: at for key, at in self._start_at.items() if key in keys}

    async def _settle(self, record: GroupRecord, taken: set[int]) -> None:
        statuses = await self._statuses(record)
        seen = {
            one.number: self._prober.seen(_key(record, one), _state(statuses[one.number])) for one in record.instances
        }

        def free_port(number: int, attempt: int) -> int:
            port = ports.free(f"{self._folder}/{record.name}/{number}/{attempt}", taken)
            taken.add(port)
            return port

        after = settling.settled(record, seen, port=free_port, at=self._clock.now())
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

    async def _act(self, record: GroupRecord, one: InstanceRecord, state: ProcessState | None) -> None:
        name = run_name(record.name, one.number, one.attempt)
        if one.is_leaving:
            self._running.pop(_key(record, one), None)
            await self._processes.stop(name)
        elif state is ProcessState.RUNNING:
            self._running[_key(record, one)] = (one.port, record.new.probe)
        elif state in (None, ProcessState.UNSTARTED) and self._is_time_to_start(record, one):
            async with self._starts:
                await self._start(record, one, name)

    def _is_time_to_start(self, record: GroupRecord, one: InstanceRecord) -> bool:
        now = asyncio.get_running_loop().time()
        return now >= self._start_at.setdefault(_key(record, one), now + settling.pause_seconds(one.crashes))

    async def _start(self, record: GroupRecord, one: InstanceRecord, name: str) -> None:
        new = record.new
        try:
            files = await self._images.files(new.image)
            wished = await asyncio.to_thread(
                command.command,
                files,
                environment={
                    **new.environment,
                    "PORT": str(one.port),
                    "HOST": "127.0.0.1",
                    "GENNAKER_SERVER_GROUP": record.name,
                    "GENNAKER_VERSION": new.version,
                    "GENNAKER_INSTANCE": str(one.number),
                },
                host_path=self._host_path,
            )
        except Refused as refused:
            # The image was there when the server group was created; its registry may come back.
            self._unstartable[record.name] = str(refused)
            log.warning("local.unstartable", server_group=record.name, why=str(refused))
            return
        self._unstartable.pop(record.name, None)
        spec = ProcessSpec(
            argv=wished.argv,
            working_folder=str(wished.folder),
            environment=wished.environment,
            stop_signal=wished.stop_signal,
            drain_seconds=new.drain_timeout.total_seconds(),
        )
        status = await self._processes.start(name, spec)
        self._running[_key(record, one)] = (one.port, new.probe)
        log.info("local.started", server_group=record.name, instance=one.number, attempt=one.attempt, pid=status.pid)
        old = one.attempt - _KEPT_ATTEMPTS
        if old >= 0:
            await self._processes.remove(run_name(record.name, one.number, old))

    async def _probe(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                for key, (port, probe) in self._running.items():
                    if self._prober.is_due(key):
                        group.create_task(self._prober.ask(key, port, probe))
                await asyncio.sleep(_PROBE_TICK_SECONDS)

    async def _shown(self, record: GroupRecord, one: InstanceRecord, status: ProcessStatus | None) -> Instance:
        key = _key(record, one)
        if _state(status) is ProcessState.RUNNING and self._prober.known(key) is None:
            await self._prober.ask(key, one.port, record.new.probe)  # The first look after a restart of the server.
        probed = self._prober.known(key)
        output = await self.log(record.name, one, _LOG_LINES)
        found = probing.instance(record, one, status=status, probed=probed, log=output)
        if found.health is Health.STARTING and record.name in self._unstartable:
            return msgspec.structs.replace(found, health=Health.FAILED, health_reason=self._unstartable[record.name])
        return found

    async def _statuses(self, record: GroupRecord) -> Statuses:
        names = {one.number: run_name(record.name, one.number, one.attempt) for one in record.instances}
        found = await self._processes.statuses(tuple(names.values()))
        for name, status in found.items():
            if status is not None and status.state is ProcessState.GONE:
                await self._processes.adopt(name)
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
        await asyncio.to_thread(shutil.rmtree, self._folder / record.name, ignore_errors=True)
        await self._documents.delete(record.name)
        log.info("local.destroyed", server_group=record.name)

    async def _remove_strays(self) -> None:
        """Ends processes of server groups that nobody knows any more."""
        known = {record.name for record in await self.records()}
        for status in await self._processes.list():
            if status.name.partition("/")[0] not in known:
                await self._processes.stop(status.name)
                await self._processes.wait(status.name, timedelta(seconds=60))
                await self._processes.remove(status.name)


def _key(record: GroupRecord, one: InstanceRecord) -> AttemptKey:
    return (record.name, one.number, one.attempt)


def _state(status: ProcessStatus | None) -> ProcessState | None:
    return None if status is None else status.state


def _body(record: GroupRecord) -> JsonObject:
    body = to_json(record)
    assert isinstance(body, dict)
    return body
