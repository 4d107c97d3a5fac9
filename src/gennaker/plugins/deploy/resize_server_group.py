"""Resize Server Group: another number of instances.

Instances that are to go are first left out of traffic and drained; nobody's request is cut. Instances that come must be
up before the stage ends.
"""

from datetime import timedelta

import msgspec

from gennaker.interfaces.clouds import Capacity, ServerGroup
from gennaker.interfaces.clusters import CapacitySpec
from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, Done, TaskResult
from gennaker.model.lengths import Duration
from gennaker.model.wording import counted
from gennaker.plugins.deploy import (
    clusters,
    draining,
    guards,
    regions,
    resizing,
    rollouts,
    server_groups,
    taking_out,
    targets,
    traffic_shares,
    upcoming,
)
from gennaker.plugins.deploy.targets import TargetSpec

_LOOKS_AGAIN = timedelta(milliseconds=500)


class Spec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    action: str = "scale_exact"
    """`scale_exact`, `scale_up`, `scale_down`, `scale_to_cluster` or `scale_to_server_group`"""
    capacity: CapacitySpec = CapacitySpec()
    scale_pct: float | None = None
    scale_num: float | None = None
    source: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    """The server group to which `scale_to_server_group` looks; absent: the cluster's newest."""
    pin_capacity: bool = False
    pin_minimum_capacity: bool = False
    unpin_minimum_capacity: bool = False
    target_healthy_deploy_percentage: float = 100
    up_timeout: Duration = "PT10M"


async def determine(context: TaskContext) -> TaskResult:
    """What is resized, and to what."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    like = await _like(context, group)
    aimed = resizing.target(group.capacity, context.stage.context, like=like)
    if not aimed.desired:
        await guards.check(context, (group,))
    wanted = clusters.capacity_json(aimed)
    chosen = taking_out.chosen(target.location, (group.name,))
    return Done(context={**chosen, "resolvedServerGroup": group.name, "targetCapacity": wanted})


async def _like(context: TaskContext, group: ServerGroup) -> Capacity | None:
    """What the action looks to beside the server group itself."""
    action = resizing.action_of(context.stage.context)
    if action == resizing.TO_CLUSTER:
        location = (await targets.resolve(context)).location
        groups = await server_groups.of_cluster(context.services, location, server_groups.cluster_of(group))
        return resizing.largest(one.capacity for one in groups)
    if action == resizing.TO_SERVER_GROUP:
        return (await targets.source(context, group)).capacity
    return None


async def withdraw(context: TaskContext) -> TaskResult:
    """Leaves the instances that will go out of traffic and waits until they have nothing under way."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    desired = _wanted(context).desired
    if desired >= len(group.instances):
        return Done()
    await traffic_shares.limit(context.services, group.place, target.name, desired)
    return await draining.wait(context, group, beyond=desired)


async def resize(context: TaskContext) -> TaskResult:
    """Tells the provider."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    provider = server_groups.provider(context.services, target.location.cloud_provider)
    if group.capacity != _wanted(context):
        await provider.resize(group.place, group.name, _wanted(context))
    return Done()


async def wait_for_match(context: TaskContext) -> TaskResult:
    """Done when there are as many as wanted, and up unless the server group is disabled."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    desired = _wanted(context).desired
    required = targets.required(context, _wanted(context))
    if not group.is_disabled:
        waiting = await upcoming.wait(context, group, required)
        if waiting is not None:
            return waiting
    if len(group.instances) > desired:
        extra = len(group.instances) - desired
        return Again(
            after=_LOOKS_AGAIN,
            waiting_for=server_groups.waits(f"{counted(extra, 'instance')} of {group.name} to stop", group),
        )
    await traffic_shares.limit(context.services, group.place, target.name, None)
    return Done()


async def stop(context: TaskContext) -> None:
    """Whatever was left out of traffic comes back."""
    name = context.stage.context.get("resolvedServerGroup")
    if isinstance(name, str):
        await traffic_shares.limit(context.services, taking_out.location(context).place, name, None)
    await rollouts.stop(context)


def _wanted(context: TaskContext) -> Capacity:
    return msgspec.convert(context.stage.context["targetCapacity"], Capacity)


_TASKS = (
    TaskType(name="determineTargetServerGroup", run=determine, stop=stop),
    TaskType(name="withdrawInstances", run=withdraw, stop=stop),
    TaskType(name="resizeServerGroup", run=resize, stop=stop),
    TaskType(name="waitForCapacityMatch", run=wait_for_match, stop=stop, timeout=timedelta(hours=2)),
)
stage = StageType(
    name="resizeServerGroup",
    label="Resize Server Group",
    about=__doc__,
    spec=Spec,
    tasks=_TASKS,
    plan=regions.each(*_TASKS),
    aliases=("resizeAsg",),
    restart_clears=(*taking_out.CLEARED, "targetCapacity"),
)
