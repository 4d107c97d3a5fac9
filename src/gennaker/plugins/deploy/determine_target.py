"""Determine Target Server Group: names the server group that a dynamic target means, in each region."""

from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.deploy import clusters, targets
from gennaker.plugins.deploy.targets import TargetSpec


async def determine(context: TaskContext) -> TaskResult:
    """References, as later stages may read them by an expression."""
    own = context.stage.context
    references: list[Json] = [
        await _reference(context, {**own, "region": region}) for region in clusters.regions_of(own) or ("",)
    ]
    return Done(outputs={"targetReferences": references})


async def _reference(context: TaskContext, own: JsonObject) -> JsonObject:
    target = await targets.resolve(context, own)
    group = await targets.group(context, target)
    return {
        **clusters.place_json(target.location),
        "name": group.name,
        "serverGroupName": group.name,
        "cluster": group.moniker.cluster,
        "image": group.image,
        "version": group.version,
        "capacity": clusters.capacity_json(group.capacity),
        "disabled": group.is_disabled,
        "createdTime": milliseconds(group.created_at),
    }


stage = StageType(
    name="determineTargetServerGroup",
    label="Determine Target Server Group",
    about=__doc__,
    spec=TargetSpec,
    tasks=(TaskType(name="determineTargetServerGroup", run=determine),),
)
