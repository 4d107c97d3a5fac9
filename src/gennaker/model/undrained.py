"""Undrained: requests that were still under way when the time for draining was over, as a stage's context tells of them."""

from collections.abc import Mapping

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.wording import counted

KEY = "requestsLeft"
"""Of a stage's context: a number by server group."""


def context(left: Mapping[str, int]) -> JsonObject:
    """What a task adds to its stage's context; nothing where all requests have ended."""
    found: JsonObject = dict(left)
    return {KEY: found} if found else {}


def sentences(context: Mapping[str, Json]) -> tuple[str, ...]:
    """What is to be said of a stage with this context."""
    return tuple(
        f"{counted(count, 'request')} at {group} had not ended when the time for draining (`drainTimeout`) was over."
        for group, count in foreign.mapping(context.get(KEY)).items()
        if isinstance(count, int)
    )
