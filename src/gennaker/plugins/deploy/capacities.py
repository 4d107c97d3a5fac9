"""Capacities: stages that remember a server group's size, hold its minimum where it is, and give it back.

`pinServerGroup` sets min to desired (or back, `unpinMinimumCapacity`), `captureSourceServerGroupCapacity` puts the size of `source`
out as `sourceServerGroupCapacitySnapshot`, `applySourceServerGroupCapacity` gives `target` the remembered minimum.
"""

from msgspec.structs import replace

from gennaker.interfaces.clouds import Capacity, ServerGroup
from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import clusters, regions, resizing, server_groups, targets
from gennaker.plugins.deploy.targets import Target, TargetSpec

_SNAPSHOT = "sourceServerGroupCapacitySnapshot"


class PinSpec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The JSON of Pin Server Group."""

    pin_minimum_capacity: bool = False
    unpin_minimum_capacity: bool = False
    source: JsonObject = {}  # noqa: RUF012 - msgspec copies it


class SourceSpec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The JSON of the stages about a source's capacity."""

    source: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    target: str | JsonObject = ""
    use_source_capacity: bool = False


async def pin(context: TaskContext) -> TaskResult:
    """Moves the minimum only: no instance comes or goes."""
    group = await targets.group(context, await targets.resolve(context))
    wanted = resizing.pinned(group.capacity, {**context.stage.context, "pinCapacity": False})
    await _resize(context, group, wanted)
    return Done(context={"resolvedServerGroup": group.name, "targetCapacity": clusters.capacity_json(wanted)})


async def capture(context: TaskContext) -> TaskResult:
    """What is asked for is remembered as it is now."""
    group = await _named(context, context.stage.context.get("source"), "source")
    size = clusters.capacity_json(group.capacity)
    return Done(context={"useSourceCapacity": False, "capacity": size}, outputs={_SNAPSHOT: size})


async def apply(context: TaskContext) -> TaskResult:
    """The minimum of the snapshot where that is less, as in Orca."""
    snapshot = context.lookup(_SNAPSHOT)
    if not isinstance(snapshot, dict) or not isinstance(snapshot.get("min"), int):
        raise Refused(_nothing_captured())
    group = await _named(context, context.stage.context.get("target"), "target")
    low = snapshot["min"]
    assert isinstance(low, int)
    wanted = replace(group.capacity, min=min(low, group.capacity.min))
    await _resize(context, group, wanted)
    return Done(context={"targetCapacity": clusters.capacity_json(wanted)})


async def _resize(context: TaskContext, group: ServerGroup, wanted: Capacity) -> None:
    if group.capacity != wanted:
        provider = server_groups.provider(context.services, group.cloud_provider)
        await provider.resize(group.place, group.name, wanted)


async def _named(context: StageContext, given: Json, key: str) -> ServerGroup:
    where = given if isinstance(given, dict) else {}
    name = str(where.get("serverGroupName") or where.get("asgName") or "")
    if not name:
        raise Refused(
            Problem(
                code="target.unnamed",
                message=f"`{key}` names no server group.",
                remedy=f"Give `{key}.serverGroupName` with `account` and `region`.",
                pointer=f"/{key}",
            )
        )
    location = targets.location_of(
        {**context.stage.context, **where},
        context.services,
        named=name,
        application=context.execution.head.application,
    )
    return await targets.group(context, Target(location=location, name=name))


def _nothing_captured() -> Problem:
    return Problem(
        code="capacity.not_captured",
        message="No stage before has remembered a server group's capacity.",
        remedy="Put a captureSourceServerGroupCapacity stage before this one.",
    )


_PIN = TaskType(name="resizeServerGroup", run=pin)
pinning = StageType(
    name="pinServerGroup",
    label="Pin Server Group",
    about=__doc__,
    spec=PinSpec,
    tasks=(_PIN,),
    plan=regions.each(_PIN),
    restart_clears=("resolvedServerGroup", "targetCapacity"),
)
capturing = StageType(
    name="captureSourceServerGroupCapacity",
    label="Capture Source Server Group Capacity",
    about=__doc__,
    spec=SourceSpec,
    tasks=(TaskType(name="snapshotSourceServerGroup", run=capture),),
)
applying = StageType(
    name="applySourceServerGroupCapacity",
    label="Apply Source Server Group Capacity",
    about=__doc__,
    spec=SourceSpec,
    tasks=(TaskType(name="restoreMinCapacity", run=apply),),
    restart_clears=("targetCapacity",),
)
