"""Deploy Canary Server Groups: the baseline with the image that production runs, beside the canary with the new one.

First the image of the production cluster is looked up. Then both are deployed side by side, each with an equal, exact
part of the load balancer's traffic. What is about to be made is written down before, so that whatever becomes of the
execution the canary keeper removes it.
"""

from datetime import timedelta

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, Failed, PlannedStage, TaskResult
from gennaker.model.execution import Side
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.analysis import deployed, keeper, stage_settings
from gennaker.plugins.analysis.stage_keys import DeploymentsKeys
from gennaker.plugins.analysis.stage_settings import Deployments


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    deployments: DeploymentsKeys = DeploymentsKeys()


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """Looks up the image, then chooses it."""
    baseline = _deployments(context).baseline
    where: JsonObject = {
        "application": baseline.application,
        "account": baseline.account,
        "credentials": baseline.account,
        "cluster": baseline.cluster,
        "regions": [baseline.region],
        "selectionStrategy": "NEWEST",
        "onlyEnabled": True,
    }
    if baseline.cloud_provider:
        where["cloudProvider"] = baseline.cloud_provider
    find = PlannedStage(type="findImage", name="Find baseline image", context=where)
    return Plan(before=(find,), tasks=(_CHOOSE.planned(),))


async def choose(context: TaskContext) -> TaskResult:
    """Notes the baseline's image, and for the keeper what is going to be made."""
    deployments = _deployments(context)
    found = [
        detail
        for child in context.execution.children(context.stage.id, Side.BEFORE)
        if isinstance(details := child.outputs.get("deploymentDetails"), list)
        for detail in details
        if isinstance(detail, dict) and isinstance(detail.get("imageId"), str)
    ]
    if not found:
        return Failed(problem=_no_image(deployments))
    await keeper.register(context, deployments.clusters)
    return Done(context={"baselineImage": found[0]["imageId"], "baselineVersion": found[0].get("version")})


async def plan_after(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
    """Both deployments, side by side."""
    deployments = _deployments(context)
    own = context.stage.context
    image: JsonObject = {"image": own.get("baselineImage"), "version": own.get("baselineVersion") or ""}
    controls = [{**image, **one} for one in deployments.controls]
    return (
        _deploy("control", controls, context),
        _deploy("experiment", list(deployments.experiments), context),
    )


def _deploy(side: str, clusters: list[JsonObject], context: StageContext) -> PlannedStage:
    listed: list[Json] = list(clusters)
    told: JsonObject = {"clusters": listed, deployed.SIDE: side}
    artifacts = context.lookup("artifacts")
    if side == "experiment" and artifacts:
        told["artifacts"] = artifacts
    return PlannedStage(type="deploy", name=f"Deploy {side} server groups", context=told)


def _deployments(context: StageContext) -> Deployments:
    application = context.execution.head.application
    found = stage_settings.read_deployments(context.stage.context.get("deployments"), application=application)
    if found is None:
        message = f"Stage {context.stage.name} doesn't say what it deploys."
        remedy = "Give it `deployments`, or use the stage kayentaCanary, which has this one as a part."
        raise Refused(Problem(code="canary.settings", message=message, remedy=remedy, pointer="/deployments"))
    return found


def _no_image(deployments: Deployments) -> Problem:
    return Problem(
        code="canary.no_baseline",
        message=f"No image was found in the cluster {deployments.baseline.cluster} for the baseline.",
        remedy="Deploy to it first; with `deployments.skipWithoutBaseline` the stage lets a first version pass.",
    )


_CHOOSE = TaskType(name="chooseBaselineImage", run=choose, timeout=timedelta(minutes=5))
stage = StageType(
    name=deployed.DEPLOY_TYPE,
    label="Deploy Canary Server Groups",
    about=__doc__,
    spec=Spec,
    tasks=(_CHOOSE,),
    plan=plan,
    plan_after=plan_after,
    restart_clears=("baselineImage", "baselineVersion"),
)
