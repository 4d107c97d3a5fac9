"""Cluster-wide stages: Shrink Cluster, Scale Down Cluster, Disable Cluster: act on all but so many server groups."""

from collections.abc import Callable
from typing import Annotated, TypeAlias

import msgspec

from gennaker.interfaces import clouds
from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model import foreign, records
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import cluster_selection, guards, regions, rollouts, server_groups, taking_out, targets
from gennaker.plugins.deploy.cluster_selection import Selection
from gennaker.plugins.deploy.server_groups import Location
from gennaker.plugins.deploy.targets import TargetSpec

Read: TypeAlias = Callable[[JsonObject], Selection]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class ShrinkSpec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The JSON of Shrink Cluster."""

    shrink_to_size: Count = 1
    allow_delete_active: bool = False
    retain_larger_over_newer: bool = False
    continue_if_cluster_not_found: bool = False


class ScaleDownSpec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The JSON of Scale Down Cluster."""

    remaining_full_size_server_groups: Count = 1
    allow_scale_down_active: bool = False
    prefer_larger_over_newer: bool = False
    continue_if_cluster_not_found: bool = False


class DisableSpec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The JSON of Disable Cluster."""

    remaining_enabled_server_groups: Count = 1
    prefer_larger_over_newer: bool = False
    continue_if_cluster_not_found: bool = False


async def _choose(context: TaskContext, selection: Selection) -> TaskResult:
    own = context.stage.context
    cluster = targets.cluster_name(own)
    if not cluster:
        raise Refused(Problem(code="target.unnamed", message="The stage names no cluster.", remedy="Give `cluster`."))
    location = targets.location_of_cluster(context, own, cluster)
    groups = await server_groups.of_cluster(context.services, location, cluster)
    if not groups and not selection.may_be_missing and not await _is_elsewhere(context, location, cluster):
        raise Refused(_empty(cluster))
    deployed = cluster_selection.deployed(context.sight.ancestors(), location)
    found = cluster_selection.chosen(groups, selection, own=deployed)
    await guards.check(context, found)
    return Done(context=taking_out.chosen(location, tuple(one.name for one in found)))


async def _is_elsewhere(context: TaskContext, location: Location, cluster: str) -> bool:
    """A cluster that has server groups in another region only exists, as for Orca."""
    cloud = server_groups.provider(context.services, location.cloud_provider)
    found = await clouds.of_account(cloud, location.application, location.account)
    return any(server_groups.cluster_of(one) == cluster for one in found)


def _shrink(own: JsonObject) -> Selection:
    keeps = _count(own, "shrinkToSize")
    return Selection(
        keeps=keeps,
        may_be_missing=not keeps or _is_not_needed(own),
        may_touch_active=foreign.flag(own.get("allowDeleteActive")),
        prefers_larger=foreign.flag(own.get("retainLargerOverNewer")),
    )


def _scale_down(own: JsonObject) -> Selection:
    return Selection(
        keeps=_count(own, "remainingFullSizeServerGroups"),
        may_be_missing=_is_not_needed(own),
        may_touch_active=foreign.flag(own.get("allowScaleDownActive")),
        prefers_larger=foreign.flag(own.get("preferLargerOverNewer")),
    )


def _disable(own: JsonObject) -> Selection:
    return Selection(
        keeps=_count(own, "remainingEnabledServerGroups"),
        may_be_missing=_is_not_needed(own),
        only_active=True,
        prefers_larger=foreign.flag(own.get("preferLargerOverNewer")),
    )


def _is_not_needed(own: JsonObject) -> bool:
    return foreign.flag(own.get("continueIfClusterNotFound"))


def _count(own: JsonObject, key: str) -> int:
    value = records.whole(own.get(key, 1))
    if value is None or value < 0:
        raise Refused(
            Problem(
                code="stage.field_wrong",
                message=f"`{key}` is {own.get(key)!r}; it must be a number from 0.",
                remedy="Correct the stage.",
                pointer=f"/{key}",
            )
        )
    return value


def _choosing(read: Read) -> TaskType:
    async def choose(context: TaskContext) -> TaskResult:
        return await _choose(context, read(context.stage.context))

    return TaskType(name="determineServerGroups", run=choose, stop=rollouts.stop)


def _stage(name: str, label: str, about: str, *tasks: TaskType, spec: type[TargetSpec]) -> StageType:
    return StageType(
        name=name,
        label=label,
        about=about,
        spec=spec,
        tasks=tasks,
        plan=regions.each(*tasks),
        restart_clears=taking_out.CLEARED,
    )


def _empty(cluster: str) -> Problem:
    return Problem(
        code="cluster.unknown",
        message=f"The cluster {cluster} has no server groups.",
        remedy="Correct `cluster`, or set `continueIfClusterNotFound`.",
    )


shrink = _stage(
    "shrinkCluster",
    "Shrink Cluster",
    "Destroys all but `shrinkToSize` server groups of a cluster.",
    _choosing(_shrink),
    taking_out.FROM_TRAFFIC,
    taking_out.DRAIN,
    taking_out.DESTROY,
    taking_out.GONE,
    spec=ShrinkSpec,
)
scale_down = _stage(
    "scaleDownCluster",
    "Scale Down Cluster",
    "Takes the instances from all but `remainingFullSizeServerGroups` server groups of a cluster.",
    _choosing(_scale_down),
    taking_out.FROM_TRAFFIC,
    taking_out.DRAIN,
    taking_out.EMPTY,
    spec=ScaleDownSpec,
)
disable = _stage(
    "disableCluster",
    "Disable Cluster",
    "Removes all but `remainingEnabledServerGroups` server groups of a cluster from traffic.",
    _choosing(_disable),
    taking_out.FROM_TRAFFIC,
    taking_out.DRAIN,
    spec=DisableSpec,
)
