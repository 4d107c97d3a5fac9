"""Searching executions by what their triggers hold, as Orca does it.

Types, events and times are in columns; what else a trigger holds is looked for in the triggers themselves, in so many at
most. Where there are more the answer says so.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec

from gennaker.interfaces.executions import Executions, Found, Listed
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json, milliseconds
from gennaker.model.execution import ExecutionKind
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.patterns.errors import PatternError
from gennaker.triggers import patterns

FOREVER = 2**63 - 1
"""Later than any time that is asked for."""
_PAGE = 1_000
_MOST_READ = 20_000
_READ_TOGETHER = 200
_WORD = re.compile(r"[a-z]\w*")
"""A type of a trigger that is no pattern and has no upper case: these are found by the index."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for; empty fields match all."""

    application: str | None
    name: str | None
    types: frozenset[str]
    event_id: str
    trigger: JsonObject
    """A part of the trigger: all that is in it must be in the execution's."""
    start: int
    """Accepted at or after; milliseconds."""
    end: int
    statuses: tuple[Status, ...]
    is_oldest_first: bool


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    found: Sequence[Listed] = ()
    is_cut: bool = False
    """There are older executions that nobody has looked at, and so there may be more that fit."""

    @property
    def headers(self) -> dict[str, str]:
        """What an answer with a part of it says beside."""
        said = f"Only the newest {_MOST_READ} executions of this application, status and these types were looked at"
        return {"warning": f'299 gennaker "{said}"'} if self.is_cut else {}


async def find(executions: Executions, wanted: Wanted, *, most: int, comparing: asyncio.Lock) -> Search:
    """The first so many that fit; `comparing`: held by whoever compares triggers with what is asked for."""
    types = _types(wanted)
    if types == ():
        return Search()
    asked = Found(
        application=wanted.application,
        name=wanted.name,
        kind=ExecutionKind.PIPELINE,
        statuses=wanted.statuses,
        trigger_types=types or (),
        event_id=wanted.event_id,
        limit=_PAGE,
    )
    needed = None if wanted.is_oldest_first else most
    found: list[Listed] = []
    read, is_whole = 0, False
    async for page in _pages(executions, asked, wanted.start, needed if _is_by_columns(wanted) else None):
        read += len(page)
        timely = [one for one in page if wanted.start <= (milliseconds(one.build_time) or 0) <= wanted.end]
        missing = None if needed is None else needed - len(found)
        found += await _fitting(executions, timely, wanted, missing, comparing) if wanted.trigger else timely
        if needed is not None and len(found) >= needed:
            is_whole = True
            break
    shown = found[::-1] if wanted.is_oldest_first else found
    return Search(found=shown[:most], is_cut=read >= _MOST_READ and not is_whole)


def _is_by_columns(wanted: Wanted) -> bool:
    return not wanted.trigger and wanted.end >= FOREVER


async def _pages(executions: Executions, asked: Found, start: int, most: int | None) -> AsyncIterator[Sequence[Listed]]:
    """Newest first, until those that were accepted before the time that is asked for; `most`: no more are needed."""
    size = _PAGE if most is None else min(_PAGE, most)
    asked = msgspec.structs.replace(asked, limit=size)
    read = 0
    while read < _MOST_READ:
        page = await executions.listed(asked)
        yield page
        read += len(page)
        if len(page) < size or (milliseconds(page[-1].build_time) or 0) < start:
            return
        asked = msgspec.structs.replace(asked, before_id=page[-1].id)


async def _fitting(
    executions: Executions, listed: Sequence[Listed], wanted: Wanted, missing: int | None, comparing: asyncio.Lock
) -> list[Listed]:
    """Those whose triggers have in them what is asked for; `missing`: no more are needed."""
    found: list[Listed] = []
    for first in range(0, len(listed), _READ_TOGETHER):
        together = listed[first : first + _READ_TOGETHER]
        triggers = await executions.triggers([one.id for one in together])
        # By a thread, and by one of those that all share: a pattern may take seconds for what others have sent.
        async with comparing:
            found += await asyncio.to_thread(_held, together, triggers, wanted.trigger)
        if missing is not None and len(found) >= missing:
            break
    return found


def _held(listed: Sequence[Listed], triggers: Mapping[str, JsonObject], part: JsonObject) -> list[Listed]:
    return [one for one in listed if holds(triggers.get(one.id), part)]


def _types(wanted: Wanted) -> tuple[str, ...] | None:
    """Of which types a trigger that fits can be; None: of any."""
    part = wanted.trigger.get("type")
    if not isinstance(part, str) or not _WORD.fullmatch(part):
        return tuple(sorted(wanted.types)) or None
    # Text is found ignoring case: a type in another spelling is nobody's.
    return (part,) if not wanted.types or part in wanted.types else ()


def decoded(text: str) -> JsonObject:
    """The trigger of a request: JSON as base64. Raises Refused."""
    if not text:
        return {}
    try:
        found = decode_json(base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise Refused(_unreadable(str(error)), status=400) from error
    if not isinstance(found, dict):
        raise Refused(_unreadable("it is no object"), status=400)
    return found


def holds(found: Json, part: Json) -> bool:
    """Whether what was found has all of the part in it: Orca's rule, text ignoring case or as a pattern for the whole.

    What a pattern would cost too much for doesn't.
    """
    match part:
        case str():
            return isinstance(found, str) and (found.lower() == part.lower() or _fits(part, found))
        case dict():
            return isinstance(found, dict) and all(key in found and holds(found[key], one) for key, one in part.items())
        case list():
            return isinstance(found, list) and _all_held(found, part)
        case _:
            return found == part


def mappings(value: JsonObject, key: str, needed: str) -> Iterator[JsonObject]:
    """The maps under a key that have a text under another."""
    return (one for one in foreign.mappings(value.get(key)) if foreign.text_at(one, needed))


def _fits(pattern: str, text: str) -> bool:
    try:
        return patterns.is_full_match(pattern, text)
    except PatternError:
        return False


def _all_held(found: list[Json], part: list[Json]) -> bool:
    """Each item of the part has an item of its own."""
    left = list(found)
    for one in part:
        place = next((place for place, item in enumerate(left) if holds(item, one)), None)
        if place is None:
            return False
        del left[place]
    return True


def _unreadable(why: str) -> Problem:
    return Problem(
        code="request.trigger",
        message=f"`trigger` can't be read: {why}.",
        remedy="Send a JSON object, encoded as base64.",
    )
