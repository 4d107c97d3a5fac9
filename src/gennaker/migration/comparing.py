"""Comparing: one run of a Spinnaker's with its plan here: artifacts, parameters, stages, and the values of what authors wrote.

A plan doesn't know what stages would have put out. A value that depends on it is evaluated here over the other side's
execution, as it was when the stage began: the same inputs must give the same value.
"""

from collections.abc import Iterator

import msgspec

from gennaker.engine import differences as json_differences
from gennaker.expressions import root as roots
from gennaker.expressions import template
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import items, mapping, mappings, mappings_at, text_at
from gennaker.model.statuses import Status

_NOT_VALUES = frozenset(
    {"refId", "type", "name", "requisiteStageRefIds", "notifications", "sendNotifications", "comments"}
)
"""Compared by themselves, or of no effect on what a stage does."""
_OF_ARTIFACTS = ("type", "name", "version", "location", "reference")
_NOT_BEGUN = ("NOT_STARTED", "")


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One thing that isn't the same."""

    what: str
    """`artifacts`, `parameters`, `stage`, `value`, `start`, `definition`"""
    stage: str = ""
    """refId"""
    pointer: str = ""
    """In the stage's context."""
    spinnaker: Json = None
    gennaker: Json = None
    message: str


class Compared(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What came of comparing two runs."""

    differences: tuple[Difference, ...] = ()
    values: int = 0
    """Compared in all."""
    evaluated: int = 0
    """Of these, such as only the other side's execution could tell."""


def compared(theirs: JsonObject, ours: JsonObject, definition: JsonObject) -> Compared:
    """`definition` is the pipeline as it is stored here."""
    if (refused := _not_begun(theirs, ours)) is not None:
        return Compared(differences=(refused,))
    found = [*_artifacts(theirs, ours), *_parameters(theirs, ours), *_stages(theirs, ours)]
    written = {text_at(one, "refId"): one for one in mappings_at(definition, "stages")}
    own = _top_level(ours)
    values, evaluated = 0, 0
    for ref, stage in _top_level(theirs).items():
        if ref in own and ref in written and text_at(stage, "status") not in (*_NOT_BEGUN, Status.SKIPPED.value):
            for key, raw in written[ref].items():
                if key in _NOT_VALUES:
                    continue
                values += 1
                pair = (mapping(stage.get("context")).get(key), mapping(own[ref].get("context")).get(key))
                told = list(_values(ref, key, pair))
                if told and _holds_expression(raw):
                    evaluated += 1
                    told = list(_values(ref, key, (pair[0], _evaluated(raw, theirs, stage))))
                found += told
    return Compared(differences=tuple(found), values=values, evaluated=evaluated)


def definition_changed(name: str, theirs: JsonObject, ours: JsonObject) -> Difference | None:
    """Whether the pipeline is another there than here; both without stamps."""
    changed = [one.pointer for one in json_differences.between(ours, theirs)]
    if not changed:
        return None
    return Difference(
        what="definition",
        message=f"{name} was changed since the import, in Spinnaker or here (at {', '.join(changed[:5])}).",
    )


def _not_begun(theirs: JsonObject, ours: JsonObject) -> Difference | None:
    """A plan that has ended before its first stage: all else would only repeat that."""
    if _top_level(ours) or not _top_level(theirs):
        return None
    why = text_at(ours, "cancellationReason") or f"it has ended as {text_at(ours, 'status')}."
    return Difference(what="start", message=f"Gennaker wouldn't begin it: {why}")


def _artifacts(theirs: JsonObject, ours: JsonObject) -> Iterator[Difference]:
    there, here = _bound(theirs), _bound(ours)
    if there != here:
        yield Difference(what="artifacts", spinnaker=there, gennaker=here, message="Other artifacts were resolved.")


def _bound(execution: JsonObject) -> list[Json]:
    resolved = mappings_at(execution.get("trigger"), "resolvedExpectedArtifacts")
    bound = [mapping(one.get("boundArtifact")) for one in resolved]
    found: list[JsonObject] = [{key: one[key] for key in _OF_ARTIFACTS if one.get(key)} for one in bound]
    return [*sorted(found, key=lambda one: [str(one.get(key)) for key in _OF_ARTIFACTS])]


def _parameters(theirs: JsonObject, ours: JsonObject) -> Iterator[Difference]:
    there, here = (mapping(mapping(one.get("trigger")).get("parameters")) for one in (theirs, ours))
    for one in json_differences.between(there, here):
        yield Difference(
            what="parameters",
            pointer=one.pointer,
            spinnaker=one.before,
            gennaker=one.after,
            message="A parameter has another value.",
        )


def _stages(theirs: JsonObject, ours: JsonObject) -> Iterator[Difference]:
    there, here = _top_level(theirs), _top_level(ours)
    for ref in [*there, *(ref for ref in here if ref not in there)]:
        if ref not in here or ref not in there:
            side = "Spinnaker" if ref in there else "Gennaker"
            name = text_at(there.get(ref) or here.get(ref), "name")
            yield Difference(what="stage", stage=ref, message=f"The stage {name} is there in {side} only.")
            continue
        yield from _stage(ref, there[ref], here[ref])


def _stage(ref: str, there: JsonObject, here: JsonObject) -> Iterator[Difference]:
    name = text_at(there, "name")
    for key in ("type", "name"):
        if text_at(there, key) != text_at(here, key):
            said = f"The stage {name} has another {key}."
            yield Difference(what="stage", stage=ref, spinnaker=there.get(key), gennaker=here.get(key), message=said)
    if text_at(here, "status") == Status.TERMINAL.value and text_at(there, "status") != Status.TERMINAL.value:
        said = f"The stage {name} can't be planned here: {_error_of(here)}"
        yield Difference(what="stage", stage=ref, message=said)
    before, after = (sorted(map(str, items(one.get("requisiteStageRefIds")))) for one in (there, here))
    if before != after:
        said = f"The stage {name} waits for others."
        yield Difference(what="stage", stage=ref, spinnaker=[*before], gennaker=[*after], message=said)
    statuses = (text_at(there, "status"), text_at(here, "status"))
    is_skipped = [one == Status.SKIPPED.value for one in statuses]
    if is_skipped[0] != is_skipped[1] and not set(statuses) & set(_NOT_BEGUN):
        skipper = "Spinnaker" if is_skipped[0] else "Gennaker"
        yield Difference(
            what="stage",
            stage=ref,
            spinnaker=statuses[0],
            gennaker=statuses[1],
            message=f"Only {skipper} skips the stage {name}.",
        )


def _error_of(stage: JsonObject) -> str:
    """Why it has failed, in the form that Gate gives it."""
    details = mapping(mapping(mapping(stage.get("context")).get("exception")).get("details"))
    errors = [str(one) for one in items(details.get("errors"))]
    return errors[0] if errors else "it doesn't say why."


def _values(ref: str, key: str, pair: tuple[Json, Json]) -> Iterator[Difference]:
    for one in json_differences.between(pair[0], pair[1], f"/{key}"):
        if _is_same_number(one.before, one.after):
            continue
        said = f"The stage {ref} has another value at {one.pointer}."
        yield Difference(
            what="value", stage=ref, pointer=one.pointer, spinnaker=one.before, gennaker=one.after, message=said
        )


def _is_same_number(one: Json, other: Json) -> bool:
    """`1` and `1.0` are written by whoever writes them."""
    plain = not isinstance(one, bool) and not isinstance(other, bool)
    return plain and isinstance(one, int | float) and isinstance(other, int | float) and one == other


def _evaluated(raw: Json, theirs: JsonObject, stage: JsonObject) -> Json:
    began = stage.get("startTime")
    root = roots.at_stage(_with_texts(theirs), text_at(stage, "id"))
    return template.evaluate(raw, root, at_ms=began if isinstance(began, int) else 0).value


def _with_texts(execution: JsonObject) -> JsonObject:
    """With stages only whose names for each other are text: it came from outside."""
    stages: list[Json] = [
        {
            **one,
            "requisiteStageRefIds": [ref for ref in items(one.get("requisiteStageRefIds")) if isinstance(ref, str)],
            "parentStageId": text_at(one, "parentStageId") or None,
        }
        for one in mappings(execution.get("stages"))
        if text_at(one, "id") and text_at(one, "refId")
    ]
    return {**execution, "stages": stages}


def _holds_expression(value: Json) -> bool:
    if isinstance(value, dict):
        return any(_holds_expression(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return any(map(_holds_expression, value))
    return isinstance(value, str) and "${" in value


def _top_level(execution: JsonObject) -> dict[str, JsonObject]:
    """Stages that the pipeline's author wrote, by refId."""
    return {
        text_at(one, "refId"): one
        for one in mappings(execution.get("stages"))
        if not one.get("syntheticStageOwner") and not one.get("parentStageId")
    }
