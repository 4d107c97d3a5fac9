"""One suite for every implementation of definitions."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests import stores
from tests.conformance import subjects
from tests.fakes.definitions import MemoryDefinitions
from tests.simulation.universe import SlowDefinitions

from gennaker.interfaces.definitions import Definition, Definitions
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.store.definitions import DatabaseDefinitions

AT = datetime(2026, 11, 24, tzinfo=UTC)
Check = Callable[[Definitions], Coroutine[None, None, None]]
Run = Callable[[Check], None]


class Minutes:
    """A clock that is a minute later each time it is asked."""

    def __init__(self) -> None:
        self._asked = -1

    def now(self) -> datetime:
        self._asked += 1
        return AT + timedelta(minutes=self._asked)

    async def sleep_until(self, at: datetime) -> None:
        raise AssertionError(f"nobody should wait for {at}")


SUBJECTS: dict[str, type[Definitions]] = {
    "sqlite": DatabaseDefinitions,
    "postgres": DatabaseDefinitions,
    "memory": MemoryDefinitions,
}
DERIVED = {SlowDefinitions: "takes time in which other things happen, which is not promised to anybody"}


@pytest.fixture(params=subjects.params(SUBJECTS, debian=("postgres",)))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a check on fresh definitions."""
    with opened(request.param, request, tmp_path) as made:
        assert type(made) is SUBJECTS[request.param]
        yield lambda check: asyncio.run(check(made))


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Definitions]:
    if kind == "memory":
        yield MemoryDefinitions(Minutes())
        return
    with stores.opened(kind, request, folder) as database:
        yield DatabaseDefinitions(database, Minutes())


def test_a_definition_is_read_as_it_was_saved(run: Run) -> None:
    async def check(definitions: Definitions) -> None:
        body: JsonObject = {"application": "shop", "name": "deliver", "stages": [{"type": "wait", "waitTime": 1}]}

        saved = await definitions.save("pipeline", "p1", body, author="ada", if_revision=0)

        assert saved == Definition(kind="pipeline", id="p1", body=body, revision=1, author="ada", at=AT)
        assert await definitions.get("pipeline", "p1") == saved
        assert await definitions.get("application", "p1") is None

    run(check)


def test_every_revision_is_kept_newest_first(run: Run) -> None:
    async def check(definitions: Definitions) -> None:
        saved = [await definitions.save("pipeline", "p1", {"n": n}, author=f"a{n}") for n in range(3)]

        assert await definitions.get("pipeline", "p1") == saved[2]
        assert await definitions.history("pipeline", "p1") == (saved[2], saved[1], saved[0])
        assert await definitions.history("pipeline", "p1", limit=2) == (saved[2], saved[1])
        assert await definitions.history("pipeline", "other") == ()

    run(check)


@pytest.mark.parametrize("if_revision", [0, 1, 3])
def test_a_save_on_another_revision_is_refused(run: Run, if_revision: int) -> None:
    async def check(definitions: Definitions) -> None:
        await definitions.save("pipeline", "p1", {"n": 1}, author="ada", if_revision=0)
        kept = await definitions.save("pipeline", "p1", {"n": 2}, author="ada", if_revision=1)

        with pytest.raises(Refused) as caught:
            await definitions.save("pipeline", "p1", {}, author="eve", if_revision=if_revision)

        assert (caught.value.status, caught.value.problems[0].code) == (409, "definition.changed")
        assert await definitions.get("pipeline", "p1") == kept
        assert len(await definitions.history("pipeline", "p1")) == 2

    run(check)


def test_a_deleted_definition_is_hidden_but_its_history_stays(run: Run) -> None:
    async def check(definitions: Definitions) -> None:
        saved = await definitions.save("pipeline", "p1", {"application": "shop"}, author="ada")

        await definitions.delete("pipeline", "p1", author="bob")
        await definitions.delete("pipeline", "p1", author="eve")

        deleted = Definition(
            kind="pipeline",
            id="p1",
            body={"application": "shop"},
            revision=2,
            author="bob",
            at=AT + timedelta(minutes=1),
            is_deleted=True,
        )
        assert await definitions.get("pipeline", "p1") is None
        assert await definitions.list("pipeline") == ()
        assert await definitions.list("pipeline", "shop") == ()
        assert await definitions.history("pipeline", "p1") == (deleted, saved)

    run(check)


@pytest.mark.parametrize("if_revision", [None, 0, 2])
def test_a_deleted_definition_may_be_saved_again(run: Run, if_revision: int | None) -> None:
    async def check(definitions: Definitions) -> None:
        await definitions.save("pipeline", "p1", {"n": 1}, author="ada")
        await definitions.delete("pipeline", "p1", author="ada")

        again = await definitions.save("pipeline", "p1", {"n": 2}, author="ada", if_revision=if_revision)

        assert again.revision == 3
        assert await definitions.get("pipeline", "p1") == again

    run(check)


def test_deleting_what_never_was_is_refused(run: Run) -> None:
    async def check(definitions: Definitions) -> None:
        with pytest.raises(Refused) as caught:
            await definitions.delete("pipeline", "p1", author="ada")

        assert caught.value.status == 404
        assert await definitions.history("pipeline", "p1") == ()

    run(check)


def test_definitions_are_listed_by_id_and_by_application(run: Run) -> None:
    async def check(definitions: Definitions) -> None:
        await definitions.save("pipeline", "p3", {"application": "cart"}, author="ada")
        second = await definitions.save("pipeline", "p2", {"application": "shop"}, author="ada")
        await definitions.save("pipeline", "p1", {"application": "shop"}, author="ada")
        moved = await definitions.save("pipeline", "p1", {"application": "cart"}, author="ada")
        await definitions.save("application", "shop", {"application": 1}, author="ada")

        assert [found.id for found in await definitions.list("pipeline")] == ["p1", "p2", "p3"]
        assert await definitions.list("pipeline", "shop") == (second,)
        assert [found.id for found in await definitions.list("pipeline", "cart")] == [moved.id, "p3"]
        assert await definitions.list("pipeline", "other") == ()

    run(check)


def test_an_application_is_the_same_however_it_is_spelled(run: Run) -> None:
    async def check(definitions: Definitions) -> None:
        saved = await definitions.save("pipeline", "p1", {"application": "Shop"}, author="ada")

        for spelled in ("shop", "SHOP", "Shop"):
            assert await definitions.list("pipeline", spelled) == (saved,)
        assert saved.body["application"] == "Shop"

    run(check)


def test_the_applications_of_definitions_are_told_once_each(run: Run) -> None:
    async def check(definitions: Definitions) -> None:
        for number, application in enumerate(("Shop", "shop", "cart", None, "gone")):
            body: JsonObject = {"application": application}
            await definitions.save("pipeline", f"p{number}", body, author="ada")
        await definitions.save("strategy", "s", {"application": "other"}, author="ada")
        await definitions.delete("pipeline", "p4", author="ada")

        assert await definitions.applications("pipeline") == ("cart", "shop")
        assert await definitions.applications("project") == ()

    run(check)
