"""One suite for every implementation of evidence and of logs."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests import stores
from tests.conformance import subjects
from tests.fakes.evidence import MemoryEvidence, MemoryLogs

from gennaker.interfaces.evidence import Evidence, EvidenceItem, LogFile, Logs
from gennaker.model.problems import Refused
from gennaker.store.evidence import FileEvidence, FileLogs

AT = datetime(2026, 11, 24, tzinfo=UTC)
Check = Callable[[Evidence, Logs], Coroutine[None, None, None]]
Run = Callable[[Check], None]


SUBJECTS: dict[str, type[Evidence]] = {
    "sqlite": FileEvidence,
    "postgres": FileEvidence,
    "memory": MemoryEvidence,
}
SUBJECTS_OF_LOGS: dict[str, type[Logs]] = {"sqlite": FileLogs, "postgres": FileLogs, "memory": MemoryLogs}


@pytest.fixture(params=subjects.params(SUBJECTS, debian=("postgres",)))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a check on fresh evidence and logs."""
    with opened(request.param, request, tmp_path) as (evidence, logs):
        assert type(evidence) is SUBJECTS[request.param]
        assert type(logs) is SUBJECTS_OF_LOGS[request.param]
        yield lambda check: asyncio.run(check(evidence, logs))


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[Evidence, Logs]]:
    if kind == "memory":
        yield MemoryEvidence(), MemoryLogs(folder)
        return
    with stores.opened(kind, request, folder) as database:
        yield FileEvidence(database), FileLogs(database)


def item(content: bytes, name: str = "unit-tests.junit.xml", minutes: int = 0, execution: str = "01A") -> EvidenceItem:
    return EvidenceItem(
        execution_id=execution,
        stage_id="s1",
        name=name,
        kind="junit",
        media_type="application/xml",
        digest="sha256:" + hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        at=AT + timedelta(minutes=minutes),
        summary={"passed": 3},
    )


def log(name: str, minutes: int = 0, execution: str = "01A") -> LogFile:
    return LogFile(
        execution_id=execution, stage_id="s1", name=name, path=f"logs/{name}", at=AT + timedelta(minutes=minutes)
    )


@pytest.mark.parametrize("content", [b"<testsuite/>", b"", bytes(range(256)) * 1000])
def test_a_file_is_read_as_it_was_put(run: Run, content: bytes) -> None:
    async def check(evidence: Evidence, _logs: Logs) -> None:
        await evidence.put(item(content), content)

        assert await evidence.list("01A") == (item(content),)
        assert await evidence.read(item(content).digest) == content

    run(check)


def test_putting_the_same_again_changes_nothing(run: Run) -> None:
    async def check(evidence: Evidence, _logs: Logs) -> None:
        await evidence.put(item(b"x"), b"x")
        await evidence.put(item(b"x", minutes=5), b"x")

        assert await evidence.list("01A") == (item(b"x"),)

    run(check)


def test_a_stage_that_ran_again_keeps_both_reports(run: Run) -> None:
    async def check(evidence: Evidence, _logs: Logs) -> None:
        await evidence.put(item(b"second", minutes=2), b"second")
        await evidence.put(item(b"first", minutes=1), b"first")

        assert await evidence.list("01A") == (item(b"first", minutes=1), item(b"second", minutes=2))
        assert await evidence.read(item(b"first").digest) == b"first"

    run(check)


def test_executions_share_contents_but_not_items(run: Run) -> None:
    async def check(evidence: Evidence, _logs: Logs) -> None:
        await evidence.put(item(b"x"), b"x")
        await evidence.put(item(b"x", execution="01B"), b"x")

        assert await evidence.list("01B") == (item(b"x", execution="01B"),)
        assert await evidence.list("01C") == ()
        assert await evidence.holders(item(b"x").digest) == ("01A", "01B")
        assert await evidence.holders(item(b"y").digest) == ()

    run(check)


def test_a_wrong_digest_or_size_is_refused_and_nothing_kept(run: Run) -> None:
    async def check(evidence: Evidence, _logs: Logs) -> None:
        right = item(b"content")
        for wrong in (
            msgspec.structs.replace(right, size_bytes=6),
            msgspec.structs.replace(right, digest="sha256:" + "0" * 64),
            msgspec.structs.replace(right, digest="../../etc/passwd"),
        ):
            with pytest.raises(Refused) as caught:
                await evidence.put(wrong, b"content")
            assert caught.value.status == 422
            assert await evidence.read(wrong.digest) is None

        assert await evidence.list("01A") == ()

    run(check)


def test_logs_are_listed_in_order_of_time_and_registered_once(run: Run) -> None:
    async def check(_evidence: Evidence, logs: Logs) -> None:
        await logs.register(log("b.log", 2))
        await logs.register(log("a.log", 1))
        await logs.register(log("a.log", 3))
        await logs.register(log("a.log", execution="01B"))

        assert await logs.list("01A") == (log("a.log", 1), log("b.log", 2))
        assert await logs.list("01C") == ()

    run(check)


def test_every_stage_has_a_log_folder_of_its_own(run: Run, tmp_path: Path) -> None:
    names = ["01A", "../../..", ".", "..", "", "a/b", "a%2Fb", "ü", "%"]

    async def check(_evidence: Evidence, logs: Logs) -> None:
        folders = {logs.folder(execution, stage) for execution in names for stage in names}

        assert len(folders) == len(names) ** 2
        assert all(folder.is_dir() and tmp_path in folder.resolve().parents for folder in folders)
        assert not any(one in other.parents for one in folders for other in folders)

    run(check)
