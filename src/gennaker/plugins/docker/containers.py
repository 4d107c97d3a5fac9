"""Containers: made once under a key, found by their labels, seen as runs."""

import asyncio
import io
import re
import signal
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from gennaker.interfaces import secrets as secrets_port
from gennaker.interfaces.secrets import Secrets
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.docker import options as container_options
from gennaker.plugins.docker.engine import Answer, Engine, filters, output
from gennaker.plugins.docker.options import Options
from gennaker.plugins.docker.problems import EngineUnreachable
from gennaker.plugins.docker.watching import Watch
from gennaker.settings import DockerSettings
from gennaker.transport import job_reports
from gennaker.transport.job_reports import Found, Taken
from gennaker.transport.processes import EndReason, ProcessState, ProcessStatus

OWNER = "gennaker.owner"
"""Label: which installation made it."""
KEY = "gennaker.key"
"""Label: what it is, unique within an installation: a run's or a job's name."""
_SIGNALS = 128
_STOP_SIGNAL = "gennaker.stop-signal"
_RUNNING = "running"
_PAUSES = (0.1, 0.5, 2.0)
"""Seconds between attempts to read what a container has left."""
_OVER = frozenset({"exited", "dead", "stopped", "removing"})


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container as the engine's list has it."""

    id: str
    key: str
    state: str
    """`created`, `running`, `exited` …"""
    stop_signal: str

    @property
    def is_over(self) -> bool:
        """It ran and runs no more."""
        return self.state in _OVER


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A container that is to be made."""

    key: str
    image: str
    """As the engine knows it."""
    body: JsonObject
    """As the engine takes it, without image, labels and variables."""
    environment: dict[str, str] = {}
    """May refer to secrets."""
    application: str = ""
    """Whose secrets they may be."""
    labels: dict[str, str] = {}
    options: Options = Options()
    stop_signal: str = "SIGTERM"


class Containers:
    """The containers of one installation on one engine."""

    def __init__(
        self, engine: Engine, settings: DockerSettings, secrets: Secrets, *, pauses: Sequence[float] = _PAUSES
    ) -> None:
        """Nothing is asked yet. `pauses`: seconds between attempts to read what a container has left."""
        self._pauses = pauses
        self._engine = engine
        self.settings = settings
        self._secrets = secrets
        self._endings: dict[str, ProcessStatus] = {}
        """By container, of those that are over: it never changes."""
        self._watch = Watch(engine)
        self._looking = asyncio.Lock()
        self._seen: dict[str, Container] = {}
        """By key, as the last look showed them."""
        self._unhealthy: frozenset[str] = frozenset()

    async def follow(self, owner: str, changed: Callable[[], None]) -> None:
        """Follows what happens to those of an installation, so that `seen` need not ask for it, until cancelled."""
        await self._watch.follow(f"{OWNER}={owner}", changed)

    async def seen(self, owner: str) -> dict[str, Container]:
        """All of an installation, by key, as far as the engine has told. Raises EngineUnreachable."""
        async with self._looking:
            now = asyncio.get_running_loop().time
            if not self._watch.lists.holds(now()):
                await self.list(owner)
            if not self._watch.health.holds(now()) and any(one.state == _RUNNING for one in self._seen.values()):
                await self._ask_for_health(owner)
        return self._seen

    async def list(self, owner: str) -> dict[str, Container]:
        """All of an installation, by key, as they are now: who is about to act asks for this. Raises EngineUnreachable."""
        began = asyncio.get_running_loop().time()
        listed = await self._listed({"all": "1"}, label=(f"{OWNER}={owner}",))
        found = {one.key: one for one in map(_read, listed)}
        if self._watch.lists.is_newest(began):
            if self._watch.lists.is_confirmed and found != self._seen:
                self._watch.surprised(began)
            self._watch.looked(began)
            self._seen = found
            there = {one.id for one in found.values()}
            self._endings = {key: ending for key, ending in self._endings.items() if key in there}
        return found

    async def check_secrets(self, environment: Mapping[str, str], application: str) -> None:
        """Raises Refused for variables that refer to what the application may not use; what it may is masked from now on."""
        await secrets_port.variables(self._secrets, environment, application)

    async def create(self, owner: str, wanted: Wanted) -> str:
        """Makes it, not started yet; returns the engine's id. Raises Refused, EngineUnreachable."""
        about = f"The container of {wanted.key} can't be made"
        labels = {**wanted.labels, OWNER: owner, KEY: wanted.key, _STOP_SIGNAL: wanted.stop_signal}
        secret = await secrets_port.variables(self._secrets, wanted.environment, wanted.application)
        variables = container_options.environment(wanted.environment, secret)
        body: JsonObject = {**wanted.body, "Env": variables, "Image": wanted.image, "Labels": dict(labels)}
        folder = ""
        if wanted.options.secrets and wanted.options.read_only:
            # Docker lets nobody write into such a container; a volume of its own may be, and goes with it.
            folder = container_options.SECRETS_FOLDER
            body["Volumes"] = {folder: {}}
        query = {"name": _name(wanted.key)}
        with self._acting():
            answer = await self._engine.ask("POST", "/containers/create", about=about, query=query, body=body)
        made = str(answer.json.get("Id", "")) if answer else ""
        if wanted.options.secrets:
            packed = _packed({name: self._secret(name) for name in wanted.options.secrets}, below=folder)
            path = f"/containers/{made}/archive"
            await self._engine.ask("PUT", path, about=about, query={"path": folder or "/"}, body=packed)
        for network in wanted.options.networks[1:]:
            await self._engine.ask("POST", f"/networks/{network}/connect", about=about, body={"Container": made})
        return made

    async def start(self, container: str, key: str) -> None:
        """Starts it; one that runs already stays as it is."""
        path, about = f"/containers/{container}/start", f"The container of {key} can't be started"
        with self._acting():
            await self._engine.ask("POST", path, about=about)

    async def signal(self, container: str, name: str) -> None:
        """Sends a signal; one that is over gets none."""
        try:
            query = {"signal": name}
            await self._engine.ask("POST", f"/containers/{container}/kill", about="It can't be stopped", query=query)
        except Refused as refused:
            if refused.status not in (409, 422):
                raise  # It has just ended: the next look shows it.

    async def stop(self, container: str, drain_seconds: int) -> None:
        """Tells it to end, ends it after the time, and returns when it has ended."""
        path, query = f"/containers/{container}/stop", {"t": str(drain_seconds)}
        seconds = drain_seconds + self.settings.request_timeout_seconds
        await self._engine.ask("POST", path, about="It can't be stopped", query=query, seconds=seconds)

    async def remove(self, container: str) -> None:
        """Removes it, also one that runs."""
        query = {"force": "1", "v": "1"}
        with self._acting():
            await self._engine.ask("DELETE", f"/containers/{container}", about="It can't be removed", query=query)

    async def tail(self, container: str, lines: int | None) -> str:
        """The end of its output, or all of it; secrets are masked."""
        query = {"stdout": "1", "stderr": "1", "tail": "all" if lines is None else str(lines)}
        answer = await self._engine.ask(
            "GET", f"/containers/{container}/logs", about="Its log can't be read", query=query
        )
        return self._secrets.masked_text(output(answer.body)) if answer else ""

    async def reports(self, container: str, name: str, path: str) -> Taken:
        """The file under the name, or the files of a folder below it. Raises EngineUnreachable, Refused.

        An engine that is busy with a container that has just ended may give half an archive, or nothing of one.
        """
        about, query = f"{path} can't be read", {"path": path}
        pauses = iter(self._pauses)
        while (
            answer := await self._engine.ask("GET", f"/containers/{container}/archive", about=about, query=query)
        ) is not None:
            try:
                return await asyncio.to_thread(_unpacked, name, answer)
            except tarfile.ReadError as error:
                if (pause := next(pauses, None)) is None:
                    raise self._engine.broke_off(error) from error
                await asyncio.sleep(pause)
        return Taken(problem="was not written")

    async def status(self, one: Container) -> ProcessStatus:
        """It as a run."""
        if one.state in ("created", "initialized", "configured"):
            return ProcessStatus(name=one.key, state=ProcessState.UNSTARTED)
        if not one.is_over:
            complaint = "the image's own health check fails" if one.id in self._unhealthy else ""
            return ProcessStatus(name=one.key, state=ProcessState.RUNNING, complaint=complaint)
        if one.id not in self._endings:
            self._endings[one.id] = await self._ending(one)
        return self._endings[one.id]

    async def _ending(self, one: Container) -> ProcessStatus:
        answer = await self._engine.ask("GET", f"/containers/{one.id}/json", about="It can't be looked at")
        state = answer.json.get("State") if answer else None
        if not isinstance(state, dict):
            return ProcessStatus(name=one.key, state=ProcessState.GONE, reason=EndReason.GONE)
        code = state.get("ExitCode")
        status = code if isinstance(code, int) else 0
        is_killed = _SIGNALS < status <= _SIGNALS + 64 and not state.get("Error")
        return ProcessStatus(
            name=one.key,
            state=ProcessState.ENDED,
            reason=EndReason.EXITED,
            exit_status=status,
            signal=status - _SIGNALS if is_killed and status - _SIGNALS in (signal.SIGKILL, signal.SIGTERM) else None,
            started_at=_instant(state.get("StartedAt")),
            ended_at=_instant(state.get("FinishedAt")),
            complaint=_memory(answer.json if answer else {}, state, status),
        )

    async def _listed(self, query: dict[str, str], **wanted: tuple[str, ...]) -> tuple[JsonObject, ...]:
        about, query = "Its containers can't be listed", {**query, **filters(**wanted)}
        try:
            answer = await self._engine.ask("GET", "/containers/json", about=about, query=query)
        except EngineUnreachable:
            self._watch.failed()
            raise
        return tuple(answer.listed) if answer else ()

    @contextmanager
    def _acting(self) -> Iterator[None]:
        """Whatever comes of it, also where the answer is lost: what was seen before doesn't count afterwards."""
        try:
            yield
        finally:
            self._watch.lists.acted(asyncio.get_running_loop().time())

    async def _ask_for_health(self, owner: str) -> None:
        """Whose image's own health check fails. Docker's lists say it in words, too, Podman's say nothing of it."""
        began = asyncio.get_running_loop().time()
        told = await self._listed({}, label=(f"{OWNER}={owner}",), health=("unhealthy",))
        unhealthy = frozenset(str(one.get("Id")) for one in told)
        if self._watch.health.is_confirmed and unhealthy != self._unhealthy:
            self._watch.surprised(began)
        self._watch.health.looked(began)
        self._unhealthy = unhealthy

    def _secret(self, name: str) -> bytes:
        path = self.settings.secrets.get(name, "")
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise Refused(
                Problem(
                    code="docker.secret",
                    message=f"The file of the secret {name} can't be read: {error.strerror}.",
                    remedy=f"Mend its path in [docker.{self._engine.account}.secrets], or the file's rights.",
                )
            ) from error


def _read(one: JsonObject) -> Container:
    labels = one.get("Labels")
    labels = labels if isinstance(labels, dict) else {}
    return Container(
        id=str(one.get("Id", "")),
        key=str(labels.get(KEY, "")),
        state=str(one.get("State", "")).lower(),
        stop_signal=str(labels.get(_STOP_SIGNAL) or "SIGTERM"),
    )


def _memory(whole: JsonObject, state: JsonObject, status: int) -> str:
    """Whether it was killed for lack of memory, in words: some engines don't tell, but only give its ending."""
    if state.get("OOMKilled"):
        return "it used more memory than its limit"
    host = whole.get("HostConfig")
    is_limited = isinstance(host, dict) and bool(host.get("Memory"))
    is_killed = status == _SIGNALS + signal.SIGKILL
    return "perhaps it used more memory than its limit" if is_limited and is_killed else ""


def _name(key: str) -> str:
    """A name that the engine allows."""
    return re.sub(r"[^A-Za-z0-9_.-]", ".", key)


def _packed(secrets: Mapping[str, bytes], *, below: str) -> bytes:
    """An archive that is unpacked in the folder `below`."""
    folder = container_options.SECRETS_FOLDER.removeprefix(below).lstrip("/")
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in secrets.items():
            entry = tarfile.TarInfo(f"{folder}/{name}".lstrip("/"))
            entry.size, entry.mode = len(content), 0o444
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def _unpacked(name: str, answer: Answer) -> Taken:
    """Of the engine's archive of a file or a folder; one that was too long ends somewhere. Raises tarfile.ReadError."""
    found: list[Found] = []
    folder = ""
    try:
        with tarfile.open(fileobj=io.BytesIO(answer.body), mode="r|") as tar:
            for member in tar:
                if member.isdir() and not folder:
                    folder = f"{member.name.rstrip('/')}/"
                content = tar.extractfile(member) if member.isfile() else None
                if content is None:
                    continue
                if not folder:
                    is_large = member.size > job_reports.FILE_BYTES
                    problem = f"is larger than {job_reports.FILE_BYTES} bytes"
                    return Taken(problem=problem) if is_large else Taken(reports={name: content.read()})
                found.append(_found(member.name.removeprefix(folder), content.read()))
    except tarfile.ReadError:
        if not answer.is_cut:
            raise
    if not folder:
        return Taken(problem="is no file")
    return job_reports.from_folder(name, found, is_cut=answer.is_cut)


def _found(path: str, content: bytes) -> Found:
    return Found(path=path, size=len(content), read=lambda: content)


def _instant(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", str(value)))
    except ValueError:
        return None
