"""Resize Server Group: another number of instances.

Instances that are to go are first left out of traffic and drained; nobody's request is cut. Instances that come must be
up before the stage ends.
"""

from datetime import timedelta

import msgspec
from msgspec.structs import replace

from gennaker.interfaces.clouds import Capacity
from gennaker.interfaces.clusters import CapacitySpec
from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model.event import Again, Done, TaskResult
from gennaker.model.lengths import Duration
from gennaker.plugins.deploy import (
    clusters,
    draining,
    durations,
    resizing,
    rollouts,
    server_groups,
    shares,
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
    """`scale_exact`, `scale_up` or `scale_down`"""
    capacity: CapacitySpec = CapacitySpec()
    scale_pct: float | None = None
    scale_num: float | None = None
    up_timeout: Duration = "PT10M"


async def determine(context: TaskContext) -> TaskResult:
    """What is resized, and to what."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    wanted = clusters.capacity_json(resizing.target(group.capacity, context.stage.context))
    chosen = taking_out.chosen(target.location, (group.name,))
    return Done(context={**chosen, "resolvedServerGroup": group.name, "targetCapacity": wanted})


async def withdraw(context: TaskContext) -> TaskResult:
    """Leaves the instances that will go out of traffic and waits until they have nothing under way."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    desired = _wanted(context).desired
    if desired >= len(group.instances):
        return Done()
    await _limit(context, target.name, desired)
    return await draining.wait(context, group, beyond=desired) or Done()


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
    within = durations.read(context.stage.context.get("upTimeout") or "PT10M", key="upTimeout")
    if not group.is_disabled:
        waiting = upcoming.wait(context, group, desired, within)
        if waiting is not None:
            return waiting
    if len(group.instances) > desired:
        extra = len(group.instances) - desired
        return Again(
            after=_LOOKS_AGAIN, waiting_for=server_groups.waits(f"{extra} instances of {group.name} to stop", group)
        )
    await _limit(context, target.name, None)
    return Done()


async def stop(context: TaskContext) -> None:
    """Whatever was left out of traffic comes back."""
    name = context.stage.context.get("resolvedServerGroup")
    if isinstance(name, str):
        await _limit(context, name, None)
    await rollouts.stop(context)


async def _limit(context: TaskContext, name: str, limit: int | None) -> None:
    for load_balancer, member in (await traffic_shares.of_group(context.services, name)).items():
        if member.limit == limit:
            continue

        def change(members: shares.Members) -> shares.Members:
            return {n: replace(one, limit=limit) if n == name else one for n, one in members.items()}

        await traffic_shares.change(context.services, load_balancer, change)


def _wanted(context: TaskContext) -> Capacity:
    return msgspec.convert(context.stage.context["targetCapacity"], Capacity)


stage = StageType(
    name="resizeServerGroup",
    label="Resize Server Group",
    about=__doc__,
    spec=Spec,
    tasks=(
        TaskType(name="determineTargetServerGroup", run=determine, stop=stop),
        TaskType(name="withdrawInstances", run=withdraw, stop=stop),
        TaskType(name="resizeServerGroup", run=resize, stop=stop),
        TaskType(name="waitForCapacityMatch", run=wait_for_match, stop=stop, timeout=timedelta(hours=2)),
    ),
    aliases=("resizeAsg",),
    restart_clears=(*taking_out.CLEARED, "targetCapacity"),
)
