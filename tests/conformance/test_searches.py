"""One suite for every search in executions."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
from tests import stores
from tests.fakes.journal import MemoryJournal

from gennaker.interfaces.executions import Found, Listed
from gennaker.interfaces.journal import Commit, ExecutionChange, Journal
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Authentication, Execution, ExecutionKind, Head, Stage
from gennaker.model.statuses import Status
from gennaker.store.searches import DatabaseSearches

AT = datetime(2026, 11, 24, tzinfo=UTC)


class Searches(Protocol):
    async def find(self, wanted: Found) -> Sequence[Execution]: ...
    async def listed(self, wanted: Found) -> Sequence[Listed]: ...
    async def several(self, ids: Sequence[str]) -> Sequence[Execution]: ...
    async def triggers(self, ids: Sequence[str]) -> Mapping[str, JsonObject]: ...
    async def count(self, status: Status) -> int: ...


Check = Callable[[Journal, Searches], Coroutine[None, None, None]]
Run = Callable[[Check], None]


@pytest.fixture(params=[*stores.DATABASES, "memory"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a check on a fresh journal and searches in it."""
    if request.param == "memory":
        memory = MemoryJournal()
        yield lambda check: asyncio.run(check(memory, memory))
        return
    with stores.opened(request.param, request, tmp_path) as database:
        journal, searches = stores.journal_of(database), DatabaseSearches(database)
        yield lambda check: asyncio.run(check(journal, searches))


async def fill(journal: Journal, *heads: Head) -> None:
    for accepted in heads:
        stage = Stage(id=f"{accepted.id}-1", ref_id="1", type="wait", name="Wait")
        change = ExecutionChange(head=accepted, expected_version=0, stages=(stage,))
        await journal.commit(Commit(executions=(change,)))


def head(execution_id: str, minutes: int, **fields: object) -> Head:
    given: dict[str, object] = {
        "id": execution_id,
        "application": "shop",
        "build_time": AT + timedelta(minutes=minutes),
        "authentication": Authentication(user="ada"),
        "version": 1,
    }
    return Head(**{**given, **fields})  # type: ignore[arg-type]  # a builder's keywords


def ids(found: Sequence[Execution]) -> list[str]:
    return [execution.head.id for execution in found]


def test_the_newest_come_first_also_when_ids_do_not_sort_by_time(run: Run) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(journal, head("01B", 2), head("zz-chosen-by-a-caller", 1), head("01A", 3))

        assert ids(await searches.find(Found())) == ["01A", "01B", "zz-chosen-by-a-caller"]

    run(check)


def test_the_oldest_come_first_where_that_is_wanted(run: Run) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(journal, head("01B", 2), head("01C", 2), head("zz", 1), head("01A", 3))

        assert ids(await searches.find(Found(is_oldest_first=True, limit=3))) == ["zz", "01B", "01C"]

    run(check)


def test_executions_are_counted_by_status(run: Run) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(
            journal,
            *(head(f"r{number}", number, status=Status.RUNNING) for number in range(3)),
            head("b", 1, status=Status.BUFFERED),
        )

        counted = [await searches.count(status) for status in (Status.RUNNING, Status.BUFFERED, Status.PAUSED)]
        assert counted == [3, 1, 0]

    run(check)


def test_whole_executions_are_found(run: Run) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(journal, head("01A", 1), head("01B", 2))

        found = await searches.find(Found())

        assert list(found) == [await journal.load("01B"), await journal.load("01A")]
        assert list(await searches.several(["01A", "none", "01B"])) == list(found)[::-1]
        assert await searches.listed(Found(limit=1)) == (
            Listed(id="01B", application="shop", version=1, build_time=AT + timedelta(minutes=2)),
        )

    run(check)


def test_triggers_are_read_alone_small_and_large_ones(run: Run) -> None:
    small: JsonObject = {"type": "git", "hash": "abc"}
    large: JsonObject = {"type": "webhook", "payload": {"text": "x" * 100_000}}

    async def check(journal: Journal, searches: Searches) -> None:
        await fill(journal, head("01A", 1, trigger=small), head("01B", 2, trigger=large), head("01C", 3))

        found = await searches.triggers(["01B", "none", "01A", "01C"])

        assert found == {"01A": small, "01B": large, "01C": {}}

    run(check)


def test_so_many_of_each_pipeline_are_found(run: Run) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(journal, *(head(f"0{number}", number, pipeline_config_id=f"c{number % 3}") for number in range(9)))

        wanted = Found(config_ids=("c0", "c1", "none"), is_per_config=True, limit=2)
        assert ids(await searches.find(wanted)) == ["07", "06", "04", "03"]
        assert [one.id for one in await searches.listed(wanted)] == ["07", "06", "04", "03"]
        running = {"application": "Shop", "statuses": (Status.RUNNING, Status.PAUSED)}
        assert await searches.listed(msgspec.structs.replace(wanted, **running)) == ()
        await fill(journal, *(head(f"1{n}", n, pipeline_config_id="c1", status=Status.RUNNING) for n in range(3)))
        found = await searches.listed(msgspec.structs.replace(wanted, **running))
        assert [one.id for one in found] == ["12", "11"]

    run(check)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Found(trigger_types=("git",)), ["03", "01"]),
        (Found(trigger_types=("git", "manual"), application="Shop"), ["05", "02", "01"]),
        (Found(trigger_types=("manual",), limit=1), ["05"]),
        (Found(trigger_types=("git",), before_id="03"), ["01"]),
        (Found(trigger_types=("git",), is_oldest_first=True), ["01", "03"]),
        (Found(trigger_types=("git",), statuses=(Status.RUNNING,)), ["01"]),
        (Found(event_id="e-2"), ["02"]),
        (Found(from_id="04"), ["05", "04"]),
        (Found(from_id="04", is_oldest_first=True, limit=1), ["04"]),
        (Found(from_id="01x", application="shop", is_oldest_first=True), ["02", "04", "05"]),
        (Found(event_id="e-2", trigger_types=("git",)), []),
        (Found(trigger_types=("none",)), []),
        (Found(application="shop", statuses=(Status.RUNNING, Status.PAUSED)), ["04", "01"]),
        (Found(application="shop", kind=ExecutionKind.ORCHESTRATION), ["04"]),
    ],
)
def test_executions_are_found_by_their_triggers(run: Run, wanted: Found, expected: list[str]) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        running = {"status": Status.RUNNING}
        await fill(
            journal,
            head("01", 1, trigger={"type": "git"}, **running),
            head("02", 2, trigger={"type": "manual", "eventId": "e-2"}),
            head("03", 3, trigger={"type": "git"}, application="cart"),
            head("04", 4, trigger={"type": "git"}, kind=ExecutionKind.ORCHESTRATION, **running),
            head("05", 5, trigger={"type": "docker"}),
        )
        later = head("05", 5, trigger={"type": "manual"}, version=2)
        await journal.commit(Commit(executions=(ExecutionChange(head=later, expected_version=1),)))

        assert ids(await searches.find(wanted)) == expected

    run(check)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Found(application="cart"), ["02"]),
        (Found(ids=("03", "none", "01")), ["03", "01"]),
        (Found(config_ids=("c1", "c3")), ["04", "01"]),
        (Found(statuses=(Status.RUNNING, Status.PAUSED)), ["04", "03"]),
        (Found(kind=ExecutionKind.ORCHESTRATION), ["03"]),
        (Found(name="deliver"), ["04"]),
        (Found(correlation_id="corr"), ["02"]),
        (Found(application="shop", statuses=(Status.RUNNING,), config_ids=("c3",)), ["04"]),
        (Found(application="nobody"), []),
        (Found(limit=2), ["04", "03"]),
    ],
)
def test_every_field_that_is_given_must_match(run: Run, wanted: Found, expected: list[str]) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(
            journal,
            head("01", 1, pipeline_config_id="c1"),
            head("02", 2, application="cart", pipeline_config_id="c2", trigger={"correlationId": "corr"}),
            head("03", 3, kind=ExecutionKind.ORCHESTRATION, status=Status.PAUSED, trigger={"correlationId": 7}),
            head("04", 4, pipeline_config_id="c3", status=Status.RUNNING, name="deliver"),
        )

        assert ids(await searches.find(wanted)) == expected

    run(check)


def test_pages_neither_repeat_nor_miss_an_execution(run: Run) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(journal, *(head(f"{number % 7}-{number:02}", number // 4) for number in range(25)))
        everything = ids(await searches.find(Found(limit=100)))

        paged: list[str] = []
        while page := ids(await searches.find(Found(limit=4, before_id=paged[-1] if paged else None))):
            paged += page

        assert len(everything) == 25
        assert paged == everything

    run(check)


def test_an_unknown_cursor_is_taken_by_its_letters(run: Run) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(journal, head("01A", 1), head("01C", 2))

        assert ids(await searches.find(Found(before_id="01B"))) == ["01A"]

    run(check)


def test_an_application_is_the_same_however_it_is_spelled(run: Run) -> None:
    async def check(journal: Journal, searches: Searches) -> None:
        await fill(journal, head("e1", 1, application="Shop"), head("e2", 2, application="shop"))

        for spelled in ("shop", "SHOP"):
            found = await searches.find(Found(application=spelled))
            assert [(one.head.id, one.head.application) for one in found] == [("e2", "shop"), ("e1", "Shop")]

    run(check)
