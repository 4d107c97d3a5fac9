"""Deploy: one server group in each of its clusters, side by side, each as its strategy says."""

import msgspec

from gennaker.interfaces.clusters import ClusterSpec
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, PlannedStage, TaskResult
from gennaker.model.execution import Side, Stage
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import clusters, strategies, strategy_pipelines

_OWN = ("clusters", "notifications", "comments", "restrictedExecutionWindow", "restrictExecutionDuringTimeWindow")
_FLAGS = ("failPipeline", "continuePipeline", "completeOtherBranchesThenFail", "stageEnabled", "sendNotifications")
_NOT_SHARED = frozenset({"cluster", "region", "namespace", *clusters.REGION_LISTS})
_SHARED = ("artifacts", *(one.encode_name for one in msgspec.structs.fields(ClusterSpec)))
"""Keys of the stage that count for each of its clusters that doesn't have them. Orca shares all keys, places too."""


class Spec(ClusterSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON: what its clusters share beside them."""

    clusters: tuple[ClusterSpec, ...] = ()
    """Empty: the stage itself is the cluster."""


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """A child for each cluster; what is wrong with any of them is said before anything is done."""
    own = context.stage.context
    of_strategy = await strategy_pipelines.cluster(context)
    wanted = [of_strategy] if of_strategy is not None else foreign.mappings(own.get("clusters"))
    if not wanted:
        wanted = [{key: value for key, value in own.items() if key not in (*_OWN, *_FLAGS)}]
    shared: JsonObject = {key: own[key] for key in _SHARED if key in own and key not in _NOT_SHARED}
    single = [{**shared, **one} for several in wanted for one in _by_region(several)]
    return Plan(before=tuple(_child(context, one) for one in single), tasks=(_COMPLETE.planned(),))


def _by_region(cluster: JsonObject) -> list[JsonObject]:
    """A cluster that names several regions is one in each of them."""
    flat = clusters.flattened(cluster)
    named = clusters.regions_of(flat)
    if len(named) < 2:
        return [cluster]
    own = {key: value for key, value in flat.items() if key not in (*clusters.REGION_LISTS, "cluster")}
    return [{**own, "region": region} for region in named]


def _child(context: StageContext, cluster: JsonObject) -> PlannedStage:
    read = clusters.of_json(cluster, context.services, application=context.execution.head.application)
    if read.location.cloud_provider not in context.services.clouds:
        raise Refused(
            Problem(
                code="cloud.unknown",
                message=f"There is no cloud provider {read.location.cloud_provider!r}.",
                remedy=f"Use one of: {', '.join(sorted(context.services.clouds)) or 'none is installed'}.",
                pointer="/clusters",
            )
        )
    strategies.check(read)
    is_clone = foreign.flag(cluster.get("isClone"))
    return PlannedStage(
        type="cloneServerGroup" if is_clone else "createServerGroup",
        name=f"{'Clone' if is_clone else 'Deploy'} in {read.location.region}",
        context={**clusters.flattened(cluster), **clusters.place_json(read.location)},
    )


async def complete(context: TaskContext) -> TaskResult:
    """Gathers what the clusters' children have made."""
    children = list(context.execution.children(context.stage.id, Side.BEFORE))
    by_region: dict[str, list[Json]] = {}
    deployed: list[Json] = []
    for one in children:
        for region, names in _groups(one):
            by_region.setdefault(region, []).extend(names)
        found = one.outputs.get("deployedServerGroups")
        deployed += found if isinstance(found, list) else []
    outputs: JsonObject = {
        "deploy.server.groups": {region: list(names) for region, names in by_region.items()},
        "deployedServerGroups": deployed,
    }
    for key in ("serverGroup", "address"):
        outputs[key] = next((one.outputs[key] for one in children if one.outputs.get(key)), "")
    return Done(outputs=outputs)


def _groups(stage: Stage) -> list[tuple[str, list[Json]]]:
    found = stage.outputs.get("deploy.server.groups")
    return [(r, n) for r, n in found.items() if isinstance(n, list)] if isinstance(found, dict) else []


_COMPLETE = TaskType(name="completeParallelDeploy", run=complete)
stage = StageType(name="deploy", label="Deploy", about=__doc__, spec=Spec, tasks=(_COMPLETE,), plan=plan)
