"""Listing what a CI system has: several requests at a time, never more names than anybody reads, and the files that declare parameters.

Those files are written by whoever may push to a repository there: aliases aren't expanded, and large ones aren't read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import yaml

from gennaker.interfaces.ci import MOST_JOBS, CiFailure, CiMissing, JobNames
from gennaker.model.problems import Refused

Yaml = object
"""What a document of YAML holds, as it was read."""
PAGE: Final = 100
_AT_ONCE: Final = 6
_FILE_LIMIT_BYTES: Final = 200_000
_NULLS: Final = frozenset({"null", "~"})


async def of_pages(page: Callable[[int], Awaitable[Sequence[str]]]) -> JobNames:
    """Names page by page, from page 1; the last is the one that isn't full."""
    names: list[str] = []
    for number in range(1, MOST_JOBS // PAGE + 1):
        found = await page(number)
        names += found
        if len(found) < PAGE:
            return JobNames(names=tuple(names))
    return JobNames(names=tuple(names[:MOST_JOBS]), is_cut=True)


async def of_many(places: Sequence[str], ask: Callable[[str], Awaitable[Sequence[str]]], *, is_cut: bool) -> JobNames:
    """The names of several places (repositories, projects), each asked for its own.

    A place that is gone has none. One that refuses is left out, unless all do. Raises CiFailure, Refused.
    """
    found: dict[str, Sequence[str]] = {}
    refused: dict[str, Refused] = {}
    failed: list[CiFailure] = []
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(place: str) -> None:
        async with turns:
            if failed or sum(map(len, found.values())) > MOST_JOBS:
                return
            try:
                found[place] = await ask(place)
            except CiMissing:
                found[place] = ()
            except CiFailure as failure:
                failed.append(failure)
            except Refused as refusal:
                refused[place] = refusal

    async with asyncio.TaskGroup() as group:
        for place in places:
            group.create_task(one(place))
    if failed:
        raise failed[0]
    if refused and not found:
        raise next(iter(refused.values()))
    names = [name for place in places for name in found.get(place, ())]
    is_short = len(found) < len(places) or len(names) > MOST_JOBS
    return JobNames(names=tuple(names[:MOST_JOBS]), is_cut=is_cut or is_short)


async def document(content: bytes) -> Yaml:
    """A file's YAML, of whatever shape; None: it can't be read, or is larger than such a file ever is."""
    return None if len(content) > _FILE_LIMIT_BYTES else await asyncio.to_thread(_read, content)


def _read(content: bytes) -> Yaml:
    try:
        # Every plain value is text as it stands, keys like `on` too; no merge keys, which can grow without end.
        return yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text, lists and maps
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def entries(value: Yaml) -> dict[str, Yaml]:
    """The entries of a map whose keys are text; nothing where it is no map."""
    return {key: one for key, one in value.items() if isinstance(key, str)} if isinstance(value, dict) else {}


def scalar(value: Yaml) -> str | None:
    """A plain value as it is written; None: there is none."""
    return value if isinstance(value, str) and value not in _NULLS else None


def scalars(value: Yaml) -> tuple[str, ...]:
    """The plain values of a list."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
