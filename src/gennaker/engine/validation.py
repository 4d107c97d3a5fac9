"""Validation: everything that is wrong with a pipeline's definition, at once, each with its JSON pointer.

Used when a definition is saved (nothing is stored if there is a problem) and when a run is submitted. A field that
holds `${` isn't wrong before it is evaluated; a stage type that isn't known is a warning here and fails its stage when
that starts.
"""

from collections.abc import Container, Mapping
from functools import lru_cache

import msgspec

from gennaker.engine import specs
from gennaker.interfaces.stages import StageType
from gennaker.model import codec, cron_expressions, depth, foreign, names, records, trigger_keys
from gennaker.model.codec import Json, JsonObject
from gennaker.model.cron_expressions import InvalidExpression
from gennaker.model.pipeline_keys import PipelineKeys
from gennaker.model.problems import Problem
from gennaker.patterns import java
from gennaker.patterns.errors import PatternError

_PLAIN_PROVIDERS = ("aws", "titus")
_TAKES_NO_TEXT = (
    "failPipeline",
    "continuePipeline",
    "completeOtherBranchesThenFail",
    "failOnFailedExpressions",
    "stageTimeoutMs",
    "backoffPeriodMs",
)
"""Keys of which Orca takes no text: `"true"` isn't true there, `"5"` is no number."""

_KEPT = 128
_KEPT_BYTES = 64 * 1024
"""Definitions whose findings are remembered, and how large they may be as JSON."""


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    problems: tuple[Problem, ...] = ()
    """The definition can't be saved or run."""
    warnings: tuple[Problem, ...] = ()
    """It can, but this will go wrong unless something else changes."""


def validate(config: JsonObject, stage_types: Mapping[str, StageType]) -> Validated:
    """Looks at the whole definition. The same definition again costs hardly anything."""
    if depth.is_too_deep(config):
        return Validated(problems=(depth.problem("pipeline"),))
    encoded = codec.encode(config)
    if len(encoded) > _KEPT_BYTES:
        return _validated(config, stage_types)
    return _validated_before(encoded, _StageTypes(stage_types))


class _StageTypes:
    """An installation's stage types, told from another's by identity: they don't change while it runs."""

    def __init__(self, by_name: Mapping[str, StageType]) -> None:
        self.by_name = by_name

    def __hash__(self) -> int:
        return id(self.by_name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _StageTypes) and other.by_name is self.by_name


@lru_cache(maxsize=_KEPT)
def _validated_before(encoded: bytes, stage_types: _StageTypes) -> Validated:
    """A pipeline is validated when it is saved and each time when it is started, mostly unchanged."""
    config = codec.decode_json(encoded)
    assert isinstance(config, dict)
    return _validated(config, stage_types.by_name)


def _validated(config: JsonObject, stage_types: Mapping[str, StageType]) -> Validated:
    found = _Found(stage_types)
    found.problems += [one.problem("pipeline") for one in records.wrongs_unevaluated(config, PipelineKeys)]
    _names(config, found)
    _twice(config, "parameterConfig", "name", found)
    _twice(config, "expectedArtifacts", "id", found)
    _triggers(config, found)
    _stages(config, found)
    return Validated(problems=tuple(found.problems), warnings=tuple(found.warnings))


class _Found:
    """Problems and warnings as they are collected."""

    def __init__(self, stage_types: Mapping[str, StageType]) -> None:
        self.stage_types = stage_types
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def wrong(self, pointer: str, message: str, *, code: str = "pipeline.field_wrong", remedy: str = "") -> None:
        self.problems.append(Problem(code=code, message=message, remedy=remedy, pointer=pointer))

    def objects(self, value: Json, pointer: str, what: str) -> list[tuple[str, JsonObject]]:
        """The maps of a list with their pointers; what is no list or no map is wrong."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(pointer, f"`{pointer.rpartition('/')[2]}` must be a list of {what}.")
            return []
        listed: list[tuple[str, JsonObject]] = []
        for place, one in enumerate(value):
            if isinstance(one, dict):
                listed.append((f"{pointer}/{place}", one))
            else:
                self.wrong(f"{pointer}/{place}", f"Each of the {what} must be an object.")
        return listed


def _names(config: JsonObject, found: _Found) -> None:
    """Of the application and the id where they are given: which must be is the business of whoever stores it."""
    checks = {"application": names.application_problem, "id": names.pipeline_id_problem}
    for key, check in checks.items():
        value = config.get(key)
        problem = None if value in (None, "") else check(value)
        if problem is not None:
            found.problems.append(problem)


def _twice(config: JsonObject, listed: str, key: str, found: _Found) -> None:
    """Of things that are told apart by a key, each once."""
    seen: set[str] = set()
    for place, one in enumerate(foreign.items(config.get(listed))):
        name = foreign.text_at(one, key)
        if name and "${" not in name and name in seen:
            found.wrong(f"/{listed}/{place}/{key}", f"Another of `{listed}` has the {key} {name!r} too.")
        seen.add(name)


def _triggers(config: JsonObject, found: _Found) -> None:
    for pointer, trigger in found.objects(config.get("triggers"), "/triggers", "triggers"):
        kind = trigger.get("type")
        keys = trigger_keys.of_type(kind)
        wrongs = records.wrongs_unevaluated(trigger, keys)
        found.problems += [one.problem("trigger", of=f"the {_called(kind)}trigger", pointer=pointer) for one in wrongs]
        for key in trigger_keys.PATTERNS:
            pattern = trigger.get(key) if key in keys.__struct_fields__ else None
            if isinstance(pattern, str) and "${" not in pattern:
                _pattern(pattern, key, f"{pointer}/{key}", found)
        unserved = trigger_keys.never_fires(kind, f"{pointer}/type") if isinstance(kind, str) and kind else None
        if unserved is not None and "${" not in unserved.message:
            found.warnings.append(unserved)
        if kind == "cron":
            _cron(trigger, f"{pointer}/cronExpression", found)


def _called(kind: Json) -> str:
    return f"{kind} " if isinstance(kind, str) and kind else ""


def _pattern(pattern: str, key: str, pointer: str, found: _Found) -> None:
    """A broken `branch` breaks the handling of all git events in Spinnaker; a broken `tag` matches nothing there."""
    try:
        java.compiled(pattern.strip() if key == "tag" else pattern)
    except PatternError as error:
        problem = Problem(
            code="trigger.pattern",
            message=f"`{key}` is no regular expression that can be used. {error}",
            remedy="Correct it. Outside of it, all of the text must match: `release-.*`.",
            pointer=pointer,
        )
        is_refused = key == "branch" and not error.is_limit
        (found.problems if is_refused else found.warnings).append(problem)


def _cron(trigger: JsonObject, pointer: str, found: _Found) -> None:
    """All that is wrong with when it fires."""
    expression = trigger.get("cronExpression", "")
    if not isinstance(expression, str) or "${" in expression:
        return
    try:
        cron_expressions.read(cron_expressions.fuzzed(expression, ""))
    except InvalidExpression as error:
        for sentence in error.sentences:
            found.wrong(
                pointer,
                f"`cronExpression` can't be read: {sentence}",
                code="trigger.cron",
                remedy="Write it as Quartz does, seconds first: `0 30 9 ? * MON-FRI`.",
            )


def _stages(config: JsonObject, found: _Found) -> None:
    stages = found.objects(config.get("stages"), "/stages", "stages")
    if stages and all(stage.get("refId") is None for _, stage in stages):
        is_linear = True
    else:
        is_linear = False
        _graph(stages, found)
    for pointer, stage in stages:
        name = str(stage.get("name") or stage.get("type") or stage.get("refId") or pointer)
        if is_linear and foreign.items(stage.get("requisiteStageRefIds")):
            found.wrong(f"{pointer}/requisiteStageRefIds", f"Stage {name} requires others, but no stage has a refId.")
        _stage(stage, name, pointer, found)


def _stage(stage: JsonObject, name: str, pointer: str, found: _Found) -> None:
    kind = stage.get("type")
    if not isinstance(kind, str) or not kind:
        found.wrong(f"{pointer}/type", f"Stage {name} needs a `type`.")
        kind = ""
    stage_type = specs.find(found.stage_types, _type_name(stage, kind))
    warning = None
    if stage_type is None and kind:
        warning = specs.unknown_type(_type_name(stage, kind), name, found.stage_types)
    elif stage_type is not None and stage_type.instead:
        warning = specs.not_offered(stage_type, name)
    if warning is not None:
        found.warnings.append(msgspec.structs.replace(warning, pointer=f"{pointer}/type"))
    if stage_type is not None and stage_type.warn is not None:
        told = stage_type.warn(stage)
        found.warnings += [msgspec.structs.replace(one, pointer=f"{pointer}{one.pointer}") for one in told]
    found.problems += specs.check_unevaluated(stage_type, stage, name, pointer)
    found.warnings += [_ignored(key, stage[key], pointer) for key in _TAKES_NO_TEXT if _is_text(stage.get(key))]


def _type_name(stage: JsonObject, kind: str) -> str:
    alias = stage.get("alias")
    if isinstance(alias, str) and alias:
        return alias
    provider = stage.get("providerType")
    is_suffixed = isinstance(provider, str) and provider and provider not in _PLAIN_PROVIDERS
    return f"{kind}_{provider}" if is_suffixed else kind


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and "${" not in value and value.strip().lower() not in ("", "false")


def _ignored(key: str, value: Json, pointer: str) -> Problem:
    counts = "as false" if foreign.flag(value) else "for nothing"
    return Problem(
        code="stage.text_ignored",
        message=f"`{key}` is {foreign.described(value)}, which counts {counts}, as in Spinnaker.",
        remedy="Write it without quotes.",
        pointer=f"{pointer}/{key}",
    )


def _graph(stages: list[tuple[str, JsonObject]], found: _Found) -> None:
    """RefIds and requisites: each refId once, each requisite there, no cycle."""
    pointers: dict[str, str] = {}
    requires: dict[str, list[str]] = {}
    for pointer, stage in stages:
        ref = stage.get("refId")
        if isinstance(ref, int) and not isinstance(ref, bool):
            ref = str(ref)
        if not isinstance(ref, str) or not ref:
            found.wrong(f"{pointer}/refId", "A stage needs a `refId`, as others of this pipeline have one.")
        elif ref in pointers:
            found.wrong(
                f"{pointer}/refId",
                f"There are two stages with the refId {ref!r}.",
                code="stage.duplicate_ref_id",
            )
        elif "<" in ref or ">" in ref:
            found.wrong(f"{pointer}/refId", f"The refId {ref!r} holds `<` or `>`, which mark stages that others add.")
        else:
            pointers[ref] = pointer
            requires[ref] = []
    for pointer, stage in stages:
        requisites = _requisites(stage, pointer, pointers, found)
        requires |= {ref: refs for ref, refs in requisites.items() if pointers[ref] == pointer}
    for cycle in _cycles(requires):
        round_trip = " → ".join([*cycle, cycle[0]])
        found.wrong(
            f"{pointers[cycle[0]]}/requisiteStageRefIds",
            f"Stages require each other in a circle: {round_trip}.",
            code="pipeline.cycle",
            remedy="Take out one of these requisites.",
        )


def _requisites(stage: JsonObject, pointer: str, known: Container[str], found: _Found) -> dict[str, list[str]]:
    """The requisites of one stage that exist, by its refId."""
    where = f"{pointer}/requisiteStageRefIds"
    required = foreign.items(stage.get("requisiteStageRefIds"))  # what isn't a list, or no refId, is said elsewhere
    for place, one in enumerate(required):
        if isinstance(one, str | int | float) and str(one) not in known and "${" not in str(one):
            found.wrong(
                f"{where}/{place}",
                f"Stage {stage.get('name') or stage.get('refId')} requires {one!r}, which is no stage's refId.",
                code="stage.missing_requisite",
            )
    ref = str(stage.get("refId"))
    return {ref: [str(one) for one in required if str(one) in known]} if ref in known else {}


def _cycles(requires: dict[str, list[str]]) -> list[list[str]]:
    """Circles of requisites, each once; of circles that share a stage at least one."""
    state: dict[str, int] = {}  # 1: on the path, 2: done
    cycles: list[list[str]] = []
    for start, first in requires.items():
        if start in state:
            continue
        path = [start]
        state[start] = 1
        choices = [iter(first)]
        while path:
            following = next(choices[-1], None)
            if following is None:
                state[path.pop()] = 2
                choices.pop()
            elif state.get(following) == 1:
                cycles.append(path[path.index(following) :])
            elif following not in state:
                state[following] = 1
                path.append(following)
                choices.append(iter(requires[following]))
    return cycles
