"""Cleanup Canary Clusters: takes baseline and canary out of traffic, waits if asked to, destroys them.

Only what this run has made. Errors are tolerated here, as in Orca: the score has been decided, and what is left the canary
keeper takes on.
"""

from datetime import timedelta

import msgspec

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, PlannedStage, TaskResult
from gennaker.plugins.analysis import deployed, keeper, stage_settings
from gennaker.plugins.analysis.stage_settings import ClusterPlace

_TOLERATED: JsonObject = {
    "continuePipeline": True,
    "failPipeline": False,
    "allowSiblingStagesToContinueOnFailure": True,
    # A task whose failure is tolerated is followed by the next one, which might then wait for nothing.
    "stageTimeoutMs": 120_000,
}


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    delay_before_cleanup: float = 0
    """Seconds between taking out of traffic and destroying."""


async def plan(spec: StageSpec, context: StageContext) -> Plan:
    """Asks the clouds what is there, so that nothing is forgotten and nothing else is touched."""
    assert isinstance(spec, Spec)
    execution_id = str(context.stage.context.get("canaryExecutionId") or context.execution.head.id)
    groups = await deployed.of_execution(context.services, _clusters(context), execution_id)
    disabling = [_of_group("disableServerGroup", f"Disable {one.name}", one) for one in groups]
    after: tuple[int, ...] = tuple(range(len(disabling)))
    stages = [*disabling]
    if groups and spec.delay_before_cleanup > 0:
        waiting: JsonObject = {"waitTime": spec.delay_before_cleanup}
        stages.append(PlannedStage(type="wait", name="Wait before cleanup", context=waiting, requisites=after))
        after = (len(stages) - 1,)
    stages += [
        msgspec.structs.replace(_of_group("destroyServerGroup", f"Destroy {one.name}", one), requisites=after)
        for one in groups
    ]
    return Plan(before=tuple(stages), tasks=(_FORGET.planned(),))


async def forget(context: TaskContext) -> TaskResult:
    """The keeper has nothing more to do, if nothing is left."""
    own = context.stage.context
    execution_id = str(own.get("canaryExecutionId") or context.execution.head.id)
    stage_id = str(own.get("canaryStageId") or context.stage.parent_id or "")
    await keeper.forget_if_clean(context.services, execution_id, stage_id)
    return Done()


def _clusters(context: StageContext) -> tuple[ClusterPlace, ...]:
    own = context.stage.context
    if own.get("clusters") is not None:
        return msgspec.convert(own["clusters"], tuple[ClusterPlace, ...])
    found = stage_settings.read_deployments(own.get("deployments"), application=context.execution.head.application)
    return () if found is None else found.clusters


def _of_group(kind: str, name: str, group: ServerGroup) -> PlannedStage:
    told: JsonObject = {
        "application": group.moniker.app,
        "account": group.place.account,
        "credentials": group.place.account,
        "region": group.place.region,
        "regions": [group.place.region],
        "cloudProvider": group.cloud_provider,
        "serverGroupName": group.name,
        "asgName": group.name,
        **_TOLERATED,
    }
    return PlannedStage(type=kind, name=name, context=told)


_FORGET = TaskType(name="forgetCanary", run=forget, timeout=timedelta(minutes=5))
stage = StageType(
    name="cleanupCanaryClusters",
    label="Cleanup Canary Clusters",
    about=__doc__,
    spec=Spec,
    tasks=(_FORGET,),
    plan=plan,
    plans_without_io=False,
)
