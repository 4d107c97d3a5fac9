"""Regions: a stage that names several is one child for each, one after another (Orca's target stages)."""

from collections.abc import Awaitable, Callable

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, TaskType
from gennaker.model.event import PlannedStage
from gennaker.plugins.deploy import clusters

PARENT_S = (
    *clusters.REGION_LISTS,
    *("notifications", "sendNotifications", "comments", "stageEnabled", "stageTimeoutMs", "expectedArtifacts"),
    *("failPipeline", "continuePipeline", "completeOtherBranchesThenFail"),
)
"""Keys that count for the stage as a whole."""


def each(*tasks: TaskType) -> Callable[[StageSpec, StageContext], Awaitable[Plan]]:
    """Planning for a stage of these tasks: in the one region, or a child with them in each."""

    async def plan(_: StageSpec, context: StageContext) -> Plan:
        stage = context.stage
        named = clusters.regions_of(stage.context)
        if len(named) < 2:
            return Plan(tasks=tuple(task.planned() for task in tasks))
        own = {key: value for key, value in stage.context.items() if key not in PARENT_S}
        return Plan(
            before=tuple(
                PlannedStage(
                    type=stage.type,
                    name=f"{stage.name} in {region}",
                    context={**own, "region": region},
                    requisites=(place - 1,) if place else (),
                )
                for place, region in enumerate(named)
            )
        )

    return plan
