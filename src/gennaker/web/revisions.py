"""Revisions of stored definitions as clients may see them: facts, contents without secrets, and what one changed of another."""

from collections.abc import Callable

from gennaker.engine import differences
from gennaker.interfaces.definitions import Definition
from gennaker.model import trigger_secrets
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.web import shapes

OF_THE_STORE = frozenset({"updateTs", "lastModifiedBy", "updatedTimestamp", "lastModified"})
"""They differ with every save, and say nothing about what was changed."""


def facts(one: Definition) -> JsonObject:
    """Which revision it is, whose and of when."""
    return {
        "id": one.id,
        "revision": one.revision,
        "author": one.author,
        "at": shapes.instant(one.at),
        "isDeleted": one.is_deleted,
    }


def changes(before: Definition | None, after: Definition) -> list[Json]:
    """Secrets are masked; one that was changed is named all the same."""
    if before is None:
        return []
    between = differences.between(_content(before, shown), _content(after, shown))
    found: list[Json] = [to_json(one) for one in between]
    if not found and _content(before, _stored) != _content(after, _stored):
        found.append({"pointer": "/triggers", "before": trigger_secrets.MASK, "after": trigger_secrets.MASK})
    return found


def shown(one: Definition) -> JsonObject:
    """The content, secrets masked."""
    return trigger_secrets.masked(one.body)


def _content(one: Definition, view: Callable[[Definition], JsonObject]) -> JsonObject:
    return {key: value for key, value in view(one).items() if key not in OF_THE_STORE}


def _stored(one: Definition) -> JsonObject:
    return one.body
