"""Create Server Group: a new version beside the old, put in the old one's place as its strategy says.

Before anything is created it is written down what serves now and how to get back to it (`rollouts.py`). Whatever fails
later, and a cancellation before the switch, leads back there.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from msgspec.structs import replace

from gennaker.interfaces.clouds import Capacity, HealthProbe, NewServerGroup, ServerGroup
from gennaker.interfaces.clusters import ClusterSpec, texts
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import moniker, secret_references, waiting
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, Done, Failed, PlannedStage, TaskResult
from gennaker.model.foreign import written
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import (
    clusters,
    images,
    monitoring,
    rollouts,
    server_groups,
    strategies,
    targets,
    traffic_shares,
    upcoming,
)
from gennaker.plugins.deploy.clusters import Cluster
from gennaker.plugins.deploy.rollouts import Before, Rollout

log = structlog.get_logger()

_CLONE = "cloneServerGroup"
_LOOKS_AGAIN = timedelta(milliseconds=500)
_WAY_BACK_MILLISECONDS = 30 * 60_000


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """Reads the cluster, so that what is wrong with it is said before anything is done."""
    cluster = clusters.read(context)
    strategies.check(cluster)
    if strategies.is_monitored(cluster):
        monitoring.find(context.services, cluster.spec.deployment_monitor)
    if cluster.strategy == "custom":
        return Plan()
    return Plan(before=_held_back(context, cluster), tasks=tuple(task.planned() for task in _TASKS))


def _held_back(context: StageContext, cluster: Cluster) -> tuple[PlannedStage, ...]:
    """A wait, where the settings know conditions that hold deploys back."""
    if not context.services.settings.conditions:
        return ()
    place = cluster.location.place
    where: JsonObject = {"cluster": cluster.name, "account": place.account, "region": place.region}
    return (PlannedStage(type="waitForCondition", name="Wait for condition", context=where),)


async def determine_source(context: TaskContext) -> TaskResult:
    """Writes down what serves now, under which name the new server group will come, and with which image."""
    cluster = clusters.read(context)
    for load_balancer in cluster.load_balancers:
        await traffic_shares.ensure(context.services, load_balancer, cluster.location.account)
        await traffic_shares.refuse_routes(
            context.services, load_balancer, cluster.spec.routes, is_replacing=cluster.strategy == "highlander"
        )
    key = f"{context.execution.head.id}/{context.stage.id}.{context.stage.attempt}"
    rollout = await rollouts.find(context.services, key)
    if rollout is None:
        turn = rollouts.Turn(rollout=key, execution_id=context.execution.head.id)
        busy = await rollouts.take_turn(context.services, turn, cluster.location, cluster.name)
        if busy:
            return Again(
                after=_LOOKS_AGAIN,
                waiting_for=waiting.ForLock(
                    reason=f"the deploy to {cluster.name} of the execution {busy}",
                    lock=f"the cluster {cluster.name}",
                    holder=busy,
                ),
            )
        rollout = await _begin(context, cluster, key)
    source = rollout.replaced
    told: JsonObject = {
        rollouts.CONTEXT_KEY: key,
        "serverGroupName": rollout.new,
        "clusterName": rollout.cluster,
        "imageId": rollout.image,
        "imageVersion": rollout.version,
        "rollbackPlan": rollouts.plan_json(rollout),
        "savedCapacity": clusters.capacity_json(rollout.capacity),
    }
    if source is not None:
        told["source"] = {**clusters.place_json(rollout.location), "serverGroupName": source.name}
    return Done(context=told)


def _size(cluster: Cluster, serving: Sequence[Before]) -> Capacity:
    """As large as the largest that serves, the newest of several, where a strategy or `useSourceCapacity` wants that.

    The newest alone may be a canary beside production. A rolling update that begins with nothing would never grow: then the
    cluster says.
    """
    if not serving:
        return cluster.capacity
    largest = max(reversed(serving), key=lambda one: one.capacity.desired).capacity
    if clusters.called(cluster.spec) in clusters.AS_LARGE_AS_BEFORE:
        return largest if largest.desired else cluster.capacity
    return largest if clusters.uses_source_size(cluster.spec) else cluster.capacity


async def _begin(context: TaskContext, cluster: Cluster, key: str) -> Rollout:
    services = context.services
    groups = await server_groups.of_cluster(services, cluster.location, cluster.name)
    before = tuple(
        [rollouts.before_of(one, await traffic_shares.of_group(services, one.place, one.name)) for one in groups]
    )
    original = _original(context, cluster, groups) if context.stage.type == _CLONE else None
    chosen = _image(context, cluster, groups, original)
    numbers = tuple(one.moniker.sequence for one in groups if one.moniker.sequence is not None)
    number = await services.executions.reserve_number(
        rollouts.number_queue(cluster.location, cluster.name),
        context.attempt_key,
        taken=numbers,
        newest=groups[-1].moniker.sequence if groups else None,
    )
    serving = [one for one in before if one.serves]
    capacity = _size(cluster, serving)
    load_balancers = cluster.load_balancers
    if original is not None:
        own = clusters.flattened(context.stage.context)
        capacity = capacity if own.get("capacity") or clusters.uses_source_size(cluster.spec) else original.capacity
        load_balancers = original.load_balancers if own.get("loadBalancers") is None else load_balancers
    rollout = Rollout(
        key=key,
        execution_id=context.execution.head.id,
        location=cluster.location,
        cluster=cluster.name,
        load_balancers=load_balancers,
        strategy=cluster.strategy,
        new=moniker.server_group_name(cluster.name, number),
        holder=context.attempt_key,
        image=chosen.reference,
        version=chosen.version,
        capacity=capacity,
        traffic_percent=cluster.spec.traffic_percent,
        routes=cluster.spec.routes,
        before=before,
        release_id=f"rel_{services.ids.ulid()}",
        drain=cluster.drain,
        grace=cluster.grace,
        is_watched=cluster.spec.rollback.on_pipeline_failure,
    )
    return await rollouts.begin(services, rollout)


def _original(context: TaskContext, cluster: Cluster, groups: tuple[ServerGroup, ...]) -> ServerGroup | None:
    """What is cloned: what the stage doesn't say is taken from it. Raises Refused where it can't do without one."""
    source = context.stage.context.get("source")
    name = source.get("serverGroupName") or source.get("asgName") if isinstance(source, dict) else None
    found = next((one for one in groups if one.name == name), groups[-1] if groups and not name else None)
    if found is None and not cluster.spec.image:
        raise Refused(
            Problem(
                code="clone.no_source",
                message=f"There is no server group {name or 'in ' + cluster.name} to clone.",
                remedy="Name an existing one in `source.serverGroupName`.",
            )
        )
    return found


def _image(
    context: TaskContext, cluster: Cluster, groups: tuple[ServerGroup, ...], original: ServerGroup | None
) -> images.Chosen:
    if original is not None and not cluster.spec.image:
        return images.Chosen(reference=original.image, version=original.version)
    version = cluster.spec.version
    chosen = images.choose(context, cluster.spec.image, None if version is None else written(version))
    same = next((one.version for one in groups if one.image == chosen.reference and one.version), "")
    return chosen if version or not same else replace(chosen, version=same)


async def create(context: TaskContext) -> TaskResult:
    """Begins the server group; the same key gets the same one again."""
    cluster = clusters.read(context)
    rollout = await rollouts.of_context(context)
    if rollout is None:
        return Failed(problem=_over(context))
    if rollout.overtaken:
        return Failed(problem=rollouts.why_overtaken(rollout))
    secret_references.refuse_unwritten(context.stage.context.get("environment"), context.execution, context.stage)
    group = await server_groups.provider(context.services, rollout.location.cloud_provider).create(
        NewServerGroup(
            key=rollout.key,
            name=rollout.new,
            place=rollout.location.place,
            image=rollout.image,
            version=rollout.version,
            capacity=_first_capacity(rollout),
            grows_to=strategies.most_at_once(cluster, rollout.capacity, (one.capacity for one in rollout.serving)),
            load_balancers=rollout.load_balancers,
            environment=texts(cluster.spec.environment),
            application=context.execution.head.application,
            probe=HealthProbe(path=cluster.spec.health_path),
            drain_timeout=cluster.drain,
            labels=texts(cluster.spec.labels),
            provider_options=context.stage.context,
        )
    )
    region = rollout.location.region
    address = ""
    for load_balancer in rollout.load_balancers[:1]:
        address = f"http://{await traffic_shares.address(context.services, load_balancer)}"
    deployed: JsonObject = {
        **clusters.place_json(rollout.location),
        "serverGroup": group.name,
        "cluster": rollout.cluster,
        "image": group.image,
        "version": group.version,
    }
    return Done(
        context={"deploy.server.groups": {region: [group.name]}, "imageId": group.image},
        outputs={
            "deploy.server.groups": {region: [group.name]},
            "serverGroup": group.name,
            "address": address,
            "deployedServerGroups": [deployed],
        },
    )


async def wait_for_up(context: TaskContext) -> TaskResult:
    """Done when enough instances are up; fails at once where they can't come up."""
    rollout = await rollouts.of_context(context)
    if rollout is None:
        return Failed(problem=_over(context))
    if rollout.overtaken:
        return Failed(problem=rollouts.why_overtaken(rollout))
    group = await server_groups.find(context.services, rollout.location, rollout.new)
    if group is None:
        return Failed(problem=_vanished(rollout.new))
    required = targets.required(context, _first_capacity(rollout))
    waiting = await upcoming.wait(context, group, required)
    if waiting is not None:
        return waiting
    if rollout.load_balancers or not server_groups.up(group):
        return Done()
    return Done(outputs={"address": f"http://{server_groups.up(group)[0].address}"})


async def plan_after(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
    """What the strategy does once the new server group is up."""
    cluster = clusters.read(context)
    if cluster.strategy == "custom":
        return (strategies.custom(cluster, context.stage, context.execution.head.id),)
    return strategies.after(cluster, context.stage.context)


async def plan_on_failure(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
    """The way back, if anything was begun."""
    key = context.stage.context.get(rollouts.CONTEXT_KEY)
    if not isinstance(key, str):
        return ()
    name = "Back to what served before"
    # A limit of its own: that of the deploy may be what is over.
    own: JsonObject = {rollouts.CONTEXT_KEY: key, "stageTimeoutMs": _WAY_BACK_MILLISECONDS}
    back = PlannedStage(type="undoRollout", name=name, context=own)
    return (back, *(replace(one, requisites=(0,)) for one in _told_of_failure(context)))


def _told_of_failure(context: StageContext) -> tuple[PlannedStage, ...]:
    """What tells the deployment monitor, where there is one. A cluster that can't be read any more doesn't bar the way back."""
    if not clusters.is_monitored(context.stage.context):
        return ()
    try:
        return strategies.after_failure(clusters.read(context), context.stage.context)
    except Refused as refused:
        log.warning("deploy.monitor_untold", stage=context.stage.id, why=str(refused))
        return ()


def _first_capacity(rollout: Rollout) -> Capacity:
    """A rolling update begins with nothing and grows."""
    return Capacity(min=0, max=0, desired=0) if rollout.strategy == "rollingredblack" else rollout.capacity


def _over(context: TaskContext) -> Problem:
    return Problem(
        code="deploy.over",
        message=f"The rollout of {context.stage.context.get('serverGroupName')} is over: it was taken back meanwhile.",
        remedy="Start the pipeline again, or restart the stage.",
    )


def _vanished(name: str) -> Problem:
    return Problem(
        code="server_group.vanished",
        message=f"{name} is gone: somebody has destroyed it while it was being deployed.",
        remedy="Deploy again.",
    )


_TASKS = (
    TaskType(name="determineSourceServerGroup", run=determine_source, stop=rollouts.stop, timeout=timedelta(days=1)),
    TaskType(name="createServerGroup", run=create, stop=rollouts.stop),
    TaskType(name="waitForUpInstances", run=wait_for_up, stop=rollouts.stop, timeout=timedelta(hours=2)),
)
_CLEARED = ("rollout", "serverGroupName", "source", "rollbackPlan", "savedCapacity", "deploy.server.groups")
stage = StageType(
    name="createServerGroup",
    label="Create Server Group",
    about=__doc__,
    spec=ClusterSpec,
    tasks=_TASKS,
    plan=plan,
    plan_after=plan_after,
    plan_on_failure=plan_on_failure,
    restart_clears=_CLEARED,
)
clone = replace(stage, name=_CLONE, label="Clone Server Group", aliases=("copyLastAsg",), restart_clears=_CLEARED[:2])
