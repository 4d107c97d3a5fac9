"""Half applied: which of a stage's manifests were in the cluster when the stage was stopped, as its context tells of them."""

from collections.abc import Mapping, Sequence

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject

KEY = "manifestsWhenStopped"
"""Of a stage's context: `applied`, `notApplied` and `unknown` with names, and `reason` where nobody could be asked."""
_LISTED = 5


def context(
    *, applied: Sequence[str] = (), missing: Sequence[str] = (), unknown: Sequence[str] = (), reason: str = ""
) -> JsonObject:
    """What a stopped task adds to its stage's context."""
    found: JsonObject = {"applied": [*applied], "notApplied": [*missing]}
    if unknown:
        found |= {"unknown": [*unknown], "reason": reason}
    return {KEY: found}


def sentences(name: str, context: Mapping[str, Json]) -> tuple[str, ...]:
    """What is to be said of the stage of this name with this context."""
    if not isinstance(found := context.get(KEY), dict):
        return ()
    applied, missing, unknown = (_names(found, key) for key in ("applied", "notApplied", "unknown"))
    said = []
    if applied:
        said.append(f"applied are {few(applied)}")
    if missing:
        said.append(f"not applied {'is' if len(missing) == 1 else 'are'} {few(missing)}")
    if unknown:
        reason = foreign.text_at(found, "reason")
        said.append(f"not known of {few(unknown)}" + (f" ({reason.rstrip('.')})" if reason else ""))
    if not said:
        return ()
    after = " Nothing is taken back; running the stage again is safe." if applied or unknown else ""
    return (f"When stage {name} was stopped: {'; '.join(said)}.{after}",)


def few(names: Sequence[str]) -> str:
    """The first ones, and how many more."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _names(found: JsonObject, key: str) -> list[str]:
    return [str(one) for one in foreign.items(found.get(key))]
