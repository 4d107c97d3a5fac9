"""One suite for every implementation of documents."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests import make, stores
from tests.conformance import subjects
from tests.fakes.audit import MemoryAuditTrail
from tests.fakes.documents import MemoryDocuments, MemoryStore

from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.documents import Document, Documents, VersionMismatch
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.documents import DatabaseDocuments

Check = Callable[[Callable[[str], Documents]], Coroutine[None, None, None]]
Run = Callable[[Check], None]
CheckTrailed = Callable[[Callable[[str], Documents], AuditTrail], Coroutine[None, None, None]]
Opened = tuple[Callable[[str], Documents], AuditTrail]


SUBJECTS: dict[str, type[Documents]] = {
    "sqlite": DatabaseDocuments,
    "postgres": DatabaseDocuments,
    "memory": MemoryDocuments,
}


@pytest.fixture(params=subjects.params(SUBJECTS, debian=("postgres",)))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a check on fresh documents; it gets them by namespace."""
    with opened(request.param, request, tmp_path) as (of, _):
        assert type(of("any")) is SUBJECTS[request.param]
        yield lambda check: asyncio.run(check(of))


@pytest.fixture(params=subjects.params(SUBJECTS, debian=("postgres",)))
def trailed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[CheckTrailed], None]]:
    """The same with the audit trail that their writes go to."""
    with opened(request.param, request, tmp_path) as (of, trail):
        yield lambda check: asyncio.run(check(of, trail))


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Opened]:
    if kind == "memory":
        trail = MemoryAuditTrail()
        yield MemoryStore(trail), trail
        return
    with stores.opened(kind, request, folder) as database:
        yield lambda namespace: DatabaseDocuments(database, namespace), DatabaseAuditTrail(database)


def test_a_write_and_what_the_audit_says_of_it_are_both_done_or_neither(
    trailed: Callable[[CheckTrailed], None],
) -> None:
    def entry(action: str) -> AuditEntry:
        return AuditEntry(at=make.AT, actor="ada", action=action, subject="k")

    async def check(of: Callable[[str], Documents], trail: AuditTrail) -> None:
        await of("n").put("k", {}, audit=(entry("made"), entry("and more")))
        await of("n").put("k", {})
        for mismatch in (of("n").put("k", {}, if_version=1, audit=(entry("no"),)), of("n").delete("k", if_version=1)):
            with pytest.raises(VersionMismatch):
                await mismatch
        await of("n").delete("k", audit=(entry("gone"),))
        assert [one.entry for one in await trail.records()] == [entry("made"), entry("and more"), entry("gone")]

    trailed(check)


def test_a_document_is_read_as_it_was_written(run: Run) -> None:
    async def check(of: Callable[[str], Documents]) -> None:
        body: JsonObject = {"a": [1, 2.5, None, True, "ü"], "b": {"c": {}}}

        written = await of("n").put("k", body)

        assert written == Document(key="k", body=body, version=1)
        assert await of("n").get("k") == written
        assert await of("n").get("other") is None

    run(check)


def test_each_write_raises_the_version(run: Run) -> None:
    async def check(of: Callable[[str], Documents]) -> None:
        await of("n").put("k", {"n": 1}, if_version=0)
        await of("n").put("k", {"n": 2}, if_version=1)

        assert await of("n").put("k", {"n": 3}) == Document(key="k", body={"n": 3}, version=3)

    run(check)


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_write_on_another_version_changes_nothing(run: Run, expected: int) -> None:
    async def check(of: Callable[[str], Documents]) -> None:
        await of("n").put("k", {"n": 1})
        kept = await of("n").put("k", {"n": 2})

        with pytest.raises(VersionMismatch) as put:
            await of("n").put("k", {}, if_version=expected)
        with pytest.raises(VersionMismatch) as deleted:
            await of("n").delete("k", if_version=expected)

        assert (put.value.expected, put.value.found) == (expected, 2)
        assert (deleted.value.expected, deleted.value.found) == (expected, 2)
        assert await of("n").get("k") == kept

    run(check)


def test_a_document_that_should_be_there_is_missed(run: Run) -> None:
    async def check(of: Callable[[str], Documents]) -> None:
        with pytest.raises(VersionMismatch):
            await of("n").put("k", {}, if_version=1)
        with pytest.raises(VersionMismatch):
            await of("n").delete("k", if_version=1)

        assert await of("n").get("k") is None

    run(check)


def test_a_deleted_document_is_gone_and_may_come_again(run: Run) -> None:
    async def check(of: Callable[[str], Documents]) -> None:
        await of("n").put("k", {})
        await of("n").delete("k", if_version=1)
        await of("n").delete("k")

        assert await of("n").get("k") is None
        assert (await of("n").put("k", {}, if_version=0)).version == 1

    run(check)


def test_namespaces_do_not_see_one_another(run: Run) -> None:
    async def check(of: Callable[[str], Documents]) -> None:
        await of("a").put("k", {"of": "a"})
        await of("b").put("k", {"of": "b"})
        await of("b").delete("k")

        assert await of("a").list() == (Document(key="k", body={"of": "a"}, version=1),)
        assert await of("b").list() == ()

    run(check)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ["A/1", "a", "a%", "a/1", "a/2", "a\U0010ffff", "a\U0010ffffz", "b"]),
        ("a", ["a", "a%", "a/1", "a/2", "a\U0010ffff", "a\U0010ffffz"]),
        ("a/", ["a/1", "a/2"]),
        ("a%", ["a%"]),
        ("a\U0010ffff", ["a\U0010ffff", "a\U0010ffffz"]),
        ("\ud7ff", []),
        ("\U0010ffff", []),
    ],
)
def test_documents_are_listed_by_key_from_a_prefix(run: Run, prefix: str, expected: list[str]) -> None:
    async def check(of: Callable[[str], Documents]) -> None:
        for key in ("b", "a/2", "a\U0010ffffz", "a", "a/1", "A/1", "a\U0010ffff", "a%"):
            await of("n").put(key, {})

        assert [document.key for document in await of("n").list(prefix)] == expected

    run(check)


def test_one_of_many_rivals_writes(run: Run) -> None:
    async def check(of: Callable[[str], Documents]) -> None:
        rivals = [of("n").put("k", {"n": number}, if_version=0) for number in range(20)]

        answers = await asyncio.gather(*rivals, return_exceptions=True)

        assert sum(isinstance(answer, Document) for answer in answers) == 1
        assert sum(isinstance(answer, VersionMismatch) for answer in answers) == 19

    run(check)
