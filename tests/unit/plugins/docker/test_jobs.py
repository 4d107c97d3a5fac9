"""Jobs in containers: how one that was stopped is told, whoever looks meanwhile."""

import asyncio
import io
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.fakes.documents import MemoryStore
from tests.fakes.virtual_time import VirtualTime

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.interfaces.clouds import Health, NewJob, Place
from gennaker.model.codec import to_json
from gennaker.plugins.docker import problems
from gennaker.plugins.docker.containers import Container, Containers
from gennaker.plugins.docker.engine import Answer
from gennaker.plugins.docker.jobs import PREFIX, JobRecord, Jobs
from gennaker.plugins.docker.problems import EngineUnreachable
from gennaker.plugins.docker.provider import Account, Parts
from gennaker.settings import DockerSettings
from gennaker.transport.processes import ProcessState, ProcessStatus
from gennaker.worker.clock import SystemClock, SystemIds

AT = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = JobRecord(
    new=NewJob(
        key="k",
        place=Place(account="local", region="local"),
        image="web",
        command=("true",),
        timeout=timedelta(seconds=1),
    ),
    created_at=AT,
    is_begun=True,
)


def test_a_job_that_ends_well_when_it_is_stopped_while_one_looks_has_not_succeeded(tmp_path: Path) -> None:
    documents = MemoryStore()("jobs")

    class Meanwhile:
        """Containers of which one is stopped, and ends in order, while its state is asked for."""

        async def seen(self, _: str) -> dict[str, Container]:
            return {f"{PREFIX}j": Container(id="c", key="j", state="running", stop_signal="SIGTERM")}

        async def status(self, _: Container) -> ProcessStatus:
            await keep(msgspec.structs.replace(RECORD, stopped="It was stopped."))
            return ProcessStatus(name="j", state=ProcessState.ENDED, exit_status=0)

        async def check_secrets(self, *_: object) -> None: ...

        async def tail(self, *_: object) -> str:
            return ""

    async def keep(record: JobRecord) -> None:
        body = to_json(record)
        assert isinstance(body, dict)
        await documents.put("j", body)

    async def owner() -> str:
        return "tests"

    async def story() -> None:
        await keep(RECORD)
        unused = cast("Any", None)
        jobs = Jobs(
            containers=cast("Any", Meanwhile()),
            images=unused,
            documents=documents,
            clock=unused,
            data=tmp_path,
            owner=owner,
        )
        found = await jobs.find("j")
        assert found is not None
        assert (found.state, found.reason) == (Health.FAILED, "It was stopped.")

    asyncio.run(story())


class BreaksOff:
    """An engine whose first archives end before they hold anything."""

    def __init__(self, breaks: int) -> None:
        self._breaks = breaks

    async def ask(self, *_: object, **__: object) -> Answer:
        self._breaks -= 1
        return Answer(status=200, body=b"" if self._breaks >= 0 else archive())

    def broke_off(self, error: Exception) -> EngineUnreachable:
        return problems.unreachable("local", "unix:/engine.sock", why=f"broke off ({error})", remedy="Look.")


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("report.xml")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"<a/>"))
    return made.getvalue()


@pytest.mark.parametrize("breaks", [0, 3])
def test_a_report_is_asked_for_again_when_the_engine_breaks_off(breaks: int) -> None:
    unused = cast("Any", None)
    made = Containers(cast("Any", BreaksOff(breaks)), unused, unused, pauses=(0.0, 0.0, 0.0))
    read = made.reports("c", "junit", "/out/report.xml")
    assert asyncio.run(read).reports == {"junit": b"<a/>"}


def test_an_engine_that_breaks_off_every_time_is_told_of_not_the_report() -> None:
    unused = cast("Any", None)
    made = Containers(cast("Any", BreaksOff(2)), unused, unused, pauses=(0.0,))
    with pytest.raises(EngineUnreachable, match="broke off"):
        asyncio.run(made.reports("c", "junit", "/out/report.xml"))


class Stuck:
    """Containers of which one can neither be stopped nor removed."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.done: list[str] = []

    async def seen(self, _: str) -> dict[str, Container]:
        return {f"{PREFIX}{one}": Container(id=one, key=one, state=self.state, stop_signal="SIGTERM") for one in "abc"}

    async def list(self, owner: str) -> dict[str, Container]:
        return await self.seen(owner)

    async def signal(self, container: str, _: str) -> None:
        self._do(container)

    async def remove(self, container: str) -> None:
        self._do(container)

    def _do(self, container: str) -> None:
        if container == "a":
            raise problems.refused("device or resource busy", account="prod", about="It can't be done")
        if container == "c":
            raise problems.failed("database is locked", account="prod", about="It can't be done")
        self.done.append(container)


class Later(SystemClock):
    """When all jobs have run for too long, and are old."""

    def now(self) -> datetime:
        return AT + timedelta(days=30)


@pytest.mark.parametrize("state", ["running", "exited"])
def test_what_is_refused_for_one_job_keeps_no_other_waiting(tmp_path: Path, state: str) -> None:
    documents, stuck = MemoryStore()("jobs"), Stuck(state)

    async def owner() -> str:
        return "tests"

    async def story() -> None:
        body = to_json(RECORD)
        assert isinstance(body, dict)
        for job in ("a", "b", "c"):
            await documents.put(job, body)
        jobs = Jobs(
            containers=cast("Any", stuck),
            images=cast("Any", None),
            documents=documents,
            clock=Later(),
            data=tmp_path,
            owner=owner,
        )
        with pytest.raises(EngineUnreachable, match="database is locked"):
            await jobs.look()

    with capture_logs() as lines:
        asyncio.run(story())

    assert stuck.done == ["b"]
    assert [(line["event"], line["job"]) for line in lines] == [("docker.job_refused", "a")]


def test_that_jobs_can_not_be_looked_at_is_said_once_until_they_can(tmp_path: Path) -> None:
    class Looks:
        """Jobs: what comes of each look at them."""

        def __init__(self) -> None:
            self.left = ["it is away", "it is away", "it is locked", "it is locked", "", "it is locked"]
            self.are_over = asyncio.Event()

        async def look(self) -> None:
            if not self.left:
                self.are_over.set()
            elif why := self.left.pop(0):
                raise problems.failed(why, account="prod", about="They can't be looked at")

    async def story() -> None:
        parts = Parts(
            data=tmp_path,
            documents=MemoryStore(),
            registries={},
            secrets=ResolvedSecrets(Masker()),
            clock=SystemClock(),
            ids=SystemIds(),
        )
        account, looks = Account("prod", DockerSettings(address=f"unix://{tmp_path}/none.sock"), parts), Looks()
        account.jobs = cast("Any", looks)
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(account.keep())
            await looks.are_over.wait()
            keeping.cancel()

    with capture_logs() as lines:
        VirtualTime().run(story())

    said = [str(line["why"]) for line in lines if line["event"] == "docker.jobs_unknown"]
    assert [why.partition("fails: ")[2].partition(".")[0] for why in said] == [
        "it is away",
        "it is locked",
        "it is locked",
    ]
