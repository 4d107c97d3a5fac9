"""Templates: a pipeline that is made from a pipeline template (schema v2), expanded to one that can run.

Orca's rules: the template's pipeline, with the configuration's name and application, its triggers, parameters and
notifications beside those that it inherits (unless `exclude` names them), its stages combined with the template's, and the
values of the template's variables as `templateVariables`, where expressions find them. Pure: `expanding` finds the template.
"""

import msgspec

from gennaker.engine import template_stages, template_variables
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem

SCHEMA = "v2"
TYPE = "templatedPipeline"
_SOURCE: JsonObject = {"type": TYPE, "version": SCHEMA}
_OF_THE_CONFIGURATION = frozenset({"schema", "type", "template", "variables", "exclude", "stages", "parameters"})
"""Keys that say how the template is used: they are gone when it has been."""
_COLLECTIONS = (
    ("notifications", ("notifications",)),
    ("parameterConfig", ("parameters", "parameterConfig")),
    ("triggers", ("triggers",)),
)
"""What is inherited: its key in a pipeline, and its keys in a configuration; the first of these is what `exclude` says."""
_OF_THE_TEMPLATE = ("limitConcurrent", "maxConcurrentExecutions", "keepWaitingPipelines", "spelEvaluator")
"""Keys that the template decides where it has them."""


class Expanded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of expanding."""

    config: JsonObject
    """The pipeline; where there are problems, the configuration as it was given."""
    problems: tuple[Problem, ...] = ()


def is_templated(config: JsonObject) -> bool:
    """The definition is a use of a template, not a pipeline with stages of its own."""
    return config.get("type") == TYPE or isinstance(config.get("template"), dict)


def reference(config: JsonObject) -> str | Problem:
    """The reference to the template, expressions and all, or what is wrong with it."""
    if config.get("schema") != SCHEMA:
        return Problem(
            code="template.schema",
            message=f"The pipeline uses a template of the schema {config.get('schema')!r}; only {SCHEMA!r} is supported.",
            remedy="Convert the template to schema v2.",
            pointer="/schema",
        )
    used = config.get("template")
    found = used.get("reference") if isinstance(used, dict) else None
    if isinstance(found, str) and found:
        return found
    return Problem(
        code="template.no_reference",
        message="The pipeline says that it uses a template, but not which.",
        remedy='Add `"template": {"reference": "spinnaker://<id>"}`.',
        pointer="/template/reference",
    )


def check(template: JsonObject) -> tuple[Problem, ...]:
    """Everything that is wrong with a template itself."""
    problems: list[Problem] = []
    if template.get("schema") != SCHEMA:
        problems.append(_wrong("/schema", f"A pipeline template has the schema {SCHEMA!r}."))
    if not isinstance(template.get("id"), str) or not template["id"]:
        problems.append(_wrong("/id", "A pipeline template has an id."))
    pipeline = template.get("pipeline")
    if not isinstance(pipeline, dict):
        problems.append(_wrong("/pipeline", "A pipeline template has a `pipeline`."))
    elif is_templated(pipeline):
        problems.append(_nested())
    declared = template.get("variables")
    if declared is not None and not isinstance(declared, list):
        problems.append(_wrong("/variables", "`variables` is a list."))
    names: list[Json] = []
    for place, one in enumerate(declared if isinstance(declared, list) else []):
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or not name:
            problems.append(_wrong(f"/variables/{place}", "Each variable has a name."))
        elif name in names:
            problems.append(_wrong(f"/variables/{place}", f"The variable {name!r} is declared twice."))
        names.append(name)
    return tuple(problems)


def expand(config: JsonObject, template: JsonObject) -> Expanded:
    """The pipeline that this use of the template means."""
    problems = check(template)
    if problems:
        return Expanded(config=config, problems=problems)
    own_stages = foreign.mappings(config.get("stages"))
    if foreign.flag(template.get("protect")) and own_stages:
        return Expanded(config=config, problems=(_protected(template),))
    values, problems = template_variables.assigned(
        foreign.mappings(template.get("variables")), foreign.mapping(config.get("variables"))
    )
    pipeline = template["pipeline"]
    assert isinstance(pipeline, dict)
    stages: list[Json] = []
    try:
        stages += template_stages.combined(foreign.mappings(pipeline.get("stages")), own_stages)
    except template_stages.Misplaced as misplaced:
        problems = (*problems, misplaced.problem)
    if problems:
        return Expanded(config=config, problems=problems)
    return Expanded(config=_merged(config, pipeline, stages=stages, values=values))


def _merged(config: JsonObject, pipeline: JsonObject, *, stages: list[Json], values: JsonObject) -> JsonObject:
    excluded = config.get("exclude")
    excludes = excluded if isinstance(excluded, list) else []
    merged: JsonObject = {key: value for key, value in pipeline.items() if key not in _OF_THE_CONFIGURATION}
    for key, value in config.items():
        if key not in _OF_THE_CONFIGURATION and not (key in _OF_THE_TEMPLATE and key in pipeline):
            merged[key] = value
    merged["name"] = config.get("name") or "Unnamed Execution"
    merged["application"] = config.get("application")
    for key, names in _COLLECTIONS:
        own: list[Json] = [one for name in names for one in foreign.mappings(config.get(name))]
        inherited: list[Json] = [_inherited(one) for one in foreign.mappings(pipeline.get(key))]
        merged[key] = own if names[0] in excludes else _distinct([*inherited, *own])
    expected = _distinct(
        [*foreign.mappings(pipeline.get("expectedArtifacts")), *foreign.mappings(config.get("expectedArtifacts"))]
    )
    if expected:
        merged["expectedArtifacts"] = expected
    return {**merged, "stages": stages, "templateVariables": values, "source": dict(_SOURCE)}


def _inherited(one: JsonObject) -> JsonObject:
    """Without `runAsUser`: as whom something runs is said, and answered for, by who saves the pipeline, not by a template."""
    return {**{key: value for key, value in one.items() if key != "runAsUser"}, "inherited": True}


def _distinct(listed: list[Json]) -> list[Json]:
    found: list[Json] = []
    found += [one for place, one in enumerate(listed) if one not in listed[:place]]
    return found


def _wrong(pointer: str, message: str) -> Problem:
    return Problem(code="template.field_wrong", message=message, pointer=pointer)


def _nested() -> Problem:
    return Problem(
        code="template.nested",
        message="The template's pipeline uses a template in turn (itself, perhaps): templates of schema v2 inherit nothing.",
        remedy="Write the stages into the template.",
        pointer="/pipeline/template",
    )


def _protected(template: JsonObject) -> Problem:
    return Problem(
        code="template.protected",
        message=f"The template {template.get('id')!r} is protected: a pipeline made from it can't have stages of its own.",
        remedy="Remove the pipeline's `stages`, or use a template that isn't protected.",
        pointer="/stages",
    )
