"""Interesting health: which of those that look at an instance count for a stage, Orca's `interestingHealthProviderNames`.

Absent, all count; an empty list means that health isn't looked at. Of an instance of which none of those that are named says
anything, all count after all: a pipeline that comes from another cloud names what isn't there, and a load balancer knows an
instance only once it gets requests.
"""

from collections.abc import Collection

from msgspec.structs import replace

from gennaker.interfaces import health, pools
from gennaker.interfaces.clouds import Health, HealthSource, Instance, ServerGroup
from gennaker.interfaces.stages import StageContext
from gennaker.model.codec import JsonObject
from gennaker.plugins.deploy import clusters, server_groups, traffic_shares

KEY = "interestingHealthProviderNames"


def names(context: StageContext) -> tuple[str, ...] | None:
    """What the stage says; None: nothing."""
    given = clusters.flattened(context.stage.context).get(KEY)
    return tuple(str(one) for one in given) if isinstance(given, list | tuple) else None


def passed_on(given: tuple[str, ...] | None) -> JsonObject:
    """For the stages that another plans."""
    return {} if given is None else {KEY: [*given]}


def present(group: ServerGroup) -> int:
    """How many instances there are; what stands for those that the provider refused to make is none."""
    return sum(bool(one.uid) or not group.kind for one in group.instances)


async def judged(
    context: StageContext, group: ServerGroup, required: int, wanted: Collection[str] | None
) -> ServerGroup:
    """The server group with its instances' health as those that count say it.

    Load balancers are only asked where their answer could change something.
    """
    if wanted is None:
        if len(server_groups.up(group)) < required:
            return group
        known = await traffic_shares.pools_of(context.services, group)
        return replace(group, instances=tuple(_unless_given_up(group, one, known) for one in group.instances))
    known = await traffic_shares.pools_of(context.services, group) if health.LOAD_BALANCER in wanted else {}
    return replace(group, instances=tuple(_by_word_of(wanted, group, one, known) for one in group.instances))


def _said(group: ServerGroup, one: Instance, known: pools.Pools) -> HealthSource | None:
    """What load balancers say, but not that they send no requests: a stage itself keeps some from an instance until it is up."""
    said = pools.said(group, one, known)
    return None if said is None or said.state is Health.OUT_OF_SERVICE else said


def _unless_given_up(group: ServerGroup, one: Instance, known: pools.Pools) -> Instance:
    said = _said(group, one, known)
    if said is None or said.state is not Health.DOWN or one.health is not Health.UP:
        return one
    return replace(one, health=Health.DOWN, health_reason=said.reason)


def _by_word_of(wanted: Collection[str], group: ServerGroup, one: Instance, known: pools.Pools) -> Instance:
    said = _said(group, one, known)
    counted = health.chosen((*pools.sources(group, one), *([said] if said else [])), wanted)
    if all(each.state is Health.UNKNOWN and not each.is_platform for each in counted):
        return one
    if health.is_up(counted, wanted):
        return replace(one, health=Health.UP, health_reason="")
    if one.health not in (Health.UP, Health.OUT_OF_SERVICE):
        return one
    worst = next((each for each in counted if each.state not in (Health.UP, Health.UNKNOWN)), counted[0])
    reason = f": {worst.reason}" if worst.reason else ""
    return replace(one, health=worst.state, health_reason=f"{worst.type} says so{reason}")
