"""Canary Analysis: compares a canary of the new version with a baseline of the old one, by Kayenta's algorithm.

With `deployments` it deploys both, gives each an equal part of production's traffic, and removes them whatever comes
out. A score at or below `marginal` ends it at once, a last score below `pass` fails it; the problem says which metrics
differed and by how much.
"""

from collections.abc import Iterator
from datetime import timedelta

from gennaker.canary import coercion, escaping, verdict
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, Failed, PlannedStage, TaskResult
from gennaker.model.execution import Execution, Stage
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.plugins.analysis import configs, deployed, intervals, reports, stage_settings
from gennaker.plugins.analysis.stage_keys import AnalysisKeys, DeploymentsKeys
from gennaker.plugins.analysis.stage_settings import Deployments

_SKIPPED = "canarySkipped"


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    canary_config: AnalysisKeys
    deployments: DeploymentsKeys | None = None
    """What to deploy for the analysis; absent: the scopes name what runs already."""
    analysis_type: str = ""
    """For pages only."""


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """Checks everything that could fail later, then: deploy, judge the intervals, put the results together."""
    own = context.stage.context
    analysis = stage_settings.read_analysis(own.get("canaryConfig"), at=context.at)
    deployments = _deployments(context)
    if deployments is None:
        _check_scopes(analysis.scopes)
    config = await configs.find(analysis.document, context)
    await configs.check(config, scope_names=analysis.scope_names, context=context)
    if deployments is not None and deployments.skip_without_baseline and await _is_first(deployments, context):
        reason = f"Nothing runs in {deployments.baseline.cluster} yet, so there is nothing to compare with."
        return Plan(tasks=(_SKIP.planned(),), context={_SKIPPED: reason})
    judging = PlannedStage(
        type=intervals.TYPE,
        name="Run Canary Intervals",
        context={
            "canaryConfig": {key: value for key, value in analysis.document.items() if key != "canaryConfig"},
            "resolvedCanaryConfig": escaping.escaped(config),
            "judgementsContinuePipeline": own.get("continuePipeline") is True,
            # A low score mustn't end the stage before the results are put together.
            **intervals.GOES_ON,
        },
        requisites=(0,) if deployments is not None else (),
    )
    if deployments is None:
        return Plan(before=(judging,), tasks=(_AGGREGATE.planned(),))
    deploying = PlannedStage(
        type=deployed.DEPLOY_TYPE,
        name="Deploy Canary Server Groups",
        context={"deployments": own["deployments"]},
    )
    return Plan(before=(deploying, judging), tasks=(_AGGREGATE.planned(),))


async def aggregate(context: TaskContext) -> TaskResult:
    """Puts the judgements together and decides."""
    judging = next((one for one in context.execution.children(context.stage.id) if one.type == intervals.TYPE), None)
    judged = list(_judged(context.execution, judging))
    problem = next(_problems(context.execution, judging, len(judged)), None)
    document = context.stage.context.get("canaryConfig")
    assert isinstance(document, dict), "the stage was planned with it"
    thresholds = verdict.read_thresholds(document.get("scoreThresholds"))
    scores = [coercion.double(one.get("score")) for one in judged]
    outcome = verdict.aggregate(scores, thresholds)
    passed = outcome.passed and problem is None
    message = outcome.message if problem is None or judged else problem.message
    groups = deployed.pairs(context.execution, judging) if judging else []
    report = reports.whole(judged, passed=passed, message=message, thresholds=thresholds, deployed=_images(groups))
    score_list: list[Json] = [one.get("score") for one in judged]
    listed: list[Json] = list(groups)
    outputs: JsonObject = {
        "canaryReport": report,
        "canaryScores": score_list,
        "canaryScoreMessage": message,
        "deployedServerGroups": listed,
    }
    if passed:
        return Done(context={"canaryScores": score_list, "canaryScoreMessage": message}, outputs=outputs)
    if outcome.passed or not judged:
        failure = problem or Problem(code="canary.failed", message=outcome.message)
    else:
        failure = reports.low_score(message, judged[-1])
    return Failed(problem=failure, context={"canaryScores": score_list, "canaryScoreMessage": message}, outputs=outputs)


async def skip(context: TaskContext) -> TaskResult:
    """There is no baseline, and the stage lets a first version pass."""
    reason = str(context.stage.context.get(_SKIPPED))
    return Done(status=Status.SKIPPED, outputs={"canaryScoreMessage": reason, "canaryScores": []})


async def plan_cleanup(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
    """Baseline and canary go, whatever came out."""
    if context.stage.context.get(_SKIPPED):
        return ()
    try:
        deployments = _deployments(context)
    except Refused:  # then nothing was deployed either, and the stage has failed for just that
        return ()
    if deployments is None:
        return ()
    told: JsonObject = {
        "deployments": context.stage.context["deployments"],
        "delayBeforeCleanup": deployments.delay_before_cleanup.total_seconds(),
    }
    return (PlannedStage(type="cleanupCanaryClusters", name="Cleanup Canary Clusters", context=told),)


def _deployments(context: StageContext) -> Deployments | None:
    application = context.execution.head.application
    return stage_settings.read_deployments(context.stage.context.get("deployments"), application=application)


def _check_scopes(scopes: tuple[JsonObject, ...]) -> None:
    for index, scope in enumerate(scopes):
        for side in ("control", "experiment"):
            if not scope.get(f"{side}Scope"):
                raise Refused(intervals.nobody(side, index))


async def _is_first(deployments: Deployments, context: StageContext) -> bool:
    groups = await deployed.of_cluster(context.services, deployments.baseline)
    return all(group.is_disabled for group in groups)


def _judged(execution: Execution, judging: Stage | None) -> Iterator[JsonObject]:
    for one in _judgements(execution, judging):
        held = one.context.get("canaryInterval")
        if isinstance(held, dict):
            yield held


def _problems(execution: Execution, judging: Stage | None, judged: int) -> Iterator[Problem]:
    """What kept a judgement from giving a score."""
    for one in (*_judgements(execution, judging), *([judging] if judging else [])):
        found = one.context.get("problems")
        if isinstance(found, list) and found and not one.context.get("canaryInterval") and isinstance(found[-1], dict):
            said = found[-1]
            yield Problem(
                code=str(said.get("code")),
                message=f"{one.name} failed: {said.get('message')}",
                remedy=str(said.get("remedy") or ""),
                pointer=str(said.get("pointer") or ""),
            )
    if not judged:
        yield Problem(code="canary.nothing_judged", message="There were no successful canary judgements to aggregate")


def _judgements(execution: Execution, judging: Stage | None) -> list[Stage]:
    if judging is None:
        return []
    return [one for one in execution.children(judging.id) if one.type == "runCanary"]


def _images(groups: list[JsonObject]) -> JsonObject:
    if not groups:
        return {}
    first = groups[0]
    return {
        "baselineImage": first.get("controlImage"),
        "baselineVersion": first.get("controlVersion"),
        "canaryImage": first.get("experimentImage"),
        "canaryVersion": first.get("experimentVersion"),
    }


_AGGREGATE = TaskType(name="aggregateCanaryResults", run=aggregate, timeout=timedelta(minutes=5))
_SKIP = TaskType(name="skipCanary", run=skip)
stage = StageType(
    name="kayentaCanary",
    label="Canary Analysis",
    about=__doc__,
    spec=Spec,
    tasks=(_AGGREGATE, _SKIP),
    check=configs.broken,
    plan=plan,
    plan_after=plan_cleanup,
    plan_on_failure=plan_cleanup,
    plans_without_io=False,
    restart_clears=(
        "canaryScores",
        "canaryScoreMessage",
        "canaryReport",
        "deployedServerGroups",
        _SKIPPED,
    ),
)
