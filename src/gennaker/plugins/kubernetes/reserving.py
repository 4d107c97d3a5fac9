"""Reserving: the numbers of new versions that stages under way are about to deploy, each by its account.

Numbers follow from what is live, and between looking and sending there is time: two stages that deploy other content under
one name would take the same number, and the later one would overwrite what the earlier one's workload refers to. What
deploys beside Gennaker isn't seen.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from gennaker.interfaces.documents import VersionMismatch
from gennaker.interfaces.stages import TaskContext
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, to_json
from gennaker.plugins.kubernetes import kinds
from gennaker.plugins.kubernetes.deploying import ObjectKey, Ready
from gennaker.plugins.kubernetes.objects import Objects

_DOCUMENTS = "kubernetes.versions"
_KEPT_FOR = timedelta(minutes=30)
"""As long as the task that sends may take. One that was cancelled leaves a gap in the numbers until then."""
_TRIES = 500
"""Each is one write to the store; hundreds of stages may begin at once."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A number that a stage is about to deploy."""

    key: ObjectKey
    """Kind, namespace and name without version."""
    number: int
    holder: str
    """Key of the task's attempt."""
    until: datetime
    is_over: bool = False
    """It is live, or won't be: kept so that who has looked before sees that something has changed."""


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """What was held when it was read."""

    version: int = 0
    held: tuple[Held, ...] = ()


async def read(context: TaskContext, objects: Objects) -> Book:
    """As it is now, without what is over."""
    found = await context.services.documents(_DOCUMENTS).get(objects.account.name)
    if found is None:
        return Book()
    held = msgspec.convert(foreign.mappings_at(found.body, "held"), tuple[Held, ...])
    return Book(version=found.version, held=tuple(one for one in held if one.until > context.at))


def taken(context: TaskContext, objects: Objects, book: Book) -> Mapping[ObjectKey, int]:
    """The greatest number that another stage holds, by what it is of; also without the namespace that goes without saying."""
    found: dict[ObjectKey, int] = {}
    for one in book.held:
        if one.is_over or one.holder == context.attempt_key:
            continue
        kind, namespace, name = one.key
        for key in {one.key, (kind, "" if namespace == objects.account.server.namespace else namespace, name)}:
            found[key] = max(one.number, found.get(key, -1))
    return found


async def hold(context: TaskContext, objects: Objects, book: Book, ready: Sequence[Ready]) -> bool:
    """Takes the numbers of what is new; False: somebody else has taken some of the same things, so that all is to be decided anew."""
    until, holder = context.at + _KEPT_FOR, context.attempt_key
    own = [
        Held(key=_key(objects, one), number=one.new_version, holder=holder, until=until)
        for one in ready
        if one.new_version is not None
    ]
    if not own:
        return True
    keys = {one.key for one in own}
    before, now = _about(book, keys, holder), book
    for _ in range(_TRIES):
        if _about(now, keys, holder) != before:
            return False
        if await _written(context, objects, now, [*_of_others(now, holder), *own]):
            return True
        now = await read(context, objects)
    return False


async def release(context: TaskContext, objects: Objects) -> None:
    """What was held is live, or won't be sent any more."""
    for _ in range(_TRIES):
        book = await read(context, objects)
        over = [replace(one, is_over=True) for one in book.held if one.holder == context.attempt_key]
        keys = {one.key for one in over}
        others = [one for one in _of_others(book, context.attempt_key) if not (one.is_over and one.key in keys)]
        if frozenset(over) <= frozenset(book.held) or await _written(context, objects, book, [*others, *over]):
            return


def _about(book: Book, keys: Collection[ObjectKey], holder: str) -> frozenset[Held]:
    return frozenset(one for one in book.held if one.key in keys and one.holder != holder)


async def _written(context: TaskContext, objects: Objects, book: Book, held: Sequence[Held]) -> bool:
    documents, name = context.services.documents(_DOCUMENTS), objects.account.name
    body: JsonObject = {"held": to_json(held)}
    try:
        await documents.put(name, body, if_version=book.version)
    except VersionMismatch:
        return False
    return True


def _of_others(book: Book, holder: str) -> list[Held]:
    return [one for one in book.held if one.holder != holder]


def _key(objects: Objects, ready: Ready) -> ObjectKey:
    artifact = ready.artifact
    namespace = artifact.location or objects.account.server.namespace
    return kinds.of(ready.manifest).key, namespace, artifact.name or ""
