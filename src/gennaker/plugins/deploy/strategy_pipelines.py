"""Strategy pipelines: what a `deploy` stage deploys in a pipeline that is another deploy's strategy `custom`.

Orca's rule: the cluster of the deploy that has started the pipeline, whatever the stage itself says, with the strategy none.
Everything else is the pipeline's own business.
"""

from gennaker.interfaces.stages import StageContext
from gennaker.model import ancestry, foreign
from gennaker.model.codec import JsonObject
from gennaker.model.permissions import Need, Right
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused

_OWN = ("stageEnabled", "strategyApplication", "strategyPipeline", "pipelineParameters")
"""Of the other deploy alone."""


async def cluster(context: StageContext) -> JsonObject | None:
    """The other deploy's cluster; None: the pipeline is no strategy. Raises Refused."""
    trigger = context.execution.head.trigger
    if trigger.get("type") != "pipeline" or trigger.get("strategy") is not True:
        return None
    parameters = foreign.mapping(trigger.get("parameters"))
    parent_id = foreign.text_at(foreign.mapping(trigger.get(ancestry.KEY)), "id")
    parent = await context.services.executions.get(parent_id) if parent_id else None
    stage = parent.stages.get(foreign.text_at(parameters, "parentStageId")) if parent else None
    if parent is None or stage is None:
        raise Refused(_nobody(parent_id))
    await _check(context, parent.head.application)
    if foreign.text_at(context.stage.context, "trafficOptions") == "disable":
        raise Refused(_NO_TRAFFIC)
    found: JsonObject = {key: value for key, value in stage.context.items() if key not in _OWN}
    if not found.get("image") and parameters.get("imageId"):
        found["image"] = parameters["imageId"]
    return {**found, "strategy": "none", "isClone": foreign.flag(parameters.get("clone"))}


async def _check(context: StageContext, application: str) -> None:
    """What the other execution says is read like anything else of it."""
    if application.lower() == context.execution.head.application.lower():
        return
    acting = Principal(name=context.sight.user, roles=context.sight.roles, via="stage")
    refused = await context.services.authoriser.refusal(acting, Need(right=Right.READ, application=application))
    if refused is not None:
        raise Refused(refused)


def _nobody(parent_id: str) -> Problem:
    return Problem(
        code="deploy.strategy_parent",
        message=f"The deploy whose strategy this pipeline is can't be found in the execution {parent_id!r}.",
        remedy="Start the pipeline by a deploy with the strategy `custom`.",
    )


_NO_TRAFFIC = Problem(
    code="deploy.traffic_options",
    message="A strategy's deploy can't leave its server group without traffic (`trafficOptions` is `disable`).",
    remedy="Take the option off; to try the new version before users see it give the cluster `verify`.",
    pointer="/trafficOptions",
)
