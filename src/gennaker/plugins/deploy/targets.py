"""Targets: which server groups a stage means, by name or by place in the cluster's history, and acting on them."""

from collections.abc import Mapping

import msgspec

from gennaker.interfaces.clouds import Capacity, ServerGroup
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
    interesting_health_provider_names: tuple[str, ...] | None = None
    """Whose word counts on whether an instance is up; none: nobody's. Absent: everybody's."""
    drain_timeout: Duration = "PT35S"
    """How long requests under way may take to end."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A server group and where it is."""

    location: Location
    name: str


_BY_AGE = {"current": (-1, 1), "newest": (-1, 1), "ancestor": (-2, 2), "previous": (-2, 2), "oldest": (0, 2)}
"""Which of a cluster's server groups, the oldest first, and how many there must be: the only one is no oldest for Orca."""


def location_of(context: Mapping[str, Json], services: Services, *, named: str, application: str) -> Location:
    """Where the stage's server groups are; `named`: a server group's or cluster's name, whose application counts if none is given."""
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
        application=str(context.get("application") or own or application),
        account=str(account),
        region=region,
        cloud_provider=str(context.get("cloudProvider") or server_groups.default_provider(services)),
    )


def location_of_cluster(context: StageContext, own: JsonObject, cluster: str) -> Location:
    """Where the server groups of the cluster that `own` names are: whose it is says `moniker` before the cluster's name, as in Orca."""
    given = own.get("moniker")
    app = given.get("app") if isinstance(given, dict) else None
    return location_of(
        {**own, "application": own.get("application") or app},
        context.services,
        named=cluster,
        application=context.execution.head.application,
    )


def cluster_name(context: Mapping[str, Json]) -> str:
    """The cluster that the stage names: `cluster`, or the one of `moniker`, as Orca's cluster-wide stages read them."""
    cluster = context.get("cluster")
    return cluster if isinstance(cluster, str) and cluster else named_by_moniker(context)


def named_by_moniker(context: Mapping[str, Json]) -> str:
    """The same, but `moniker` counts first: so Orca's stages read it that choose among a cluster's server groups."""
    for key in ("moniker", "cluster"):
        value = context.get(key)
        if isinstance(value, dict) and isinstance(value.get("cluster"), str) and value["cluster"]:
            return str(value["cluster"])
    cluster = context.get("cluster")
    return cluster if isinstance(cluster, str) else ""


async def resolve(context: StageContext, own: JsonObject | None = None) -> Target:
    """The one server group that the stage means, or `own`, read as a stage's context. Raises Refused.

    What was resolved before counts, then `target`, then a name, as in Orca.
    """
    own = context.stage.context if own is None else own
    wanted = str(own.get("target") or "").lower().removesuffix("_dynamic").removesuffix("_asg")
    cluster = named_by_moniker(own)
    is_dynamic = wanted in _BY_AGE and bool(cluster)
    name = str(own.get("resolvedServerGroup") or "")
    name = name or ("" if is_dynamic else str(own.get("serverGroupName") or own.get("asgName") or ""))
    if name:
        application = context.execution.head.application
        location = location_of(own, context.services, named=name, application=application)
        bare = name.rpartition(" ")[2]  # Spinnaker's `replicaSet web-v001` names no application: the run's own is meant
        return Target(location=await _whose(context, location, bare), name=bare)
    if not is_dynamic:
        raise Refused(_unnamed())
    location = location_of_cluster(context, own, cluster)
    groups = await server_groups.of_cluster(context.services, location, cluster)
    place, least = _BY_AGE[wanted]
    if len(groups) < least:
        raise Refused(_missing(wanted, cluster, groups))
    return Target(location=location, name=groups[place].name)


async def _whose(context: StageContext, location: Location, name: str) -> Location:
    """Objects of Kubernetes needn't be named after their application: what the name's own doesn't have may be the run's."""
    run = context.execution.head.application
    if location.application == run or await server_groups.find(context.services, location, name) is not None:
        return location
    own = msgspec.structs.replace(location, application=run)
    return location if await server_groups.find(context.services, own, name) is None else own


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


def required(context: StageContext, capacity: Capacity) -> int:
    """How many instances must be up: `targetHealthyDeployPercentage`, else `desiredPercentage`, else all. Raises Refused."""
    healthy, part = (_number(context, key) for key in ("targetHealthyDeployPercentage", "desiredPercentage"))
    if healthy is None and part is not None:
        return clusters.required_of_part(capacity, part)
    return clusters.required(capacity.desired, 100 if healthy is None else healthy)


def _number(context: StageContext, key: str) -> float | None:
    value = context.stage.context.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


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
