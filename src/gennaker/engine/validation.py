"""Validation: everything that is wrong with a pipeline's definition, at once, each with its JSON pointer.

Used when a definition is saved (nothing is stored if there is a problem) and when a run is submitted. A field that
holds `${` isn't wrong before it is evaluated; a stage type that isn't known is a warning here and fails its stage when
that starts.
"""

from collections.abc import Mapping

import msgspec

from gennaker.engine import specs
from gennaker.engine.contexts import has_expressions
from gennaker.interfaces.stages import StageType
from gennaker.model import artifact_matching, names
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem

_FLAGS = ("limitConcurrent", "keepWaitingPipelines", "disabled")
_TEXTS = ("name", "description", "spelEvaluator")
_PLAIN_PROVIDERS = ("aws", "titus")


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    problems: tuple[Problem, ...] = ()
    """The definition can't be saved or run."""
    warnings: tuple[Problem, ...] = ()
    """It can, but this will go wrong unless something else changes."""


def validate(config: JsonObject, stage_types: Mapping[str, StageType]) -> Validated:
    """Looks at the whole definition."""
    found = _Found(stage_types)
    for key in _TEXTS:
        if config.get(key) is not None and not isinstance(config[key], str):
            found.wrong(f"/{key}", f"`{key}` must be text.")
    _names(config, found)
    for key in _FLAGS:
        if config.get(key) is not None and not isinstance(config[key], bool):
            found.wrong(f"/{key}", f"`{key}` must be true or false.")
    count = config.get("maxConcurrentExecutions")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        found.wrong("/maxConcurrentExecutions", "`maxConcurrentExecutions` must be a whole number, 0 or more.")
    _triggers(config, found)
    _parameters(config, found)
    _expected_artifacts(config, found)
    _notifications(config.get("notifications"), "/notifications", found)
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


def _triggers(config: JsonObject, found: _Found) -> None:
    for pointer, trigger in found.objects(config.get("triggers"), "/triggers", "triggers"):
        if not isinstance(trigger.get("type"), str) or not trigger["type"]:
            found.wrong(f"{pointer}/type", "A trigger needs a `type`, e.g. git, docker, cron, pipeline, webhook.")
        if trigger.get("enabled") is not None and not isinstance(trigger["enabled"], bool):
            found.wrong(f"{pointer}/enabled", "`enabled` must be true or false.")
        for key in ("expectedArtifactIds", "status"):
            if trigger.get(key) is not None and not isinstance(trigger[key], list):
                found.wrong(f"{pointer}/{key}", f"`{key}` must be a list.")


def _parameters(config: JsonObject, found: _Found) -> None:
    seen: set[str] = set()
    for pointer, declared in found.objects(config.get("parameterConfig"), "/parameterConfig", "parameters"):
        name = declared.get("name")
        if not isinstance(name, str) or not name:
            found.wrong(f"{pointer}/name", "A parameter needs a `name`.")
        elif name in seen:
            found.wrong(f"{pointer}/name", f"There are two parameters named {name!r}.")
        else:
            seen.add(name)
        found.objects(declared.get("options"), f"{pointer}/options", "options")


def _expected_artifacts(config: JsonObject, found: _Found) -> None:
    ids: set[str] = set()
    listed = found.objects(config.get("expectedArtifacts"), "/expectedArtifacts", "expected artifacts")
    for pointer, raw in listed:
        if has_expressions(raw):
            continue
        try:
            expected = artifact_matching.read_expected(raw)
        except msgspec.ValidationError as error:
            found.wrong(pointer, f"The expected artifact can't be read: {error}.")
            continue
        if expected.id and expected.id in ids:
            found.wrong(f"{pointer}/id", f"There are two expected artifacts with the id {expected.id!r}.")
        ids.add(expected.id)


def _notifications(value: Json, pointer: str, found: _Found) -> None:
    for where, notification in found.objects(value, pointer, "notifications"):
        if not isinstance(notification.get("type"), str) or not notification["type"]:
            found.wrong(f"{where}/type", "A notification needs a `type`, e.g. email, slack, console, webhook.")


def _stages(config: JsonObject, found: _Found) -> None:
    stages = found.objects(config.get("stages"), "/stages", "stages")
    if stages and all(stage.get("refId") is None for _, stage in stages):
        is_linear = True
    else:
        is_linear = False
        _graph(stages, found)
    for pointer, stage in stages:
        name = str(stage.get("name") or stage.get("type") or stage.get("refId") or pointer)
        if is_linear and stage.get("requisiteStageRefIds"):
            found.wrong(f"{pointer}/requisiteStageRefIds", f"Stage {name} requires others, but no stage has a refId.")
        _stage(stage, name, pointer, found)


def _stage(stage: JsonObject, name: str, pointer: str, found: _Found) -> None:
    kind = stage.get("type")
    if not isinstance(kind, str) or not kind:
        found.wrong(f"{pointer}/type", f"Stage {name} needs a `type`.")
        return
    if stage.get("name") is not None and not isinstance(stage["name"], str):
        found.wrong(f"{pointer}/name", "`name` must be text.")
    _notifications(stage.get("notifications"), f"{pointer}/notifications", found)
    stage_type = specs.find(found.stage_types, _type_name(stage, kind))
    if stage_type is None:
        problem = specs.unknown_type(_type_name(stage, kind), name, found.stage_types)
        found.warnings.append(msgspec.structs.replace(problem, pointer=f"{pointer}/type"))
        return
    found.problems += specs.check_unevaluated(stage_type, stage, name, pointer)


def _type_name(stage: JsonObject, kind: str) -> str:
    alias = stage.get("alias")
    if isinstance(alias, str) and alias:
        return alias
    provider = stage.get("providerType")
    is_suffixed = isinstance(provider, str) and provider and provider not in _PLAIN_PROVIDERS
    return f"{kind}_{provider}" if is_suffixed else kind


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
        requisites = _requisites(stage, pointer, set(pointers), found)
        requires |= {ref: refs for ref, refs in requisites.items() if pointers[ref] == pointer}
    for cycle in _cycles(requires):
        round_trip = " → ".join([*cycle, cycle[0]])
        found.wrong(
            f"{pointers[cycle[0]]}/requisiteStageRefIds",
            f"Stages require each other in a circle: {round_trip}.",
            code="pipeline.cycle",
            remedy="Take out one of these requisites.",
        )


def _requisites(stage: JsonObject, pointer: str, known: set[str], found: _Found) -> dict[str, list[str]]:
    """The requisites of one stage that exist, by its refId."""
    required = stage.get("requisiteStageRefIds")
    if required is None:
        return {}
    where = f"{pointer}/requisiteStageRefIds"
    if not isinstance(required, list):
        found.wrong(where, "`requisiteStageRefIds` must be a list of refIds.")
        return {}
    for place, one in enumerate(required):
        if str(one) not in known:
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
