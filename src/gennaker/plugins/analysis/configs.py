"""Configs: finds the canary config that a stage means, and refuses a broken one before anything is deployed."""

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from gennaker.canary import lint, windows
from gennaker.canary.findings import Severity
from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.metrics import MetricScope
from gennaker.interfaces.stages import StageContext
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.analysis import stage_settings

_KIND = "canary-config"
_SHOWN = 5


async def find(document: JsonObject, context: StageContext) -> JsonObject:
    """The config of a stage's `canaryConfig`: inline, by id, or by name. Raises Refused."""
    inline = document.get("canaryConfig")
    if isinstance(inline, dict):
        return inline
    definitions = context.services.definitions
    config_id, name = document.get("canaryConfigId"), document.get("canaryConfigName")
    if isinstance(config_id, str) and config_id:
        found = await definitions.get(_KIND, config_id)
        if found is None:
            raise Refused(_unknown(f"the id {config_id!r}", await definitions.list(_KIND), "canaryConfigId"))
        return found.body
    if isinstance(name, str) and name:
        return _by_name(name, context.execution.head.application, await definitions.list(_KIND)).body
    raise Refused(
        Problem(
            code="canary.no_config",
            message="The stage names no canary config.",
            remedy="Give `canaryConfigId` or `canaryConfigName`, or the config itself as `canaryConfig`.",
            pointer="/canaryConfig",
        )
    )


def broken(stage: JsonObject) -> Iterator[Problem]:
    """Times that can't be read, and what can't be judged by in a config that stands in the stage itself."""
    document = foreign.mapping(stage.get("canaryConfig"))
    for error in windows.unreadable(document):
        yield replace(error.problem, pointer=f"/canaryConfig{error.problem.pointer}")
    config = document.get("canaryConfig")
    if not isinstance(config, dict) or not config:
        return
    scopes = [stage_settings.scope_name(scope) for scope in foreign.mappings(document.get("scopes"))]
    are_known = scopes and not any("${" in name for name in scopes)
    queries = (foreign.text_at(metric.get("query"), "type") for metric in metrics(config))
    own = frozenset(filter(None, queries))  # whether there is such a source is found when the stage starts
    for finding in lint.lint(config, scope_names=scopes if are_known else None, query_types=own):
        if finding.severity is Severity.ERROR:
            yield replace(finding.problem, pointer=f"/canaryConfig/canaryConfig{finding.problem.pointer}")


async def check(config: JsonObject, *, scope_names: Collection[str], context: StageContext) -> None:
    """Refuses a config that can't be judged by, with everything that is wrong with it."""
    sources = context.services.metrics
    findings = lint.lint(config, scope_names=scope_names, query_types=frozenset(sources) or lint.QUERY_TYPES)
    problems = [finding.problem for finding in findings if finding.severity is Severity.ERROR]
    if not problems:
        problems = await _refused_queries(config, context)
    if not problems:
        return
    shown = " ".join(str(problem) for problem in problems[:_SHOWN])
    more = f" And {len(problems) - _SHOWN} more." if len(problems) > _SHOWN else ""
    name = config.get("name") or config.get("id") or "of the stage"
    raise Refused(
        Problem(
            code="canary.config_broken",
            message=f"The canary config {name} can't be used: {shown}{more}",
            remedy="Correct the config, then start again. Nothing was deployed.",
            details={"problems": [to_json(problem) for problem in problems]},
        )
    )


def metrics(config: JsonObject) -> list[JsonObject]:
    """The metrics of a config that was checked."""
    return foreign.mappings(config.get("metrics"))


def templates(config: JsonObject) -> dict[str, str]:
    """The config's named query templates."""
    found = config.get("templates")
    return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}


async def _refused_queries(config: JsonObject, context: StageContext) -> list[Problem]:
    """Asks each metric's source for an empty window, so that it says now what it would refuse later."""
    problems: list[Problem] = []
    nothing = MetricScope(scope="", start=context.at, end=context.at, step_seconds=1, templates=templates(config))
    for index, metric in enumerate(metrics(config)):
        query = metric.get("query")
        source = context.services.metrics.get(str(query.get("type"))) if isinstance(query, dict) else None
        if source is None or not isinstance(query, dict):
            continue
        try:
            await source.fetch(str(metric.get("name")), query, nothing)
        except Refused as refused:
            where = f"/metrics/{index}/query"
            problems += [replace(one, pointer=f"{where}{one.pointer}") for one in refused.problems]
    return problems


def _by_name(name: str, application: str, known: tuple[Definition, ...]) -> Definition:
    found = [one for one in known if one.body.get("name") == name and _belongs(one.body, application)]
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{len(found)} canary configs of {application} have the name {name!r}."
        raise Refused(
            Problem(
                code="canary.config_ambiguous",
                message=message,
                remedy=f"Use `canaryConfigId`: {', '.join(one.id for one in found)}.",
                pointer="/canaryConfig/canaryConfigName",
            )
        )
    raise Refused(_unknown(f"the name {name!r} in {application}", known, "canaryConfigName"))


def _belongs(body: JsonObject, application: str) -> bool:
    applications = body.get("applications")
    return not isinstance(applications, list) or not applications or application in applications


def _unknown(what: str, known: tuple[Definition, ...], key: str) -> Problem:
    names = ", ".join(one.id for one in known) or "none yet"
    return Problem(
        code="canary.config_unknown",
        message=f"There is no canary config with {what}.",
        remedy=f"Save it first, or use one of: {names}.",
        pointer=f"/canaryConfig/{key}",
    )
