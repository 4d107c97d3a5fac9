"""Rollback Cluster: in each region the newest enabled server group gives way to the one before it.

Orca's stage, for clusters deployed with any strategy. The earlier server group gets its size back first, then one switch
moves the traffic, then the newer one is drained and disabled. A region with fewer than two server groups, or none that is
enabled, is left out.
"""

from gennaker.interfaces.clouds import Capacity, ServerGroup
from gennaker.interfaces.stages import StageContext, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.lengths import Duration
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import (
    draining,
    durations,
    going_back,
    releases,
    server_groups,
    taking_out,
    targets,
    upcoming,
)
from gennaker.plugins.deploy.server_groups import Location
from gennaker.plugins.deploy.targets import TargetSpec


class Spec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    target_healthy_rollback_percentage: float = 100
    original_server_group: str = ""
    """What is restored; empty: the newest before the one that is rolled back."""
    up_timeout: Duration = "PT10M"


async def determine(context: TaskContext) -> TaskResult:
    """Chooses in each region what is rolled back and what is restored."""
    own = context.stage.context
    cluster = targets.cluster_name(own)
    if not cluster:
        raise Refused(Problem(code="target.unnamed", message="The stage names no cluster.", remedy="Give `cluster`."))
    regions = own.get("regions") or own.get("region")
    found: list[Json] = []
    for region in list(regions) if isinstance(regions, list | dict) else [regions]:
        location = targets.location_of(
            {**own, "region": region, "regions": None},
            context.services,
            named=cluster,
            application=context.execution.head.application,
        )
        groups = await server_groups.of_cluster(context.services, location, cluster)
        pair = _pair(groups, own)
        if pair is not None:
            found.append({"region": location.region, "from": pair[0].name, "to": pair[1].name})
    if not found:
        return Failed(problem=_nothing(cluster))
    return Done(context={"rollbacks": found})


async def restore_size(context: TaskContext) -> TaskResult:
    """The restored one becomes as large as the one that it takes over from, and is up."""
    within = durations.read(context.stage.context.get("upTimeout") or "PT10M", key="upTimeout")
    for location, leaving, returning in await _pairs(context):
        wanted = _larger(leaving.capacity, returning.capacity)
        if returning.capacity != wanted:
            provider = server_groups.provider(context.services, location.cloud_provider)
            await provider.resize(location.place, returning.name, wanted)
        waiting = upcoming.wait(context, returning, wanted.desired, within)
        if waiting is not None:
            return waiting
    return Done()


async def switch(context: TaskContext) -> TaskResult:
    """One switch a load balancer; a release that is rolled back by this is marked."""
    for location, leaving, returning in await _pairs(context):
        await going_back.switch(context.services, location, leaving=leaving, returning=returning)
        for one in await releases.serving(
            context.services,
            location.application,
            server_groups.cluster_of(leaving),
            account=location.account,
            region=location.region,
        ):
            if one.server_group == leaving.name:
                await releases.roll_back(context.services, one, at=context.at, because="Its cluster was rolled back.")
    return Done()


async def disable(context: TaskContext) -> TaskResult:
    """Drains and disables what was rolled back."""
    pairs = await _pairs(context)
    waiting = await draining.wait(context, *(leaving for _, leaving, _ in pairs))
    if waiting is not None:
        return waiting
    for location, leaving, _ in pairs:
        await taking_out.without_traffic(context.services, frozenset({leaving.name}))
        provider = server_groups.provider(context.services, location.cloud_provider)
        await provider.set_disabled(location.place, leaving.name, is_disabled=True)
    return Done()


def _pair(groups: tuple[ServerGroup, ...], own: JsonObject) -> tuple[ServerGroup, ServerGroup] | None:
    enabled = [one for one in groups if not one.is_disabled]
    if len(groups) < 2 or not enabled:
        return None
    leaving = enabled[-1]
    wanted = own.get("originalServerGroup")
    others = [one for one in groups if one is not leaving and wanted in (None, "", one.name)]
    return (leaving, others[-1]) if others else None


async def _pairs(context: StageContext) -> list[tuple[Location, ServerGroup, ServerGroup]]:
    found: list[tuple[Location, ServerGroup, ServerGroup]] = []
    own = context.stage.context
    for one in foreign.mappings(own.get("rollbacks")):
        location = targets.location_of(
            {**own, "region": one["region"]},
            context.services,
            named=str(one["from"]),
            application=context.execution.head.application,
        )
        groups = {group.name: group for group in await server_groups.all_of(context.services, location)}
        missing = [str(name) for name in (one["from"], one["to"]) if name not in groups]
        if missing:
            message = f"{', '.join(missing)} is gone: somebody has destroyed it meanwhile."
            raise Refused(Problem(code="server_group.vanished", message=message))
        found.append((location, groups[str(one["from"])], groups[str(one["to"])]))
    return found


def _larger(first: Capacity, second: Capacity) -> Capacity:
    desired = max(first.desired, second.desired)
    return Capacity(min=min(second.min, desired), max=max(first.max, second.max), desired=desired)


def _nothing(cluster: str) -> Problem:
    return Problem(
        code="rollback.no_candidates",
        message=f"There is nothing to roll back in {cluster}: no region has an enabled server group and another one.",
        remedy="Deploy the version that you want.",
    )


stage = StageType(
    name="rollbackCluster",
    label="Rollback Cluster",
    about=__doc__,
    spec=Spec,
    tasks=(
        TaskType(name="determineRollbackCandidates", run=determine),
        TaskType(name="restoreSize", run=restore_size),
        TaskType(name="switchTraffic", run=switch),
        TaskType(name="waitForServerGroupDisabled", run=disable),
    ),
    restart_clears=("rollbacks",),
)
