"""Enable Server Group: waits until its instances are up, then lets it take part in traffic beside the others."""

from msgspec.structs import replace

from gennaker.interfaces import traffic
from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model.event import Done, TaskResult
from gennaker.model.lengths import Duration
from gennaker.plugins.deploy import (
    regions,
    server_groups,
    shares,
    taking_out,
    targets,
    traffic_shares,
    upcoming,
)
from gennaker.plugins.deploy.targets import TargetSpec


class Spec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    target_healthy_deploy_percentage: float = 100
    up_timeout: Duration = "PT10M"


async def wait_for_up(context: TaskContext) -> TaskResult:
    """Nothing gets traffic that can't serve."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    required = targets.required(context, group.capacity)
    return await upcoming.wait(context, group, required) or Done()


async def enable(context: TaskContext) -> TaskResult:
    """Takes its part, as its size says; one that takes part already keeps what it has, with all its instances."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    groups = await server_groups.all_of(context.services, target.location)
    sizes = {traffic.key(one.place, one.name): one.capacity.desired for one in groups}
    key = traffic.key(group.place, group.name)
    known = traffic_shares.with_members((group.name,), target.location)

    def change(members: shares.Members) -> shares.Members:
        members = known(members)
        if members[key].takes_traffic:
            return {**members, key: replace(members[key], limit=None)}
        return shares.joined(members, key, group.capacity.desired, sizes)

    for load_balancer in group.load_balancers:
        await traffic_shares.change(context.services, load_balancer, change)
    provider = server_groups.provider(context.services, target.location.cloud_provider)
    if group.is_disabled:
        await provider.set_disabled(group.place, group.name, is_disabled=False)
    return Done()


_TASKS = (
    TaskType(name="determineTargetServerGroup", run=taking_out.choose_target),
    TaskType(name="waitForUpInstances", run=wait_for_up),
    TaskType(name="enableServerGroup", run=enable),
)
stage = StageType(
    name="enableServerGroup",
    label="Enable Server Group",
    about=__doc__,
    spec=Spec,
    tasks=_TASKS,
    plan=regions.each(*_TASKS),
    aliases=("enableAsg",),
    restart_clears=taking_out.CLEARED,
)
