"""Traffic providers over programs that Gennaker starts itself: one process a load balancer.

Desired state is written to Documents first and then brought about; whatever is cut off is completed by repeating the
call or by `keep`, which runs as long as the server. The processes outlive the server. How a program is told about shares,
and how it counts requests under way, is its own affair (`program.py` says what it must offer).
"""

import asyncio
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog

from gennaker.interfaces import load_balancer_problems, traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.documents import Documents
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Shares
from gennaker.model import foreign
from gennaker.model.codec import to_json
from gennaker.model.problems import UNAVAILABLE, Refused
from gennaker.plugins.proxies import problems, program
from gennaker.plugins.proxies.program import ProxyProgram, Unanswered
from gennaker.plugins.proxies.records import ProxyRecord
from gennaker.traffic_settings import LoadBalancerSettings
from gennaker.transport import ports
from gennaker.transport.processes import Processes, ProcessSpec, ProcessState, ProcessStatus

log = structlog.get_logger()

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ANSWER_SECONDS = 15.0
_POLL_SECONDS = 0.02
_KEPT_RUNS = 5
_DRAIN_SECONDS = 10.0
_MOST_LEAVING = 1000
"""Instances that have lost their share, the newest first: where nobody can tell what is under way they would only become more."""


class ProxyProvider:
    """Offers the port TrafficProvider."""

    def __init__(
        self,
        *,
        program: ProxyProgram,
        documents: Documents,
        folder: Path,
        configured: Mapping[str, LoadBalancerSettings],
        executable: str = "",
    ) -> None:
        """`folder`: of the processes; `configured`: the load balancers of the settings; `executable`: a program of one's own."""
        self.name = program.name
        self.routing = program.routing
        self._program = program
        self._documents = documents
        self._processes = Processes(folder)
        self._configured = {name: wish for name, wish in configured.items() if wish.provider == self.name}
        self._executable = executable
        self._lock = asyncio.Lock()
        self._not_in_force: set[str] = set()
        """Load balancers of which the last switch has failed."""

    @classmethod
    def of(cls, services: Services, program: ProxyProgram) -> "ProxyProvider":
        """The provider as the server has it."""
        return cls(
            program=program,
            documents=services.documents(f"proxies.{program.name}"),
            folder=services.data / "proxies" / program.name,
            configured=services.settings.load_balancers,
            executable=services.settings.traffic.programs.get(program.name, ""),
        )

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        """Creates it if it isn't there, at the address given here or in the settings, or a free one; settings alone move one that is."""
        async with self._lock:
            record = await self._ensured(load_balancer, address)
            return (await self._bring_about(record)).as_seen()

    async def check_routes(self, load_balancer: str, wanted: Sequence[Routes]) -> None:
        """Raises Refused for what the program can't do."""
        traffic.refuse_unroutable(self, load_balancer, wanted)

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        """Replaces all shares in one switch."""
        async with self._lock:
            record = await self._known(load_balancer)
            await self.check_routes(load_balancer, [share.routes for share in shares.values()])
            for share in shares.values():
                problems.refuse_names(share.addresses)
            changed = msgspec.structs.replace(record, shares=dict(shares))
            if changed != record:
                changed = await self._keep(await self._with_leaving(record, changed))
            await self._bring_about(changed)

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        """What is configured now."""
        record = await self._record(load_balancer)
        if record is None:
            return None
        return msgspec.structs.replace(record.as_seen(), is_in_force=load_balancer not in self._not_in_force)

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        """Requests under way by address: of all that have a share, and of others that have any."""
        record = await self._known(load_balancer)
        listed: dict[str, int | None] = dict.fromkeys(record.addresses, 0)
        return {
            **listed,
            **{one: count for one, count in (await self._counts(record)).items() if count != 0 or one in listed},
        }

    async def health(self, load_balancer: str) -> Mapping[str, Health]:
        """Nobody where no process lives."""
        record = await self._known(load_balancer)
        status = await self._processes.status(_run_name(record))
        if status is None or status.pid is None:
            return {}
        try:
            return await self._program.states(self._folder(record), record)
        except Unanswered as error:
            raise Refused(problems.silent(self._program.wanted, str(error)), status=UNAVAILABLE) from error

    async def remove(self, load_balancer: str) -> None:
        """Removes it and ends its process; requests under way have a few seconds to end."""
        async with self._lock:
            record = await self._record(load_balancer)
            if record is None:
                return
            await self._documents.delete(load_balancer)
            self._not_in_force.discard(load_balancer)
            await self._processes.stop(_run_name(record))
            await self._processes.wait(_run_name(record), timedelta(seconds=_DRAIN_SECONDS + 1))
            await asyncio.to_thread(shutil.rmtree, self._processes.folder(load_balancer), ignore_errors=True)

    async def is_kept(self) -> bool:
        """Whether every load balancer's process lives, and has the shares that it should have."""
        runs = tuple(_run_name(record) for record in await self._records())
        if not runs:
            return True
        statuses = (await self._processes.statuses(runs)).values()
        return not self._not_in_force and all(one is not None and _is_running(one) for one in statuses)

    async def reconcile(self) -> None:
        """Makes processes run with what is desired, with the load balancers of the settings among it.

        One that can't be served doesn't hold up the others; what is wrong with it is raised in the end.
        """
        wrong: list[Refused] = []
        async with self._lock:
            for name in {**self._configured, **{record.name: None for record in await self._records()}}:
                try:
                    await self._bring_about(await self._ensured(name, None))
                except Refused as refused:
                    wrong.append(refused)
        if wrong:
            raise wrong[0]

    async def close(self) -> None:
        """Ends all processes, without waiting for requests."""
        for status in await self._processes.sweep():
            await self._processes.stop(status.name, is_immediate=True)
            await self._processes.wait(status.name, timedelta(seconds=_DRAIN_SECONDS))

    async def _ensured(self, name: str, address: str | None) -> ProxyRecord:
        if not _NAME.fullmatch(name):
            raise Refused(load_balancer_problems.bad_name(name))
        record = await self._record(name)
        configured = self._configured[name].address if name in self._configured else ""
        wish = (address if record is None else None) or configured
        if record is not None and wish in ("", record.address):
            return record
        chosen = wish or await self._free_address(name)
        host, _, port = chosen.rpartition(":")
        if (number := foreign.port(port)) is None or not host:
            raise Refused(load_balancer_problems.bad_address(name, chosen))
        await self._refuse_taken(name, host.strip("[]"), number)
        if record is None:
            return await self._keep(ProxyRecord(name=name, address=chosen))
        await self._processes.stop(_run_name(record))
        return await self._keep(msgspec.structs.replace(record, address=chosen, run=record.run + 1))

    async def _free_address(self, name: str) -> str:
        taken = {record.port for record in await self._records()}
        port = await asyncio.to_thread(ports.free, f"{self._processes.folder(name)}", taken)
        return f"127.0.0.1:{port}"

    async def _refuse_taken(self, name: str, host: str, port: int) -> None:
        if not await asyncio.to_thread(ports.is_free, host, port):
            raise Refused(load_balancer_problems.port_in_use(name, f"{host}:{port}"), status=409)

    async def _with_leaving(self, before: ProxyRecord, after: ProxyRecord) -> ProxyRecord:
        """With all that has had a share until now, and of what has had one earlier that which still has requests."""
        busy = {address for address, count in (await self._counts(before)).items() if count != 0}
        once = (*before.addresses, *(address for address in before.leaving if address in busy))
        leaving = tuple(address for address in dict.fromkeys(once) if address not in after.addresses)
        return msgspec.structs.replace(after, leaving=leaving[:_MOST_LEAVING])

    async def _counts(self, record: ProxyRecord) -> Mapping[str, int | None]:
        """Nothing where no process lives: then nothing is under way."""
        status = await self._processes.status(_run_name(record))
        if status is None or status.pid is None:
            return {}
        try:
            return await self._program.in_flight(self._folder(record), record, status.pid)
        except Unanswered as error:
            raise Refused(problems.silent(self._program.wanted, str(error)), status=UNAVAILABLE) from error

    async def _bring_about(self, record: ProxyRecord) -> ProxyRecord:
        """Starts the process where none runs, and gives it its shares. Returns the record as kept. Raises Refused."""
        self._not_in_force.add(record.name)
        status = await self._processes.adopt(_run_name(record))
        if status is not None and status.is_final:
            log.warning("proxy.ended", program=self.name, load_balancer=record.name, how=status.ending)
            record = await self._next_run(record)
            status = None
        if status is None or status.state is ProcessState.UNSTARTED:
            await self._refuse_taken(record.name, record.host, record.port)
            status = await self._start(record)
        await self._apply(record)
        self._not_in_force.discard(record.name)
        return record

    async def _next_run(self, record: ProxyRecord) -> ProxyRecord:
        old = self._processes.folder(record.name) / str(record.run + 1 - _KEPT_RUNS)
        await asyncio.to_thread(shutil.rmtree, old, ignore_errors=True)
        # What had requests under way has ended them with the process.
        return await self._keep(msgspec.structs.replace(record, run=record.run + 1, leaving=()))

    async def _start(self, record: ProxyRecord) -> ProcessStatus:
        executable = program.found(self._program.wanted, self._executable)
        folder = self._folder(record)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(self._program.write, folder, record)
        spec = ProcessSpec(
            argv=self._program.argv(executable, folder),
            working_folder=str(folder),
            stop_signal=self._program.stop_signal,
            drain_seconds=_DRAIN_SECONDS,
        )
        status = await self._processes.start(_run_name(record), spec)
        log.info("proxy.started", program=self.name, load_balancer=record.name, run=record.run, pid=status.pid)
        return status

    async def _apply(self, record: ProxyRecord) -> None:
        """Waits until the program answers and has its shares."""
        name = _run_name(record)
        loop = asyncio.get_running_loop()
        until = loop.time() + _ANSWER_SECONDS
        while True:
            status = await self._processes.adopt(name)
            if status is None or status.pid is None:
                ending = status.ending if status else "has disappeared"
                tail = await self._processes.tail(name, 5)
                raise Refused(problems.not_running(self._program.wanted, ending, tail), status=502)
            try:
                await self._program.apply(self._folder(record), record, status.pid)
            except Unanswered as error:
                if loop.time() > until:
                    raise Refused(problems.silent(self._program.wanted, str(error)), status=UNAVAILABLE) from error
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return

    def _folder(self, record: ProxyRecord) -> Path:
        return self._processes.folder(_run_name(record))

    async def _known(self, name: str) -> ProxyRecord:
        record = await self._record(name)
        if record is None:
            raise Refused(load_balancer_problems.unknown(name), status=404)
        return record

    async def _record(self, name: str) -> ProxyRecord | None:
        document = await self._documents.get(name)
        return None if document is None else msgspec.convert(document.body, ProxyRecord)

    async def _records(self) -> tuple[ProxyRecord, ...]:
        return tuple(msgspec.convert(document.body, ProxyRecord) for document in await self._documents.list())

    async def _keep(self, record: ProxyRecord) -> ProxyRecord:
        body = to_json(record)
        assert isinstance(body, dict)
        await self._documents.put(record.name, body)
        return record


def _run_name(record: ProxyRecord) -> str:
    return f"{record.name}/{record.run}"


def _is_running(status: ProcessStatus) -> bool:
    return status.state is ProcessState.RUNNING
