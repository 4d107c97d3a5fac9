"""Expanding: finding the template that a pipeline is made from, and expanding it.

Used when an execution is submitted and when someone plans, i.e. looks at what a configuration would run.
"""

from collections.abc import Mapping
from datetime import datetime

from gennaker.engine import templates
from gennaker.engine.contexts import has_expressions
from gennaker.engine.templates import Expanded
from gennaker.expressions import template as texts
from gennaker.expressions.root import plain
from gennaker.interfaces.definitions import Definitions
from gennaker.model import foreign, template_references
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.problems import Problem

_NAMED_AT_MOST = 20


async def expanded(
    config: JsonObject,
    trigger: JsonObject,
    definitions: Definitions,
    *,
    at: datetime,
    instead: Mapping[str, JsonObject] | None = None,
) -> Expanded:
    """The pipeline itself where it isn't made from a template. `instead` stands in for stored templates, by key."""
    if not templates.is_templated(config):
        return Expanded(config=config)
    reference = templates.reference(config)
    if isinstance(reference, Problem):
        return Expanded(config=config, problems=(reference,))
    seen: JsonObject = {"application": config.get("application"), "trigger": trigger}
    reference = _evaluated(reference, seen, at)
    key = template_references.key_of(reference)
    if not key:
        return Expanded(config=config, problems=(_unsupported(reference),))
    template = (instead or {}).get(key) or await find(key, definitions)
    if template is None:
        return Expanded(config=config, problems=(await _unknown(key, definitions),))
    return templates.expand(config, _with_defaults(template, config, seen, at))


def _with_defaults(template: JsonObject, config: JsonObject, seen: JsonObject, at: datetime) -> JsonObject:
    """The template with the expressions in its variables' defaults evaluated, as Orca does before it looks at their types.

    They see the application, the trigger, and by their names the other defaults and the configuration's values.
    """
    listed = template.get("variables")
    if not isinstance(listed, list):
        return template
    declared = foreign.mappings(listed)
    places = [
        place for place, one in enumerate(listed) if isinstance(one, dict) and has_expressions(one.get("defaultValue"))
    ]
    if not places:
        return template
    defaults: JsonObject = {str(one.get("name")): one["defaultValue"] for one in declared if "defaultValue" in one}
    root = plain({**seen, **defaults, **foreign.mapping(config.get("variables"))})
    # All in one pass: what they may cost is bounded together.
    given = [foreign.mapping(listed[place])["defaultValue"] for place in places]
    made = texts.evaluate(given, root, at_ms=milliseconds(at) or 0).value
    assert isinstance(made, list)
    variables = [*listed]
    for place, value in zip(places, made, strict=True):
        variables[place] = _with_default(foreign.mapping(listed[place]), value, is_started=bool(seen["trigger"]))
    return {**template, "variables": variables}


def _with_default(declared: JsonObject, value: Json, *, is_started: bool) -> JsonObject:
    # Of what type it will be isn't known before a trigger is there.
    is_open = has_expressions(value) and not is_started
    # A small one that an expression gives as a long isn't told from an int here.
    is_long = type(value) is int and str(declared.get("type")).lower() == "long"
    return {**declared, **({"type": "object"} if is_open or is_long else {}), "defaultValue": value}


async def plan(config: JsonObject, definitions: Definitions, *, at: datetime) -> Expanded:
    """The pipeline as a person wants to see it before it is saved: the values of variables put in where they are used."""
    found = await expanded(config, {}, definitions, at=at)
    if found.problems or not has_expressions(found.config):
        return found
    variables: Json = found.config.get("templateVariables")
    seen = plain({"templateVariables": variables, "trigger": {}})
    own: JsonObject = {key: value for key, value in found.config.items() if key != "templateVariables"}
    value = texts.evaluate(own, seen, allow_unknown_keys=False, at_ms=milliseconds(at) or 0).value
    shown: JsonObject = value if isinstance(value, dict) else own
    return Expanded(config={**shown, "templateVariables": variables} if "templateVariables" in found.config else shown)


async def find(key: str, definitions: Definitions) -> JsonObject | None:
    """The template stored under a key; under its latest tag where a bare id has none of its own."""
    found = await definitions.get(template_references.KIND, key)
    if found is None and key == template_references.undecorated(key):
        latest = template_references.tagged(key, template_references.LATEST)
        found = await definitions.get(template_references.KIND, latest)
    return found.body if found else None


def _evaluated(reference: str, seen: JsonObject, at: datetime) -> str:
    if "${" not in reference:
        return reference
    value = texts.evaluate(reference, plain(seen), at_ms=milliseconds(at) or 0).value
    return str(value)


def _unsupported(reference: str) -> Problem:
    return Problem(
        code="template.reference",
        message=f"{reference!r} is no reference to a stored pipeline template.",
        remedy="Use `spinnaker://<id>`, with `:<tag>` or `@sha256:<digest>` where wanted.",
        pointer="/template/reference",
    )


async def _unknown(key: str, definitions: Definitions) -> Problem:
    known = sorted(
        {template_references.undecorated(one.id) for one in await definitions.list(template_references.KIND)}
    )
    listed = ", ".join(known[:_NAMED_AT_MOST]) or "none"
    return Problem(
        code="template.unknown",
        message=f"There is no pipeline template {key!r}.",
        remedy=f"Templates are {listed}.",
        pointer="/template/reference",
    )
