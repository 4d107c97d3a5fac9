"""Half applied: what of a stage's work on manifests was done when the stage was stopped, as its context tells of it."""

from collections.abc import Mapping, Sequence

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject

KEY = "manifestsWhenStopped"
"""Of a stage's context: names by what was done with them, `unknown` and `reason` where nobody could be asked, `changesAgain`."""
APPLIED, NOT_APPLIED = "applied", "notApplied"
CHANGED, NOT_CHANGED = "changed", "notChanged"
DELETED, BEING_DELETED, NOT_DELETED = "deleted", "beingDeleted", "notDeleted"
_DONE = {APPLIED: "applied", CHANGED: "changed as wanted", DELETED: "deleted", BEING_DELETED: "being deleted"}
_NOT_DONE = {NOT_APPLIED: "not applied", NOT_CHANGED: "not changed", NOT_DELETED: "not deleted"}
_LISTED = 5


def context(
    said: Mapping[str, Sequence[str]], *, unknown: Sequence[str] = (), reason: str = "", changes_again: bool = False
) -> JsonObject:
    """What a stopped task adds to its stage's context: names by what was done with them, and of which nobody knows.

    `changes_again`: running the stage again may do more than was meant.
    """
    found: JsonObject = {key: [*names] for key, names in said.items()}
    if unknown:
        found |= {"unknown": [*unknown], "reason": reason}
    if changes_again:
        found["changesAgain"] = True
    return {KEY: found}


def sentences(name: str, context: Mapping[str, Json]) -> tuple[str, ...]:
    """What is to be said of the stage of this name with this context."""
    if not isinstance(found := context.get(KEY), dict):
        return ()
    done = [f"{verb} are {few(names)}" for key, verb in _DONE.items() if (names := _names(found, key))]
    missing = [
        f"{verb} {'is' if len(names) == 1 else 'are'} {few(names)}"
        for key, verb in _NOT_DONE.items()
        if (names := _names(found, key))
    ]
    unknown = []
    if names := _names(found, "unknown"):
        reason = foreign.text_at(found, "reason")
        unknown = [f"not known of {few(names)}" + (f" ({reason.rstrip('.')})" if reason else "")]
    if not (said := [*done, *missing, *unknown]):
        return ()
    again = "makes its operations once more, made or not" if found.get("changesAgain") is True else "is safe"
    after = f" Nothing is taken back; running the stage again {again}." if done or unknown else ""
    return (f"When stage {name} was stopped: {'; '.join(said)}.{after}",)


def few(names: Sequence[str]) -> str:
    """The first ones, and how many more."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _names(found: JsonObject, key: str) -> list[str]:
    return [str(one) for one in foreign.items(found.get(key))]
