"""Searching executions by what their triggers hold, as Orca does it.

What isn't in a column is looked for in the executions themselves, a page at a time, and in so many at most.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Iterator

import msgspec

from gennaker.interfaces.executions import Executions, Found
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json, milliseconds
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.triggers import patterns

_PAGE = 100
_MOST_READ = 5_000


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


async def find(executions: Executions, wanted: Wanted, *, most: int) -> list[Execution]:
    """The first so many that fit."""
    found: list[Execution] = []
    async for one in _read(executions, wanted):
        if _fits(one, wanted):
            found.append(one)
            if len(found) == most and not wanted.is_oldest_first:
                return found
    return found[::-1][:most] if wanted.is_oldest_first else found


async def _read(executions: Executions, wanted: Wanted) -> AsyncIterator[Execution]:
    """Newest first, until those that were accepted before the time that is asked for."""
    before: str | None = None
    for _ in range(_MOST_READ // _PAGE):
        page = await executions.find(
            Found(
                application=wanted.application,
                name=wanted.name,
                kind=ExecutionKind.PIPELINE,
                statuses=wanted.statuses,
                limit=_PAGE,
                before_id=before,
            )
        )
        for one in page:
            yield one
        if len(page) < _PAGE or (milliseconds(page[-1].head.build_time) or 0) < wanted.start:
            return
        before = page[-1].head.id


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
    """Whether what was found has all of the part in it: Orca's rule, text ignoring case or as a pattern for the whole."""
    match part:
        case str():
            return isinstance(found, str) and (found.lower() == part.lower() or patterns.is_full_match(part, found))
        case dict():
            return isinstance(found, dict) and all(key in found and holds(found[key], one) for key, one in part.items())
        case list():
            return isinstance(found, list) and _all_held(found, part)
        case _:
            return found == part


def mappings(value: JsonObject, key: str, needed: str) -> Iterator[JsonObject]:
    """The maps under a key that have a text under another."""
    return (one for one in foreign.mappings(value.get(key)) if foreign.text_at(one, needed))


def _all_held(found: list[Json], part: list[Json]) -> bool:
    """Each item of the part has an item of its own."""
    left = list(found)
    for one in part:
        place = next((place for place, item in enumerate(left) if holds(item, one)), None)
        if place is None:
            return False
        del left[place]
    return True


def _fits(execution: Execution, wanted: Wanted) -> bool:
    trigger = execution.head.trigger
    built = milliseconds(execution.head.build_time) or 0
    return (
        wanted.start <= built <= wanted.end
        and (not wanted.types or foreign.text_at(trigger, "type") in wanted.types)
        and (not wanted.event_id or trigger.get("eventId") == wanted.event_id)
        and holds(trigger, wanted.trigger)
    )


def _unreadable(why: str) -> Problem:
    return Problem(
        code="request.trigger",
        message=f"`trigger` can't be read: {why}.",
        remedy="Send a JSON object, encoded as base64.",
    )
