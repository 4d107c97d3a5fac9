"""Jobs: work that runs to its end, each a container that is never started again."""

import asyncio
import hashlib
import posixpath
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import structlog

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.clouds import Health, Job, NewJob
from gennaker.interfaces.documents import Documents, VersionMismatch
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.problems import Refused
from gennaker.plugins.docker import options as container_options
from gennaker.plugins.docker.containers import Container, Containers, Wanted
from gennaker.plugins.docker.images import Images
from gennaker.plugins.docker.problems import EngineUnreachable
from gennaker.transport.processes import ProcessState, ProcessStatus

log = structlog.get_logger()

PREFIX = "job/"
"""Begins the keys of containers that are jobs."""
_KEPT = timedelta(days=1)
_DRAIN_SECONDS = 10.0
_AT_LIMIT = "The container was stopped at its time limit."
_BY_SOMEBODY = "It was stopped."
_SWEEP_SECONDS = 600.0


class JobRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as it was asked for."""

    new: NewJob
    """`image` with its digest."""
    created_at: datetime
    working_folder: str = "/"
    is_begun: bool = False
    """Its container has been made: if that is gone, no other takes its place."""
    stopped: str = ""
    """Why it was told to end, in words."""


class Jobs:
    """The jobs of one account."""

    def __init__(
        self,
        *,
        containers: Containers,
        images: Images,
        documents: Documents,
        clock: Clock,
        data: Path,
        owner: Callable[[], Awaitable[str]],
    ) -> None:
        """`data`: the data folder, below which logs are kept; `owner`: the installation."""
        self._containers = containers
        self._images = images
        self._documents = documents
        self._clock = clock
        self._data = data
        self._owner = owner
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._running: dict[str, float] = {}
        """Loop time at which what was told to end is killed, by job."""
        self._refused: dict[str, str] = {}
        """Why the last look at a job didn't bring it to where it should be."""
        self._swept_at = float("-inf")
        """Loop time at which what ended long ago was removed last."""

    async def run(self, new: NewJob) -> Job:
        """Begins a job, or returns the one that has this key. Raises Refused."""
        job_id = f"job-{hashlib.sha256(new.key.encode()).hexdigest()[:20]}"
        async with self._locks[job_id]:
            record = await self._record(job_id)
            if record is None:
                self._options(new)
                await self._containers.check_secrets(new.environment, new.application)
                image = await self._images.ready(new.image)
                record = JobRecord(
                    new=msgspec.structs.replace(new, image=image.reference),
                    created_at=self._clock.now(),
                    working_folder=image.working_folder,
                )
                record = await self._added(job_id, record)
            if not record.stopped:
                await self._start(job_id, record)
        found = await self.find(job_id)
        assert found is not None
        return found

    async def find(self, job_id: str) -> Job | None:
        """The job as it is now; None: unknown."""
        record = await self._record(job_id)
        if record is None:
            return None
        container = (await self._containers.seen(await self._owner())).get(PREFIX + job_id)
        if container is None:
            container = await self._container(job_id)  # Another server may have made it just now.
        status = None if container is None else await self._containers.status(container)
        # Who stops it notes that first: a container that has ended meanwhile isn't taken for one that ended by itself.
        record = await self._record(job_id) or record
        state, reason = _state(record, status)
        is_over = state in (Health.SUCCEEDED, Health.FAILED)
        reports, problems = await self._reports(container, record) if container and is_over else ({}, [])
        return Job(
            id=job_id,
            place=record.new.place,
            state=state,
            exit_status=None if status is None else status.exit_status,
            reason=" ".join([reason, *problems]).strip(),
            log=await self._log(job_id, record, container),
            reports=reports,
        )

    async def stop(self, job_id: str) -> None:
        """Stops a job; one that has not been started yet never will be."""
        async with self._locks[job_id]:
            record = await self._record(job_id)
            if record is not None:
                await self._end(job_id, record, _BY_SOMEBODY)

    async def look(self) -> None:
        """Ends what has run for too long and, from time to time, removes what ended long ago. Raises EngineUnreachable, Refused.

        What is refused for one job keeps no other waiting, and is tried again at the next look.
        """
        now = asyncio.get_running_loop().time()
        await self.enforce()
        if now - self._swept_at > _SWEEP_SECONDS:
            await self._sweep()
            self._swept_at = now

    async def enforce(self) -> None:
        """One look at what runs."""
        documents = await self._documents.list()
        if not documents:
            return
        containers = await self._containers.seen(await self._owner())
        for document in documents:
            container = containers.get(PREFIX + document.key)
            if container is None or container.is_over:
                self._running.pop(document.key, None)
                continue
            record = msgspec.convert(document.body, JobRecord)
            with self._for_itself(document.key):
                if self._clock.now() - record.created_at > record.new.timeout and not record.stopped:
                    async with self._locks[document.key]:
                        await self._end(document.key, record, _AT_LIMIT)
                elif record.stopped:
                    await self._press(document.key, container)

    async def _end(self, job_id: str, record: JobRecord, why: str) -> None:
        container = await self._container(job_id)
        if container is not None and container.is_over:
            return
        if not record.stopped:
            await self._put(job_id, msgspec.structs.replace(record, stopped=why))
        if container is not None:
            await self._press(job_id, container)

    async def _press(self, job_id: str, container: Container) -> None:
        """The stop signal first, KILL later."""
        now = asyncio.get_running_loop().time()
        if job_id not in self._running:
            self._running[job_id] = now + _DRAIN_SECONDS
            await self._containers.signal(container.id, container.stop_signal)
        elif now >= self._running[job_id]:
            await self._containers.signal(container.id, "SIGKILL")

    async def _sweep(self) -> None:
        containers = await self._containers.list(await self._owner())
        for document in await self._documents.list():
            record = msgspec.convert(document.body, JobRecord)
            container = containers.get(PREFIX + document.key)
            is_running = container is not None and not container.is_over
            if is_running or self._clock.now() - record.created_at <= _KEPT + record.new.timeout:
                continue
            with self._for_itself(document.key):
                if container is not None:
                    await self._containers.remove(container.id)
                await asyncio.to_thread(self._path(document.key).unlink, missing_ok=True)
                await self._documents.delete(document.key)

    @contextmanager
    def _for_itself(self, job_id: str) -> Iterator[None]:
        """Raises EngineUnreachable, which concerns all; any other refusal is told once."""
        try:
            yield
        except EngineUnreachable:
            raise
        except Refused as refused:
            if self._refused.get(job_id) != str(refused):
                log.warning("docker.job_refused", job=job_id, why=str(refused))
            self._refused[job_id] = str(refused)
        else:
            self._refused.pop(job_id, None)

    async def _start(self, job_id: str, record: JobRecord) -> None:
        container = await self._container(job_id)
        if container is not None and container.state != "created":
            return
        if container is None and record.is_begun:
            return
        made = container.id if container else await self._create(job_id, record)
        await self._put(job_id, msgspec.structs.replace(record, is_begun=True))
        await self._containers.start(made, job_id)

    async def _create(self, job_id: str, record: JobRecord) -> str:
        image = await self._images.ready(record.new.image)
        options = self._options(record.new)
        body: JsonObject = {
            "HostConfig": container_options.host_config(options),
            **({"Entrypoint": list(record.new.command)} if record.new.command else {}),
            **({"User": options.user} if options.user else {}),
        }
        wanted = Wanted(
            key=PREFIX + job_id,
            image=image.id,
            body=body,
            environment=record.new.environment,
            application=record.new.application,
            options=options,
            stop_signal=image.stop_signal,
        )
        return await self._containers.create(await self._owner(), wanted)

    def _options(self, new: NewJob) -> container_options.Options:
        return container_options.of_job(new.provider_options, self._containers.settings)

    async def _log(self, job_id: str, record: JobRecord, container: Container | None) -> str:
        path = self._path(job_id)
        if container is not None:
            # Another server may have given it its secrets: this one must know them to mask them.
            await self._containers.check_secrets(record.new.environment, record.new.application)
            text = await self._containers.tail(container.id, None)
            await asyncio.to_thread(_write, path, text)
        return str(path.relative_to(self._data)) if container is not None else ""

    async def _reports(self, container: Container, record: JobRecord) -> tuple[dict[str, bytes], list[str]]:
        reports: dict[str, bytes] = {}
        problems = []
        for name, path in record.new.reports.items():
            whole = posixpath.normpath(posixpath.join(record.working_folder, path))
            if not f"{whole}/".startswith(f"{record.working_folder.rstrip('/')}/"):
                problems.append(f"The report {name} ({path}) lies outside the job's folder.")
                continue
            taken = await self._containers.reports(container.id, name, whole)
            reports |= taken.reports
            problems += [f"The report {name} ({path}) {taken.problem}."] if taken.problem else []
        return reports, problems

    def _path(self, job_id: str) -> Path:
        return self._data / "docker" / "jobs" / f"{job_id}.log"

    async def _container(self, job_id: str) -> Container | None:
        return (await self._containers.list(await self._owner())).get(PREFIX + job_id)

    async def _added(self, job_id: str, record: JobRecord) -> JobRecord:
        try:
            await self._put(job_id, record, if_version=0)
        except VersionMismatch:
            found = await self._record(job_id)
            return record if found is None else found
        return record

    async def _put(self, job_id: str, record: JobRecord, *, if_version: int | None = None) -> None:
        body = to_json(record)
        assert isinstance(body, dict)
        await self._documents.put(job_id, body, if_version=if_version)

    async def _record(self, job_id: str) -> JobRecord | None:
        document = await self._documents.get(job_id)
        return None if document is None else msgspec.convert(document.body, JobRecord)


def _state(record: JobRecord, status: ProcessStatus | None) -> tuple[Health, str]:
    if status is None or status.state is ProcessState.UNSTARTED:
        if record.stopped:
            return Health.FAILED, record.stopped
        is_gone = status is None and record.is_begun
        return (Health.FAILED, "Its container was removed by somebody.") if is_gone else (Health.STARTING, "")
    if status.state is ProcessState.RUNNING:
        return Health.UP, ""
    if status.exit_status == 0 and not record.stopped:
        return Health.SUCCEEDED, ""
    because = f": {status.complaint}" if status.complaint else ""
    return Health.FAILED, record.stopped or f"The container {status.ending}{because}."


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
