"""Strategies: the stages that follow when a new server group is up. Pure.

* none: takes its part of the traffic beside the others.
* redblack (blue/green): checks, one switch, the old one drained and disabled, kept until its grace period, if it has one, is over.
* highlander: as redblack, then everything else in the cluster is destroyed.
* custom: a pipeline of one's own does it all, told where (Orca's parameters).
* rollingredblack (rolling update): step by step grows the new one, gives it traffic, makes the old one smaller.

All stages are linear and belong to the rollout: until its release has ended the rollout each failure leads back.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta

from gennaker.interfaces.clouds import Capacity
from gennaker.interfaces.routes import wrong
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import PlannedStage
from gennaker.model.execution import Stage
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import clusters, interesting, rollouts
from gennaker.plugins.deploy.clusters import Cluster

_DEFAULT_STEPS = (50.0, 100.0)
_MOST_STEPS = 20
_CLEANED_UP_WITHIN = timedelta(minutes=10)


def check(cluster: Cluster) -> None:
    """Refuses what can't work, before anything is done."""
    percent = cluster.spec.traffic_percent
    if percent is not None and not 0 < percent < 100:
        raise _wrong("trafficPercent", f"{percent:g} is no percentage between 0 and 100")
    if percent is not None and cluster.strategy in ("redblack", "rollingredblack"):
        raise _wrong("trafficPercent", f"a fixed percentage doesn't go with the strategy {cluster.strategy}")
    _check_routes(cluster)
    if cluster.strategy == "custom" and not cluster.spec.strategy_pipeline:
        raise _wrong("strategyPipeline", "the strategy custom needs the id of a pipeline")
    for key, given in (
        ("targetPercentages", cluster.spec.target_percentages),
        ("deploySteps", cluster.spec.deploy_steps),
    ):
        if any(not 0 < step <= 100 for step in given):
            raise _wrong(key, "percentages are greater than 0 and at most 100")
    if cluster.spec.rollback.on_pipeline_failure and cluster.strategy in ("none", "highlander", "custom"):
        raise _wrong("rollback", f"the strategy {cluster.strategy} keeps nothing to roll back to")
    list(_checks(cluster, {}))


def _check_routes(cluster: Cluster) -> None:
    routes = cluster.spec.routes
    said = wrong(routes)
    if not said and routes.needs and cluster.strategy not in ("none", "highlander"):
        said = f"the strategy {cluster.strategy} moves all traffic; routes go with none and highlander"
    if not said and routes.needs and not cluster.load_balancers:
        said = "there is no load balancer that could route"
    if said:
        raise _wrong("routes", said)


def custom(cluster: Cluster, stage: Stage, execution_id: str) -> PlannedStage:
    """The pipeline stage that takes the place of everything which a createServerGroup stage does."""
    own = stage.context
    parameters: JsonObject = {
        "application": cluster.location.application,
        "credentials": cluster.location.account,
        "cluster": cluster.name,
        "moniker": cluster.spec.moniker or {"app": cluster.location.application, "cluster": cluster.name},
        "region": cluster.location.region,
        "cloudProvider": cluster.location.cloud_provider,
        "strategy": True,
        "clone": stage.type == "cloneServerGroup",
        "parentPipelineId": execution_id,
        "parentStageId": stage.id,
        **foreign.mapping(own.get("pipelineParameters")),
    }
    told: JsonObject = {
        "application": cluster.location.application,
        "pipelineApplication": cluster.spec.strategy_application,
        "pipelineId": cluster.spec.strategy_pipeline,
        "pipeline": cluster.spec.strategy_pipeline,
        "pipelineParameters": parameters,
    }
    return PlannedStage(type="pipeline", name="pipeline", context=told)


def after(cluster: Cluster, context: JsonObject) -> tuple[PlannedStage, ...]:
    """The stages after the new server group is up; `context`: that of its createServerGroup stage."""
    match cluster.strategy:
        case "none":
            stages = [*_checks(cluster, context), _traffic(cluster, context, "join")]
        case "rollingredblack":
            stages = list(_rolling(cluster, context))
        case _:
            stages = [
                *_checks(cluster, context),
                *_wait("Wait before the switch", _delay(cluster, context)),
                _traffic(cluster, context, "switch"),
                *_cleanup(cluster, context),
            ]
    return tuple(
        PlannedStage(type=one.type, name=one.name, context=one.context, requisites=(place - 1,) if place else ())
        for place, one in enumerate(stages)
    )


def steps(cluster: Cluster) -> tuple[float, ...]:
    """The percentages of a rolling update; the last is 100."""
    match clusters.called(cluster.spec):
        case clusters.MONITORED:
            given = cluster.spec.deploy_steps
        case clusters.ROLLING_PUSH:
            given = _relaunches(cluster)
        case _:
            given = ()
    wanted = given or cluster.spec.target_percentages or _DEFAULT_STEPS
    return wanted if wanted[-1] == 100 else (*wanted, 100.0)


def _relaunches(cluster: Cluster) -> tuple[float, ...]:
    """As many instances at a time as the cluster says, in at most so many steps as a person still follows."""
    at_a_time, desired = cluster.spec.termination.concurrent_relaunches, cluster.capacity.desired
    if at_a_time <= 0 or desired <= 0:
        return ()
    at_a_time = max(at_a_time, math.ceil(desired / _MOST_STEPS))
    return tuple(min(100.0, 100 * number / desired) for number in range(at_a_time, desired + at_a_time, at_a_time))


def most_at_once(cluster: Cluster, new: Capacity, serving: Iterable[Capacity]) -> int:
    """How many more instances than now a deploy has at its largest, before what it replaces is gone."""
    if cluster.strategy != "rollingredblack":
        return new.desired
    old = [*serving] if _shrinks(cluster) else []
    most = gone = 0
    for percent in steps(cluster):
        most = max(most, clusters.part(new, percent).desired - gone)
        gone = sum(one.desired - remaining(one, percent).desired for one in old)
    return most


def _shrinks(cluster: Cluster) -> bool:
    """Whether a rolling update makes the old one smaller: what is to be kept keeps its size."""
    return cluster.grace == timedelta()


def remaining(capacity: Capacity, percent: float) -> Capacity:
    """What an old server group keeps when this percentage has moved to the new one."""
    desired = math.ceil(capacity.desired * (100 - percent) / 100)
    return Capacity(min=min(capacity.min, desired), max=max(capacity.max, desired), desired=desired)


def _rolling(cluster: Cluster, context: JsonObject) -> Iterator[PlannedStage]:
    capacity = _capacity(context.get("savedCapacity"))
    yield from _monitored(cluster, context, "notifyDeployStarting", "Tell the monitor of the deploy")
    for number, percent in enumerate(steps(cluster)):
        grown: JsonObject = {
            **_own(cluster, context),
            "action": "scale_exact",
            "capacity": clusters.capacity_json(clusters.part(capacity, percent)),
        }
        if clusters.says_up_within(context):
            grown["upTimeout"] = cluster.up_within.total_seconds()
        yield PlannedStage(type="resizeServerGroup", name=f"Grow to {percent:g}% of Desired Size", context=grown)
        if number == 0:
            yield from _checks(cluster, context)
        yield from _wait(f"Wait at {percent:g}%", cluster.spec.delay_before_cleanup or _old_delay(cluster))
        yield from _validation(cluster, context, percent)
        if percent == 100:
            yield from _evaluated(cluster, context, percent)
            yield _traffic(cluster, context, "switch")
            yield from _scaled_down(cluster, context)
            if clusters.called(cluster.spec) == clusters.MONITORED:
                yield from _few(cluster, context)
            yield from _told(cluster, context, status="success", rollback="not_performed")
            return
        yield _traffic(cluster, context, "step", percent=percent)
        if _shrinks(cluster):
            yield from _shrunk(cluster, context, percent)
        yield from _evaluated(cluster, context, percent)


def after_failure(cluster: Cluster, context: JsonObject) -> tuple[PlannedStage, ...]:
    """The stages after the way back."""
    return tuple(_told(cluster, context, status="failure", rollback="success"))


def is_monitored(cluster: Cluster) -> bool:
    """Whether a deployment monitor judges its steps."""
    return clusters.called(cluster.spec) == clusters.MONITORED and bool(cluster.spec.deployment_monitor)


def _evaluated(cluster: Cluster, context: JsonObject, percent: float) -> Iterator[PlannedStage]:
    name = f"Ask the monitor at {percent:g}%"
    yield from _monitored(cluster, context, "evaluateDeploymentHealth", name, currentProgress=percent)


def _told(cluster: Cluster, context: JsonObject, *, status: str, rollback: str) -> Iterator[PlannedStage]:
    name = "Tell the monitor how it ended"
    yield from _monitored(cluster, context, "notifyDeployCompleted", name, status=status, rollback=rollback)


def _monitored(cluster: Cluster, context: JsonObject, kind: str, name: str, **more: Json) -> Iterator[PlannedStage]:
    if is_monitored(cluster):
        old = next((group for group, _ in _serving(context)), None)
        own: JsonObject = {"deploymentMonitor": cluster.spec.deployment_monitor, "oldServerGroup": old, **more}
        yield PlannedStage(type=kind, name=name, context={**_own(cluster, context), **own})


def _shrunk(cluster: Cluster, context: JsonObject, percent: float) -> Iterator[PlannedStage]:
    for name, before in _serving(context):
        capacity = remaining(before, percent)
        if capacity.desired < before.desired:
            smaller: JsonObject = {
                **_own(cluster, context),
                "serverGroupName": name,
                "asgName": name,
                "action": "scale_exact",
                "capacity": clusters.capacity_json(capacity),
            }
            yield PlannedStage(
                type="resizeServerGroup", name=f"Shrink {name} to {capacity.desired} at {percent:g}%", context=smaller
            )


def _traffic(cluster: Cluster, context: JsonObject, mode: str, *, percent: float = 100) -> PlannedStage:
    new = context.get("serverGroupName")
    if mode == "step":
        name = f"Give {percent:g}% of the traffic to {new}"
    elif mode == "join":
        part, routes = cluster.spec.traffic_percent, cluster.spec.routes
        gets = [f"{part:g}% of the traffic"] if part is not None else []
        gets += [str(routes)] if routes.needs else []
        name = f"Give {' and '.join(gets) or 'traffic'} to {new}"
    else:
        name = f"Switch all traffic to {new or 'the new server group'}"
    told: JsonObject = {**_own(cluster, context), "mode": mode, "percent": percent}
    return PlannedStage(type="shiftTraffic", name=name, context=told)


def _cleanup(cluster: Cluster, context: JsonObject) -> Iterator[PlannedStage]:
    """Orca's own stages after the switch; the rollout is over by then."""
    shared = _shared(cluster, context)
    if cluster.strategy == "highlander":
        only: JsonObject = {**shared, "shrinkToSize": 1, "allowDeleteActive": True, "retainLargerOverNewer": False}
        yield PlannedStage(type="shrinkCluster", name="Shrink Cluster", context=only)
    else:
        yield from _few(cluster, context)
    yield from _scaled_down(cluster, context)


def _few(cluster: Cluster, context: JsonObject) -> Iterator[PlannedStage]:
    if cluster.spec.max_remaining_asgs > 0:
        several: JsonObject = {
            **_shared(cluster, context),
            "shrinkToSize": cluster.spec.max_remaining_asgs,
            "allowDeleteActive": cluster.spec.allow_delete_active and not _is_lenient(cluster),
            **_tolerated(cluster),
        }
        yield PlannedStage(type="shrinkCluster", name="Shrink Cluster", context=several)


def _scaled_down(cluster: Cluster, context: JsonObject) -> Iterator[PlannedStage]:
    if cluster.spec.scale_down:
        yield from _wait("Wait Before Scale Down", cluster.spec.delay_before_scale_down_sec)
        down: JsonObject = {
            **_shared(cluster, context),
            "remainingFullSizeServerGroups": 1,
            "allowScaleDownActive": cluster.spec.allow_scale_down_active and not _is_lenient(cluster),
            **_tolerated(cluster),
        }
        yield PlannedStage(type="scaleDownCluster", name="Scale Down Cluster", context=down)


def _is_lenient(cluster: Cluster) -> bool:
    """Of monitored, as in Orca: cleaning up touches nothing that serves, and doesn't fail the deploy."""
    return clusters.called(cluster.spec) == clusters.MONITORED


def _tolerated(cluster: Cluster) -> JsonObject:
    if not _is_lenient(cluster):
        return {}
    # A task whose failure is tolerated is followed by the next one, which might then wait for nothing.
    within = cluster.drain + _CLEANED_UP_WITHIN
    return {"continuePipeline": True, "failPipeline": False, "stageTimeoutMs": within // timedelta(milliseconds=1)}


def _shared(cluster: Cluster, context: JsonObject) -> JsonObject:
    return {
        **clusters.place_json(cluster.location),
        "cluster": context.get("clusterName"),
        "drainTimeout": cluster.drain.total_seconds(),
    }


def _checks(cluster: Cluster, context: JsonObject) -> Iterator[PlannedStage]:
    """The checks on the new instances themselves, before any user sees them."""
    wanted = cluster.spec.verify
    for one in (wanted,) if isinstance(wanted, dict) else wanted:
        if not one:
            continue
        kind, settings = _check_of(one)
        told: JsonObject = {**_own(cluster, context), **settings}
        yield PlannedStage(type=kind, name=str(settings.get("name") or f"Verify ({kind})"), context=told)


def _check_of(one: JsonObject) -> tuple[str, JsonObject]:
    kind = one.get("type")
    if isinstance(kind, str):
        return kind, {key: value for key, value in one.items() if key not in ("type", "refId", "requisiteStageRefIds")}
    if len(one) == 1:
        key, settings = next(iter(one.items()))
        if isinstance(settings, dict):
            return key, settings
    raise _wrong("verify", 'each check is {"httpCheck": {…}} or a stage with its `type`')


def _validation(cluster: Cluster, context: JsonObject, percent: float) -> Iterator[PlannedStage]:
    wanted = cluster.spec.pipeline_before_cleanup
    if not wanted.pipeline_id:
        return
    place = cluster.location.place
    where: JsonObject = {
        "region": place.region,
        "account": place.account,
        "cloudProvider": cluster.location.cloud_provider,
    }
    source = next((name for name, _ in _serving(context)), None)
    parameters: JsonObject = {
        **wanted.pipeline_parameters,
        "deployedServerGroup": {**where, "serverGroupName": context.get("serverGroupName")},
        "sourceServerGroup": {**where, "serverGroupName": source},
        "percentageComplete": int(percent) if percent == int(percent) else percent,
    }
    told: JsonObject = {
        rollouts.CONTEXT_KEY: context.get(rollouts.CONTEXT_KEY),
        "application": wanted.application,
        "pipeline": wanted.pipeline_id,
        "pipelineParameters": parameters,
    }
    yield PlannedStage(type="pipeline", name=f"Run Validation Pipeline at {percent:g}%", context=told)


def _wait(name: str, seconds: float) -> Iterator[PlannedStage]:
    if seconds > 0:
        yield PlannedStage(type="wait", name=name, context={"waitTime": seconds})


def _delay(cluster: Cluster, context: JsonObject) -> float:
    """Nothing is waited for where there is nothing to take out."""
    return (cluster.spec.delay_before_cleanup or _old_delay(cluster)) if context.get("source") else 0


def _old_delay(cluster: Cluster) -> float:
    return 0 if cluster.spec.delay_before_cleanup else cluster.spec.delay_before_disable_sec


def _own(cluster: Cluster, context: JsonObject) -> JsonObject:
    """What every stage of the rollout knows."""
    return {
        rollouts.CONTEXT_KEY: context.get(rollouts.CONTEXT_KEY),
        **clusters.place_json(cluster.location),
        "serverGroupName": context.get("serverGroupName"),
        "asgName": context.get("serverGroupName"),
        "drainTimeout": cluster.drain.total_seconds(),
        **interesting.passed_on(cluster.spec.interesting_health_provider_names),
    }


def _serving(context: JsonObject) -> Iterator[tuple[str, Capacity]]:
    plan = context.get("rollbackPlan")
    serves = plan.get("serves") if isinstance(plan, dict) else None
    for one in serves if isinstance(serves, list) else []:
        if isinstance(one, dict) and one.get("enabled") is True:
            yield str(one.get("serverGroup")), _capacity(one.get("capacity"))


def _capacity(value: Json) -> Capacity:
    assert isinstance(value, dict), "the source was determined before"
    counts = {key: number for key, number in value.items() if isinstance(number, int)}
    return Capacity(min=counts["min"], max=counts["max"], desired=counts["desired"])


def _wrong(key: str, said: str) -> Refused:
    return Refused(
        Problem(
            code="stage.field_wrong",
            message=f"`{key}` is wrong: {said}.",
            remedy="Correct the cluster.",
            pointer=f"/{key}",
        )
    )
