"""Targets: which server groups a stage means, by name or by place in the cluster's history, and acting on them."""

from collections.abc import Mapping

import msgspec

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.clusters import Places
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext, StageSpec
from gennaker.model import moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.lengths import Duration
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import clusters, server_groups
from gennaker.plugins.deploy.server_groups import Location


class TargetSpec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """How Orca's server-group stages name their target, or a cluster of targets."""

    server_group_name: str = ""
    asg_name: str = ""
    target: str = ""
    """`current_asg_dynamic` (newest), `ancestor_asg_dynamic` (previous) or `oldest_asg_dynamic`, in `cluster`."""
    account: str = ""
    credentials: str = ""
    cloud_provider: str = ""
    cluster: str | JsonObject = ""
    moniker: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    region: str = ""
    regions: Places = ()
    namespace: str = ""
    namespaces: Places = ()
    zones: Places = ()
    drain_timeout: Duration = "PT35S"
    """How long requests under way may take to end."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A server group and where it is."""

    location: Location
    name: str


_BY_AGE = {"current": -1, "newest": -1, "ancestor": -2, "previous": -2, "oldest": 0}


def location_of(context: Mapping[str, Json], services: Services, *, named: str, application: str) -> Location:
    """Where the stage's server groups are; `named`: a server group's or cluster's name."""
    account = context.get("account") or context.get("credentials")
    region = clusters.region_of(dict(context))
    if not account or not region:
        raise Refused(
            Problem(
                code="target.place",
                message="The stage doesn't say where its server groups are.",
                remedy="Add `credentials` and `regions` (or `account` and `region`).",
            )
        )
    own = moniker.parse(named).app if named else None
    return Location(
        application=own or str(context.get("application") or application),
        account=str(account),
        region=region,
        cloud_provider=str(context.get("cloudProvider") or server_groups.default_provider(services)),
    )


def cluster_name(context: Mapping[str, Json]) -> str:
    """The cluster that the stage names: `cluster`, or the one of `moniker`."""
    cluster = context.get("cluster")
    if isinstance(cluster, str) and cluster:
        return cluster
    for key in ("moniker", "cluster"):
        value = context.get(key)
        if isinstance(value, dict) and isinstance(value.get("cluster"), str):
            return str(value["cluster"])
    return ""


async def resolve(context: StageContext, own: JsonObject | None = None) -> Target:
    """The one server group that the stage means, or `own`, read as a stage's context. Raises Refused."""
    own = context.stage.context if own is None else own
    name = str(own.get("serverGroupName") or own.get("asgName") or own.get("resolvedServerGroup") or "")
    application = context.execution.head.application
    if name:
        return Target(location=location_of(own, context.services, named=name, application=application), name=name)
    wanted = str(own.get("target") or "").lower().removesuffix("_dynamic").removesuffix("_asg")
    cluster = cluster_name(own)
    if wanted not in _BY_AGE or not cluster:
        raise Refused(_unnamed())
    location = location_of(own, context.services, named=cluster, application=application)
    groups = await server_groups.of_cluster(context.services, location, cluster)
    place = _BY_AGE[wanted]
    if len(groups) < abs(place) or not groups:
        raise Refused(_missing(wanted, cluster, groups))
    return Target(location=location, name=groups[place].name)


async def group(context: StageContext, target: Target) -> ServerGroup:
    """The target as it is now. Raises Refused where it is gone."""
    found = await server_groups.find(context.services, target.location, target.name)
    if found is None:
        raise Refused(
            Problem(
                code="server_group.unknown",
                message=f"There is no server group {target.name} in {target.location.account}/{target.location.region}.",
                remedy="Name an existing one.",
            ),
            status=404,
        )
    return found


async def source(context: StageContext, target: ServerGroup) -> ServerGroup:
    """The server group that a stage names as `source`; without one the newest of the target's cluster. Raises Refused."""
    named = context.stage.context.get("source")
    given = named if isinstance(named, dict) else {}
    name = str(given.get("serverGroupName") or given.get("asgName") or "")
    if name:
        where = {**context.stage.context, **given}
        application = context.execution.head.application
        location = location_of(where, context.services, named=name, application=application)
        return await group(context, Target(location=location, name=name))
    own = await resolve(context)
    groups = await server_groups.of_cluster(context.services, own.location, server_groups.cluster_of(target))
    return groups[-1]


def healthy_percentage(context: StageContext) -> float:
    """Which part of the instances must be up (`targetHealthyDeployPercentage`)."""
    value = context.stage.context.get("targetHealthyDeployPercentage")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 100


def context_of(target: Target) -> JsonObject:
    """The target as the context of a stage holds it."""
    return {**clusters.place_json(target.location), "serverGroupName": target.name, "asgName": target.name}


def _unnamed() -> Problem:
    return Problem(
        code="target.unnamed",
        message="The stage names no server group.",
        remedy="Give `serverGroupName`, or `cluster` with `target` (current_asg_dynamic, ancestor_asg_dynamic, oldest_asg_dynamic).",
    )


def _missing(wanted: str, cluster: str, groups: tuple[ServerGroup, ...]) -> Problem:
    return Problem(
        code="target.missing",
        message=f"The cluster {cluster} has no {wanted} server group; it has {server_groups.named(groups)}.",
    )
