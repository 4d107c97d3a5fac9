"""Undrained: requests that were still under way when the time for draining was over, as a stage's context tells of them."""

from collections.abc import Mapping

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.wording import counted

KEY = "requestsLeft"
"""Of a stage's context: a number by server group; null where the load balancer can't tell it."""
_NOBODY_KNOWS = (
    "the controller of a route in a cluster doesn't tell how many requests an instance has, and its instances weren't "
    "asked or didn't answer"
)
_REMEDY = "Where they have a gauge of it, name it: load-balancers.NAME.in-flight-metric."


def context(left: Mapping[str, int | None]) -> JsonObject:
    """What a task adds to its stage's context; nothing where all requests have ended."""
    found: JsonObject = dict(left)
    return {KEY: found} if found else {}


def waiting(group: str, count: int | None) -> str:
    """What draining a server group waits for."""
    if count is None:
        return f"the time for draining {group} to be over: {_NOBODY_KNOWS}"
    return f"{counted(count, 'request')} under way at {group} to end"


def sentences(context: Mapping[str, Json]) -> tuple[str, ...]:
    """What is to be said of a stage with this context."""
    return tuple(
        _sentence(group, count)
        for group, count in foreign.mapping(context.get(KEY)).items()
        if count is None or isinstance(count, int)
    )


def _sentence(group: str, count: int | None) -> str:
    over = "when the time for draining (`drainTimeout`) was over"
    if count is None:
        return f"Whether requests at {group} had ended {over} is not known: {_NOBODY_KNOWS}. {_REMEDY}"
    return f"{counted(count, 'request')} at {group} had not ended {over}."
