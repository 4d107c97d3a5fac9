"""Specs: reading a stage's JSON as its type's record, and what all stages share, with all problems at once."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

import msgspec
from msgspec.structs import replace

from gennaker.engine.contexts import has_expressions
from gennaker.interfaces.stages import StageSpec, StageType
from gennaker.model import foreign, pointers, records
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Stage
from gennaker.model.problems import Problem
from gennaker.model.stage_keys import StageKeys

_COMMON = tuple(
    field.encode_name for field in msgspec.structs.fields(StageKeys) if field.encode_name != "restrictedExecutionWindow"
)
_IS_COMMON = frozenset(_COMMON)


def find(stage_types: Mapping[str, StageType], name: str) -> StageType | None:
    """The type of this name or alias, whether the mapping holds aliases as keys or not."""
    found = stage_types.get(name)
    if found is not None:
        return found
    return next((one for one in stage_types.values() if name in one.aliases), None)


def unknown_type(name: str, stage: str, known: Mapping[str, StageType]) -> Problem:
    """A stage of a type that no plugin offers."""
    names = {*known, *(alias for one in known.values() for alias in one.aliases)}
    alike = difflib.get_close_matches(name, sorted(names), cutoff=0.65)
    meant = f"Did you mean {' or '.join(alike)}? " if alike else ""
    return Problem(
        code="stage.unknown_type",
        message=f"Stage {stage} has the type {name!r}, which this installation doesn't know.",
        remedy=f"{meant}`GET /api/v1/stage-types` lists all that there are; install the plugin that offers it.",
    )


def not_offered(stage_type: StageType, stage: str) -> Problem:
    """A stage of a type that only Spinnaker has."""
    return Problem(
        code="stage.not_offered",
        message=f"Stage {stage} has the type {stage_type.name!r}, which Spinnaker has and Gennaker doesn't offer.",
        remedy=stage_type.instead,
    )


def read(
    stage_type: StageType, stage: Stage, look_up: Callable[[str], tuple[bool, Json]]
) -> StageSpec | tuple[Problem, ...]:
    """The stage's spec from its evaluated context.

    A field without which the type can't be may come from the outputs of an ancestor. The others are the stage's own, as in
    Orca: what a stage before puts out as `environment` isn't meant for a field of that name.
    """
    values: JsonObject = {}
    for field in _fields(stage_type.spec):
        if field.encode_name in stage.context:
            values[field.encode_name] = stage.context[field.encode_name]
        elif field.required:
            found, value = look_up(field.encode_name)
            if found:
                values[field.encode_name] = value
    outcome = records.quickly(values, stage_type.spec)
    if not isinstance(outcome, tuple):
        return outcome
    return tuple(_problem(one, stage.name) for one in outcome)


def texts(stage_type: StageType, stage: Stage) -> JsonObject:
    """The stage's own numbers and flags where its type wants text, as the text they are read as.

    Tasks look at the context, where `namespaceOverride: 5` must mean what the spec says.
    """
    context = stage.context
    return {
        key: foreign.written(context[key])
        for key in _texts(stage_type.spec)
        if key in context and isinstance(context[key], int | float)
    }


@cache
def _texts(spec: type[StageSpec]) -> tuple[str, ...]:
    return tuple(one.encode_name for one in _fields(spec) if one.type in (str, str | None))


def check_keys(stage: Stage) -> tuple[Problem, ...]:
    """What is wrong with the keys that every stage understands, in its evaluated context.

    But for its execution window: what is wrong with that ends the stage that waits for it.
    """
    if _IS_COMMON.isdisjoint(stage.context):
        return ()
    given: JsonObject = {key: stage.context[key] for key in _COMMON if key in stage.context}
    outcome = records.quickly(given, StageKeys)
    return tuple(_problem(one, stage.name) for one in outcome) if isinstance(outcome, tuple) else ()


def check_unevaluated(stage_type: StageType | None, config: JsonObject, name: str, pointer: str) -> tuple[Problem, ...]:
    """Everything in a stage's JSON that is of the wrong type whatever its expressions will give.

    A field that the type needs may come from an ancestor's outputs: that it is missing is found when the stage starts.
    """
    own = _fields(stage_type.spec) if stage_type else ()
    found = records.wrongs_unevaluated(config, stage_type.spec) if stage_type else ()
    of_type = {field.encode_name for field in own}
    common = [one for one in records.wrongs_unevaluated(config, StageKeys) if one.steps[0] not in of_type]
    told = [_problem(one, name, pointer) for one in (*found, *common) if not (one.is_missing and len(one.steps) == 1)]
    if stage_type is not None and stage_type.check is not None and not told:
        told += [replace(one, pointer=f"{pointer}{one.pointer}") for one in _checked(stage_type.check, config)]
    return tuple(told)


def _checked(check: Callable[[JsonObject], Iterable[Problem]], config: JsonObject) -> Iterator[Problem]:
    for problem in check(config):
        _, value = pointers.find(config, problem.pointer)
        if not has_expressions(value):
            yield problem


@cache
def _fields(spec: type[StageSpec]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Of a spec's class: finding them out anew costs more than a stage's whole step."""
    return msgspec.structs.fields(spec)


def _problem(wrong: records.Wrong, name: str, pointer: str = "") -> Problem:
    return wrong.problem("stage", of=f"stage {name}", pointer=pointer)
