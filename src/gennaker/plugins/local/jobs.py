"""Jobs: work that runs to its end, each a process over its own copy of an image's files."""

import asyncio
import hashlib
import os
import shutil
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog

from gennaker.interfaces import secrets as secrets_port
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.clouds import Health, Job, NewJob
from gennaker.interfaces.documents import Documents, VersionMismatch
from gennaker.interfaces.secrets import Secrets
from gennaker.model.codec import JsonObject, to_json
from gennaker.plugins.local import command, secret_variables
from gennaker.plugins.local.images import ImageFiles, Images
from gennaker.plugins.local.records import PLACE, JobRecord
from gennaker.transport import job_reports
from gennaker.transport.processes import EndReason, Processes, ProcessSpec, ProcessState, ProcessStatus

log = structlog.get_logger()

_KEPT = timedelta(days=1)
_DRAIN_SECONDS = 10.0


class Jobs:
    """All jobs. `<folder>/<job id>/files` is the job's copy of the image, `<folder>/<job id>/run` its process."""

    def __init__(
        self, *, folder: Path, documents: Documents, images: Images, secrets: Secrets, clock: Clock, host_path: str
    ) -> None:
        """`folder` lies below the data folder."""
        self._folder = folder
        self._documents = documents
        self._images = images
        self._secrets = secrets
        self._clock = clock
        self._host_path = host_path
        self._processes = Processes(folder)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, new: NewJob) -> Job:
        """Begins a job, or returns the one that has this key. Raises Refused."""
        job_id = f"job-{hashlib.sha256(new.key.encode()).hexdigest()[:20]}"
        async with self._locks[job_id]:
            record = await self._record(job_id)
            if record is None:
                files = await self._images.files(new.image)
                record = JobRecord(
                    new=msgspec.structs.replace(new, image=files.reference), created_at=self._clock.now()
                )
                record = await self._added(job_id, record)
            status = await self._processes.status(_run(job_id))
            if (status is None or status.state is ProcessState.UNSTARTED) and not record.is_stopped:
                await self._start(job_id, record)
        found = await self.find(job_id)
        assert found is not None
        return found

    async def find(self, job_id: str) -> Job | None:
        """The job as it is now; None: unknown."""
        record = await self._record(job_id)
        if record is None:
            return None
        status = await self._processes.adopt(_run(job_id))
        state, reason = _state(record, status)
        is_over = state in (Health.SUCCEEDED, Health.FAILED)
        reports, problems = await asyncio.to_thread(self._reports, job_id, record) if is_over else ({}, [])
        path = self._processes.log(_run(job_id))
        return Job(
            id=job_id,
            place=PLACE,
            state=state,
            exit_status=None if status is None else status.exit_status,
            reason=" ".join([reason, *problems]).strip(),
            log=str(path.relative_to(self._folder.parent.parent)),
            reports=reports,
        )

    async def stop(self, job_id: str) -> None:
        """Stops a job; one that has not been started yet never will be."""
        async with self._locks[job_id]:
            record = await self._record(job_id)
            if record is None:
                return
            await self._documents.put(job_id, _body(msgspec.structs.replace(record, is_stopped=True)))
        await self._processes.stop(_run(job_id))

    async def sweep(self) -> None:
        """Removes jobs that ended long ago."""
        for document in await self._documents.list():
            record = msgspec.convert(document.body, JobRecord)
            status = await self._processes.adopt(_run(document.key))
            is_running = status is not None and status.state is ProcessState.RUNNING
            if not is_running and self._clock.now() - record.created_at > _KEPT + record.new.timeout:
                await asyncio.to_thread(shutil.rmtree, self._folder / document.key, ignore_errors=True)
                await self._documents.delete(document.key)

    async def _added(self, job_id: str, record: JobRecord) -> JobRecord:
        try:
            await self._documents.put(job_id, _body(record), if_version=0)
        except VersionMismatch:
            found = await self._record(job_id)
            return record if found is None else found
        return record

    async def _start(self, job_id: str, record: JobRecord) -> None:
        new = record.new
        files = await self._images.files(new.image)
        own = ImageFiles(reference=files.reference, root=self._folder / job_id / "files", run=files.run)
        await asyncio.to_thread(_copied, files.root, own.root)
        wished = await asyncio.to_thread(
            command.command, own, given=new.command, environment=new.environment, host_path=self._host_path
        )
        secret = await secrets_port.variables(self._secrets, new.environment, new.application)
        spec = ProcessSpec(
            argv=wished.argv,
            working_folder=str(wished.folder),
            environment={name: value for name, value in wished.environment.items() if name not in secret},
            has_secrets=bool(secret),
            stop_signal=wished.stop_signal,
            drain_seconds=_DRAIN_SECONDS,
            timeout_seconds=new.timeout.total_seconds(),
        )
        status = await self._processes.start(_run(job_id), spec, secrets=secret_variables.for_child(secret))
        log.info("local.job_started", job=job_id, pid=status.pid)

    def _reports(self, job_id: str, record: JobRecord) -> tuple[dict[str, bytes], list[str]]:
        root = self._folder / job_id / "files"
        spec = _spec_folder(self._processes.folder(_run(job_id)), root)
        reports: dict[str, bytes] = {}
        problems = []
        for name, path in record.new.reports.items():
            file = (spec / path).resolve()
            if not file.is_relative_to(root.resolve()):
                problems.append(f"The report {name} ({path}) lies outside the job's folder.")
            elif file.is_dir():
                taken = job_reports.from_folder(name, job_reports.below(file))
                reports |= taken.reports
                problems += [f"The report {name} ({path}) {taken.problem}."] if taken.problem else []
            elif not file.is_file():
                problems.append(f"The report {name} ({path}) was not written.")
            elif file.stat().st_size > job_reports.FILE_BYTES:
                problems.append(f"The report {name} ({path}) is larger than {job_reports.FILE_BYTES} bytes.")
            else:
                reports[name] = file.read_bytes()
        return reports, problems

    async def _record(self, job_id: str) -> JobRecord | None:
        document = await self._documents.get(job_id)
        return None if document is None else msgspec.convert(document.body, JobRecord)


def _run(job_id: str) -> str:
    return f"{job_id}/run"


def _state(record: JobRecord, status: ProcessStatus | None) -> tuple[Health, str]:
    if status is None or status.state is ProcessState.UNSTARTED:
        return (Health.FAILED, "It was stopped.") if record.is_stopped else (Health.STARTING, "")
    if status.state is ProcessState.RUNNING:
        return Health.UP, ""
    if status.reason is EndReason.EXITED and status.exit_status == 0:
        return Health.SUCCEEDED, ""
    return Health.FAILED, f"The process {status.ending}."


def _spec_folder(run: Path, root: Path) -> Path:
    """The working folder that the process was started in."""
    try:
        spec = msgspec.json.decode((run / "run.json").read_bytes(), type=ProcessSpec)
    except FileNotFoundError:
        return root
    return Path(spec.working_folder)


def _copied(source: Path, target: Path) -> None:
    """All of it or nothing, so that a repeat after a kill begins anew."""
    if target.exists():
        return
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source, fresh, symlinks=True)
    fresh.rename(target)


def _body(record: JobRecord) -> JsonObject:
    body = to_json(record)
    assert isinstance(body, dict)
    return body
