"""Variables: a list of `{key, value}` that is evaluated one after another (evaluateVariables with the evaluator v4).

So is evaluateArtifacts' list of `{name, contents}`, of which nothing is kept as it was written. Orca's rules: each value
that could be evaluated is seen by the next ones under its key; one that fails stays as it was written. What was written
is kept as `sourceValue` with `${` shown as `{`, so that it isn't evaluated itself, and a restart begins with it. Differs
from Orca in one point: braces that were no beginning of an expression are told apart (`sourceExpressions`), so that
inline maps survive a restart.
"""

import re
from collections import Counter
from collections.abc import Callable

from gennaker.model.codec import Json, JsonObject

_BEGINNING = re.compile(r"\$+\{")
_SOURCE, _HOLES = "sourceValue", "sourceExpressions"

_NAMES = {"artifactContents": ("name", "contents")}
"""Lists whose entries don't call themselves `key` and `value`."""

Evaluate = Callable[[JsonObject, JsonObject], tuple[JsonObject, bool]]
"""A map and the variables known so far: the map evaluated, and whether all of it could be."""


def evaluated(listed: Json, evaluate: Evaluate, *, of: str = "variables") -> Json:
    """The list with its values evaluated in order; what is no list of maps stays as it is. `of`: the list's own key."""
    if not isinstance(listed, list):
        return listed
    names = _NAMES.get(of)
    known: JsonObject = {}
    done: list[Json] = []
    for one in listed:
        if not isinstance(one, dict):
            done.append(one)
            continue
        variable, is_known = _one(one, known, evaluate) if names is None else _plain(one, known, evaluate, names[1])
        done.append(variable)
        key, value = names or ("key", "value")
        called = variable.get(key)
        if is_known and isinstance(called, str) and called:
            known[called] = variable.get(value)
    return done


def plain(listed: Json, *, of: str = "variables") -> Json:
    """The list as `evaluated` leaves it where nothing in it is to be evaluated."""
    return evaluated(listed, lambda variable, _: (variable, True), of=of)


def _plain(entry: JsonObject, known: JsonObject, evaluate: Evaluate, name: str) -> tuple[JsonObject, bool]:
    made, is_good = evaluate({name: entry[name]} if name in entry else {}, known)
    return ({**entry, **made}, True) if is_good else (entry, False)


def _one(variable: JsonObject, known: JsonObject, evaluate: Evaluate) -> tuple[JsonObject, bool]:
    variable = with_source(variable)
    own: JsonObject = {name: variable[name] for name in ("value", "description") if name in variable}
    made, is_good = evaluate(own, known)
    return ({**variable, **made}, True) if is_good else (variable, False)


def with_source(variable: JsonObject) -> JsonObject:
    """The variable with what was written kept beside its value."""
    value = variable.get("value")
    if variable.get(_SOURCE) is not None or not isinstance(value, str):
        return variable
    shown = _BEGINNING.sub("{", value)
    kept: JsonObject = {**variable, _SOURCE: shown}
    if shown.replace("{", "${") != value:
        kept[_HOLES] = list[Json](_holes(value))
    return kept


def restored(listed: Json) -> Json:
    """The list as it was written."""
    if not isinstance(listed, list):
        return listed
    return [_restored(one) if isinstance(one, dict) else one for one in listed]


def _restored(variable: JsonObject) -> JsonObject:
    source, holes = variable.get(_SOURCE), variable.get(_HOLES)
    if not isinstance(source, str):
        return variable
    plain: JsonObject = {key: value for key, value in variable.items() if key not in (_SOURCE, _HOLES)}
    if not isinstance(holes, list):
        return {**plain, "value": source.replace("{", "${")}
    dollars = Counter(place for place in holes if isinstance(place, int))
    return {**plain, "value": "".join("$" * dollars[place] + one for place, one in enumerate(source))}


def _holes(value: str) -> list[int]:
    """Where in the shown text the braces stand that had a `$` before them, as often as they had one."""
    found: list[int] = []
    for match in _BEGINNING.finditer(value):
        dollars = match.end() - match.start() - 1
        found += [match.start() - len(found)] * dollars
    return found
