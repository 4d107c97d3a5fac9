"""Rollback Cluster: in each region the newest enabled server group gives way to the newest other one.

Orca's stage, for clusters deployed with any strategy. What gives way to what is chosen first; then the regions follow one another,
each by a stage of the type rollbackServerGroup, `waitTimeBetweenRegions` seconds apart. A region with fewer than two server
groups, or none that is enabled, is left out.
"""

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, Failed, PlannedStage, TaskResult
from gennaker.model.lengths import Duration
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import clusters, interesting, rollback_server_group, server_groups, targets
from gennaker.plugins.deploy.targets import TargetSpec

_SHARED = (
    "account",
    "credentials",
    "cloudProvider",
    "cluster",
    "moniker",
    "drainTimeout",
    "upTimeout",
    interesting.KEY,
)
_EXPLICIT = "EXPLICIT"
_SEVERAL, _MANY = 10, 20


class Spec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    target_healthy_rollback_percentage: float | None = None
    """None: all of a few instances, fewer of many (`healthy_percentage`)."""
    original_server_group: str = ""
    """What is restored; empty: the newest other one, which after a roll-back is the one that was rolled back, as in Orca."""
    wait_time_between_regions: float = 0
    """Seconds."""
    additional_rollback_context: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    """More for each region's `rollbackContext`: `disableOnly`, `enableAndDisableOnly`, `delayBeforeDisableSeconds`;
    with `onlyEnabledServerGroups` what is restored must be enabled."""
    up_timeout: Duration = "PT10M"


async def determine(context: TaskContext) -> TaskResult:
    """Chooses in each region what is rolled back and what is restored."""
    own = context.stage.context
    cluster = targets.named_by_moniker(own)
    if not cluster:
        raise Refused(Problem(code="target.unnamed", message="The stage names no cluster.", remedy="Give `cluster`."))
    kinds: JsonObject = {}
    chosen: JsonObject = {}
    images: list[Json] = []
    for region in clusters.regions_of(own):
        location = targets.location_of_cluster(context, {**own, "region": region}, cluster)
        groups = await server_groups.of_cluster(context.services, location, cluster)
        pair = _pair(groups, own)
        if pair is not None:
            given = own.get("targetHealthyRollbackPercentage")
            kinds[region] = _EXPLICIT
            images.append({"region": region, "image": pair[1].image, "rollbackMethod": _EXPLICIT})
            chosen[region] = {
                "rollbackServerGroupName": pair[0].name,
                "restoreServerGroupName": pair[1].name,
                "targetHealthyRollbackPercentage": healthy_percentage(pair[0].capacity.desired)
                if given is None
                else given,
                **foreign.mapping(own.get("additionalRollbackContext")),
            }
    if not chosen:
        return Failed(problem=_nothing(cluster))
    return Done(context={"imagesToRestore": images}, outputs={"rollbackTypes": kinds, "rollbackContexts": chosen})


async def plan_after(spec: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
    """One region after another."""
    assert isinstance(spec, Spec)
    own = context.stage.context
    # What was found by `moniker.app` is found again by it only: the server groups' names may say another application.
    application = targets.location_of_cluster(context, own, targets.named_by_moniker(own)).application
    shared: JsonObject = {**{key: own[key] for key in _SHARED if key in own}, "application": application}
    stages: list[PlannedStage] = []
    for region, wanted in foreign.mapping(context.stage.outputs.get("rollbackContexts")).items():
        if stages and spec.wait_time_between_regions > 0:
            name = f"Wait after {stages[-1].context['region']}"
            stages.append(
                PlannedStage(
                    type="wait",
                    name=name,
                    context={"waitTime": spec.wait_time_between_regions},
                    requisites=(len(stages) - 1,),
                )
            )
        told: JsonObject = {**shared, "region": region, "rollbackType": _EXPLICIT, "rollbackContext": wanted}
        requisites = (len(stages) - 1,) if stages else ()
        kind = rollback_server_group.TYPE
        stages.append(PlannedStage(type=kind, name=f"Rollback {region}", context=told, requisites=requisites))
    return tuple(stages)


def healthy_percentage(desired: int) -> int:
    """Which part of so many instances must be up again, where the stage doesn't say it: Orca's steps."""
    if desired < _SEVERAL:
        return 100
    return 90 if desired < _MANY else 95


def _pair(groups: tuple[ServerGroup, ...], own: JsonObject) -> tuple[ServerGroup, ServerGroup] | None:
    enabled = [one for one in groups if not one.is_disabled]
    if len(groups) < 2 or not enabled:
        return None
    leaving = enabled[-1]
    wanted = own.get("originalServerGroup")
    only_enabled = foreign.flag(foreign.mapping(own.get("additionalRollbackContext")).get("onlyEnabledServerGroups"))
    candidates = enabled if only_enabled else groups
    others = [one for one in candidates if one is not leaving and wanted in (None, "", one.name)]
    return (leaving, others[-1]) if others else None


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
    tasks=(TaskType(name="determineRollbackCandidates", run=determine),),
    plan_after=plan_after,
    restart_clears=("rollbackTypes", "rollbackContexts", "imagesToRestore"),
)
