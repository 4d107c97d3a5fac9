"""Taking out: tasks that take chosen server groups out of traffic, drain, disable, empty or destroy them.

A stage chooses (`chosenServerGroups` in its context), these tasks do; all of them state a target and may be repeated.
"""

from collections.abc import Iterable
from datetime import timedelta

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Capacity, ServerGroup
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, TaskResult
from gennaker.plugins.deploy import clusters, draining, guards, rollouts, server_groups, shares, targets, traffic_shares
from gennaker.plugins.deploy.server_groups import Location

_CHOSEN = "chosenServerGroups"
_LOOKS_AGAIN = timedelta(milliseconds=500)


def chosen(there: Location, names: tuple[str, ...]) -> JsonObject:
    """The choice as the stage's context holds it."""
    listed: list[Json] = list(names)
    return {**clusters.place_json(there), _CHOSEN: listed}


async def choose_target(context: TaskContext) -> TaskResult:
    """The one server group that the stage means."""
    target = await targets.resolve(context)
    group = await targets.group(context, target)
    return Done(context={**chosen(target.location, (group.name,)), "resolvedServerGroup": group.name})


async def choose_leaving(context: TaskContext) -> TaskResult:
    """As `choose_target`, for one that is to lose its traffic: traffic guards are heeded."""
    await guards.check(context, (await targets.group(context, await targets.resolve(context)),))
    return await choose_target(context)


async def choose_target_if_there(context: TaskContext) -> TaskResult:
    """As `choose_leaving`; one that is gone already is nothing to do."""
    target = await targets.resolve(context)
    group = await server_groups.find(context.services, target.location, target.name)
    if group is not None:
        await guards.check(context, (group,))
    names = (group.name,) if group else ()
    return Done(context={**chosen(target.location, names), "resolvedServerGroup": target.name})


async def take_from_traffic(context: TaskContext) -> TaskResult:
    """No new requests for them: one switch a load balancer."""
    if names := _names(context):
        place = location(context).place
        await without_traffic(context.services, frozenset(traffic.key(place, name) for name in names))
    return Done()


async def without_traffic(services: Services, keys: frozenset[str]) -> None:
    """Takes all traffic from the server groups of these keys."""
    for load_balancer, balanced in (await traffic_shares.everything(services)).items():
        if keys & balanced.members.keys():
            await traffic_shares.change(services, load_balancer, lambda members: shares.without_traffic(members, keys))


async def drain(context: TaskContext) -> TaskResult:
    """Waits for the requests under way, then marks them as disabled."""
    groups = await _groups(context)
    drained = await draining.wait(context, *groups)
    if isinstance(drained, Again):
        return drained
    for one in groups:
        if not one.is_disabled:
            provider = server_groups.provider(context.services, one.cloud_provider)
            await provider.set_disabled(one.place, one.name, is_disabled=True)
    return drained


async def empty(context: TaskContext) -> TaskResult:
    """No instances any more."""
    groups = await _groups(context)
    nothing = Capacity(min=0, max=0, desired=0)
    for one in groups:
        if one.capacity != nothing:
            await server_groups.provider(context.services, one.cloud_provider).resize(one.place, one.name, nothing)
    full = [one for one in groups if one.instances]
    if full:
        return _again(f"the instances of {server_groups.named(full)} to stop", full)
    return Done()


async def destroy(context: TaskContext) -> TaskResult:
    """Forgets them in all load balancers and removes them."""
    there = location(context)
    provider = server_groups.provider(context.services, there.cloud_provider)
    for name in _names(context):
        await traffic_shares.forget(context.services, there.place, name)
        await provider.destroy(there.place, name)
    return Done()


async def wait_until_gone(context: TaskContext) -> TaskResult:
    """Done when the provider no longer lists them."""
    groups = await _groups(context)
    if groups:
        return _again(f"{server_groups.named(groups)} to be gone", groups)
    return Done()


def _again(reason: str, groups: Iterable[ServerGroup]) -> Again:
    return Again(after=_LOOKS_AGAIN, waiting_for=server_groups.waits(reason, *groups))


def _names(context: StageContext) -> tuple[str, ...]:
    listed = context.stage.context.get(_CHOSEN)
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def location(context: StageContext) -> Location:
    """Where the chosen ones are."""
    names = _names(context)
    own = context.stage.context
    application = str(own.get("application") or context.execution.head.application)
    return targets.location_of(own, context.services, named=names[0] if names else "", application=application)


async def _groups(context: StageContext) -> tuple[ServerGroup, ...]:
    names = _names(context)
    if not names:
        return ()
    return tuple(one for one in await server_groups.all_of(context.services, location(context)) if one.name in names)


FROM_TRAFFIC = TaskType(name="takeFromTraffic", run=take_from_traffic, stop=rollouts.stop)
DRAIN = TaskType(name="waitForServerGroupDisabled", run=drain, stop=rollouts.stop)
EMPTY = TaskType(name="scaleDown", run=empty, stop=rollouts.stop)
DESTROY = TaskType(name="destroyServerGroup", run=destroy)
GONE = TaskType(name="waitForDestroyedServerGroup", run=wait_until_gone)
CLEARED = (_CHOSEN, "resolvedServerGroup")
