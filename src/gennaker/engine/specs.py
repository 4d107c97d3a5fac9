"""Specs: reading a stage's JSON as its type's record, strictly, with all problems at once."""

from collections.abc import Callable, Mapping
from functools import cache

import msgspec

from gennaker.engine.contexts import has_expressions
from gennaker.interfaces.stages import StageSpec, StageType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Stage
from gennaker.model.problems import Problem

_NOWHERE = object()


def find(stage_types: Mapping[str, StageType], name: str) -> StageType | None:
    """The type of this name or alias, whether the mapping holds aliases as keys or not."""
    found = stage_types.get(name)
    if found is not None:
        return found
    return next((one for one in stage_types.values() if name in one.aliases), None)


def unknown_type(name: str, stage: str, known: Mapping[str, StageType]) -> Problem:
    """A stage of a type that no plugin offers."""
    return Problem(
        code="stage.unknown_type",
        message=f"Stage {stage} has the type {name!r}, which this installation doesn't know.",
        remedy=f"Use one of {', '.join(sorted(known))}, or install the plugin that offers it.",
    )


def read(
    stage_type: StageType, stage: Stage, look_up: Callable[[str], tuple[bool, Json]]
) -> StageSpec | tuple[Problem, ...]:
    """The stage's spec from its evaluated context, a missing field from what the stage sees of its ancestors."""
    values: JsonObject = {}
    for field in _fields(stage_type.spec):
        found, value = look_up(field.encode_name)
        if found:
            values[field.encode_name] = value
    try:
        return msgspec.convert(values, type=stage_type.spec, strict=False)
    except msgspec.ValidationError:  # it names only the first problem
        return check(stage_type, values, stage.name)


def check(stage_type: StageType, values: JsonObject, name: str, pointer: str = "") -> tuple[Problem, ...]:
    """Every field that is missing or of the wrong type."""
    problems: list[Problem] = []
    for field in _fields(stage_type.spec):
        value = values.get(field.encode_name, _NOWHERE)
        where = f"{pointer}/{escape(field.encode_name)}"
        if value is _NOWHERE:
            if field.required:
                problems.append(_missing(field.encode_name, name, where))
            continue
        try:
            msgspec.convert(value, type=field.type, strict=False)
        except msgspec.ValidationError as error:
            problems.append(_wrong(field.encode_name, name, where, error))
    if not problems:
        try:
            msgspec.convert(values, type=stage_type.spec, strict=False)
        except msgspec.ValidationError as error:  # a rule over several fields, in __post_init__
            problems.append(_wrong("", name, pointer, error))
    return tuple(problems)


def check_unevaluated(stage_type: StageType, config: JsonObject, name: str, pointer: str) -> tuple[Problem, ...]:
    """As `check`, before expressions are evaluated.

    A field that holds `${` can't be judged yet, and one that is missing may come from an ancestor's outputs.
    """
    problems: list[Problem] = []
    for field in _fields(stage_type.spec):
        value = config.get(field.encode_name, _NOWHERE)
        if value is _NOWHERE or has_expressions(value):  # type: ignore[arg-type]  # the sentinel is gone here
            continue
        try:
            msgspec.convert(value, type=field.type, strict=False)
        except msgspec.ValidationError as error:
            where = f"{pointer}/{escape(field.encode_name)}"
            problems.append(_wrong(field.encode_name, name, where, error))
    return tuple(problems)


@cache
def _fields(spec: type[StageSpec]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Of a spec's class: finding them out anew costs more than a stage's whole step."""
    return msgspec.structs.fields(spec)


def escape(part: str) -> str:
    """A key as part of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")


def _missing(field: str, name: str, pointer: str) -> Problem:
    return Problem(
        code="stage.field_missing",
        message=f"Stage {name} needs the field `{field}`.",
        remedy="Add it to the stage.",
        pointer=pointer,
    )


def _wrong(field: str, name: str, pointer: str, error: msgspec.ValidationError) -> Problem:
    said, _, path = str(error).partition(" - at `$")
    deeper = "".join(
        f"/{escape(part)}" for part in path.rstrip("`").replace("[", ".").replace("]", "").split(".") if part
    )
    what = f"Field `{field}` of stage {name}" if field else f"Stage {name}"
    return Problem(code="stage.field_wrong", message=f"{what} is wrong: {said}.", pointer=f"{pointer}{deeper}")
