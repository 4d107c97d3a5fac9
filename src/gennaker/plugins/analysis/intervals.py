"""Run Canary Intervals: waits and judgements one after the other, planned when the analysis begins."""

from collections.abc import Iterator

from gennaker.canary import escaping, windows
from gennaker.canary.windows import Interval
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import PlannedStage
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.analysis import configs, deployed, reports, stage_settings
from gennaker.plugins.analysis.stage_keys import AnalysisKeys
from gennaker.plugins.analysis.stage_settings import Analysis

TYPE = "runCanaryIntervals"
GOES_ON: JsonObject = {
    "continuePipeline": True,
    "failPipeline": False,
    "allowSiblingStagesToContinueOnFailure": True,
}
"""In a synthetic stage's context: its failure ends neither its parent nor its siblings."""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    canary_config: AnalysisKeys = AnalysisKeys()


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """Waits for the warm-up, then for each interval, and judges after each. The windows begin now."""
    own = context.stage.context
    analysis = stage_settings.read_analysis(own.get("canaryConfig"), at=context.at)
    config = own.get("resolvedCanaryConfig")
    if not isinstance(config, dict):
        config = await _resolved(analysis, context)
    pairs = deployed.pairs(context.execution, context.stage)
    told: JsonObject = {
        "canaryConfigId": analysis.document.get("canaryConfigId"),
        "resolvedCanaryConfig": config,
        "scoreThresholds": reports.thresholds_json(analysis.thresholds),
        "isLive": analysis.times.end is None,
        **(GOES_ON if own.get("judgementsContinuePipeline") is True else {}),
    }
    planned = windows.plan(analysis.times, now=context.at)
    stages = [_wait("Warmup Wait", planned.warm_up.total_seconds())] if planned.warm_up else []
    for interval in planned.intervals:
        stages += _of_interval(interval, analysis, pairs[:1], told)
    linear = (
        PlannedStage(type=one.type, name=one.name, context=one.context, requisites=(place - 1,) if place else ())
        for place, one in enumerate(stages)
    )
    found: list[Json] = list(pairs)
    return Plan(before=tuple(linear), context={"deployedServerGroups": found})


async def _resolved(analysis: Analysis, context: StageContext) -> JsonObject:
    """Where the stage stands by itself in a pipeline."""
    config = await configs.find(analysis.document, context)
    await configs.check(config, scope_names=analysis.scope_names, context=context)
    return escaping.escaped(config)


def _of_interval(
    interval: Interval, analysis: Analysis, deployed_pair: list[JsonObject], told: JsonObject
) -> Iterator[PlannedStage]:
    if interval.wait:
        yield _wait(f"Interval Wait #{interval.number}", interval.wait.total_seconds())
    scopes: JsonObject = {
        stage_settings.scope_name(scope): _scopes(scope, index, interval, deployed_pair)
        for index, scope in enumerate(analysis.scopes)
    }
    context: JsonObject = {**told, "scopes": scopes, "interval": interval.number}
    yield PlannedStage(type="runCanary", name=f"Run Canary #{interval.number}", context=context)


def _scopes(scope: JsonObject, index: int, interval: Interval, deployed_pair: list[JsonObject]) -> JsonObject:
    both: JsonObject = {}
    for side, start, end in (
        ("control", interval.control_start, interval.control_end),
        ("experiment", interval.start, interval.end),
    ):
        source = deployed_pair[0] if deployed_pair else scope
        given = scope.get("extendedScopeParams")
        extended: JsonObject = dict(given) if isinstance(given, dict) else {}
        if deployed_pair:
            extended = {"type": "asg", "dataset": "regional", **extended}
        name = source.get(f"{side}Scope")
        if not isinstance(name, str) or not name:
            raise Refused(nobody(side, index))
        both[f"{side}Scope"] = {
            "scope": name,
            "location": source.get(f"{side}Location") or "",
            "start": start.isoformat(),
            "end": end.isoformat(),
            "step": stage_settings.step_seconds(scope, index),
            "extendedScopeParams": extended,
        }
    return both


def nobody(side: str, index: int) -> Problem:
    """A scope that names no server group for one of the sides."""
    return Problem(
        code="canary.no_scope",
        message=f"The scope doesn't say whose metrics are the {side}'s.",
        remedy=f"Give `{side}Scope`, the name of a server group, or let the stage deploy both by `deployments`.",
        pointer=f"/canaryConfig/scopes/{index}/{side}Scope",
    )


def _wait(name: str, seconds: float) -> PlannedStage:
    return PlannedStage(type="wait", name=name, context={"waitTime": seconds})


stage = StageType(
    name=TYPE,
    label="Run Canary Intervals",
    about=__doc__,
    spec=Spec,
    check=configs.broken,
    plan=plan,
    plans_without_io=False,
)
