"""Shown: what is kept of executions is what they are."""

import asyncio
from collections.abc import Sequence

from tests import make
from tests.fakes.journal import MemoryJournal

from gennaker.interfaces.executions import Found, Listed
from gennaker.interfaces.journal import Commit, ExecutionChange
from gennaker.model.codec import Json
from gennaker.model.execution import Authentication, Execution, Head
from gennaker.web.shown import Shown


class Counted(MemoryJournal):
    """Says which executions were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    async def several(self, ids: Sequence[str]) -> Sequence[Execution]:
        self.read += ids
        return await super().several(ids)


async def fill(journal: MemoryJournal, *names: str, version: int = 1) -> Sequence[Listed]:
    for name in names:
        head = Head(
            id=name,
            application="Shop",
            name=f"{name}{version}",
            build_time=make.AT,
            authentication=Authentication(user="ada"),
            version=version,
        )
        await journal.commit(Commit(executions=(ExecutionChange(head=head, expected_version=version - 1),)))
    return await journal.listed(Found())


def named(execution: Execution) -> Json:
    return execution.head.name


def called(execution: Execution) -> Json:
    return {"called": execution.head.name}


def test_only_what_has_changed_is_read_again() -> None:
    async def main() -> None:
        journal, shown = Counted(), Shown()
        listed = await fill(journal, "a", "b")

        first = [bytes(one) for one in await shown.executions(journal, listed, named)]
        await shown.executions(journal, listed, named)
        listed = await fill(journal, "a", version=2)
        second = [bytes(one) for one in await shown.executions(journal, listed, named)]

        assert (first, second) == ([b'"b1"', b'"a1"'], [b'"b1"', b'"a2"'])
        assert journal.read == ["b", "a", "a"]
        assert bytes((await shown.executions(journal, listed, called))[1]) == b'{"called":"a2"}'

    asyncio.run(main())


def test_what_was_deleted_meanwhile_is_left_out() -> None:
    async def main() -> None:
        journal, shown = MemoryJournal(), Shown()
        listed = await fill(journal, "a")
        gone = Listed(id="gone", application="shop", version=1, build_time=make.AT)

        assert len(await shown.executions(journal, [gone, *listed], named)) == 1

    asyncio.run(main())


def test_what_several_make_together_is_kept_until_one_of_them_changes() -> None:
    async def main() -> None:
        journal, shown = Counted(), Shown()

        async def joined(listed: Sequence[Listed]) -> bytes:
            return bytes(await shown.of_all(journal, listed, "names", lambda found: [one.head.name for one in found]))

        listed = await fill(journal, "a", "b")
        assert [await joined(listed), await joined(listed)] == [b'["b1","a1"]'] * 2
        newer = await fill(journal, "b", version=2)
        assert await joined(newer) == b'["b2","a1"]'
        assert journal.read == ["b", "a"] * 2

        await fill(journal, "a", version=2)
        assert [await joined(newer[:1]), await joined(newer[1:])] == [b'["b2"]', b'["a2"]']
        assert await joined(newer[1:]) == b'["a2"]'
        assert journal.read[4:] == ["b", "a", "a"], "what is newer than what was listed isn't kept as that"

    asyncio.run(main())


def test_no_more_is_kept_than_there_is_room_for() -> None:
    async def main() -> None:
        journal, shown = Counted(), Shown(kept_bytes=700)
        listed = await fill(journal, "a", "b", "c")

        await shown.executions(journal, listed, named)
        await shown.executions(journal, listed, named)

        assert journal.read[:3] == ["c", "b", "a"]
        assert len(journal.read) > 3

    asyncio.run(main())
