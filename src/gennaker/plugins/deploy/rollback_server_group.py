"""Rollback Server Group: one server group gives way to an earlier one of its cluster, both named (Orca's EXPLICIT).

With PREVIOUS_IMAGE it is cloned instead, with the image that is named, and the clone takes its place (`redblack`).

The earlier one gets the larger of both sizes and is up, then one switch moves the traffic, then the other is drained and disabled.
`disableOnly` only takes out, `enableAndDisableOnly` leaves sizes as they are. A release that is rolled back by this is marked.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Capacity, ServerGroup
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import lengths, moniker, records, waiting
from gennaker.model.artifact import Plain
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, Done, PlannedStage, TaskResult
from gennaker.model.lengths import Duration
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import (
    clusters,
    draining,
    going_back,
    guards,
    interesting,
    releases,
    server_groups,
    taking_out,
    targets,
    upcoming,
)
from gennaker.plugins.deploy.server_groups import Location
from gennaker.plugins.deploy.targets import Target, TargetSpec

TYPE = "rollbackServerGroup"
_PREVIOUS_IMAGE = "PREVIOUS_IMAGE"
_KINDS = ("EXPLICIT", _PREVIOUS_IMAGE)


class Wanted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`rollbackContext`."""

    rollback_server_group_name: str = ""
    """What gives way."""
    restore_server_group_name: str = ""
    """What serves again."""
    target_healthy_rollback_percentage: float = 100
    delay_before_disable_seconds: float = 0
    disable_only: bool = False
    enable_and_disable_only: bool = False
    image_id: str = ""
    """Of PREVIOUS_IMAGE: the image's reference."""
    image_name: str = ""
    """The same where there is no `imageId`."""
    environment: dict[str, Plain] = {}
    """Of the clone: it can't be read off what is cloned."""


class Spec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    rollback_type: str = "EXPLICIT"
    rollback_context: Wanted = Wanted()
    up_timeout: Duration = "PT10M"


async def plan(spec: StageSpec, _: StageContext) -> Plan:
    """Checks what can be known before anything is done."""
    assert isinstance(spec, Spec)
    wanted = spec.rollback_context
    kind = spec.rollback_type.upper()
    if kind not in _KINDS:
        raise Refused(_type(spec.rollback_type))
    if not wanted.rollback_server_group_name:
        raise Refused(_unnamed("rollbackServerGroupName"))
    if kind == _PREVIOUS_IMAGE:
        if not (wanted.image_id or wanted.image_name):
            raise Refused(_NO_IMAGE)
        return Plan()
    if not wanted.disable_only and not wanted.restore_server_group_name:
        raise Refused(_unnamed("restoreServerGroupName"))
    return Plan(tasks=tuple(task.planned() for task in _tasks(wanted)))


async def plan_after(spec: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
    """The clone with the previous image."""
    assert isinstance(spec, Spec)
    if spec.rollback_type.upper() != _PREVIOUS_IMAGE:
        return ()
    wanted = spec.rollback_context
    name = wanted.rollback_server_group_name
    location, parsed = _location(context, name), moniker.parse(name)
    told: JsonObject = {
        **clusters.place_json(location),
        "application": parsed.app or location.application,
        "stack": parsed.stack,
        "freeFormDetails": parsed.detail,
        "source": {**clusters.place_json(location), "serverGroupName": name},
        "image": wanted.image_id or wanted.image_name,
        "environment": dict(wanted.environment),
        "strategy": "redblack",
        "targetHealthyDeployPercentage": wanted.target_healthy_rollback_percentage,
        "delayBeforeCleanup": wanted.delay_before_disable_seconds,
        **({"upTimeout": spec.up_timeout} if clusters.says_up_within(context.stage.context) else {}),
        **interesting.passed_on(spec.interesting_health_provider_names),
    }
    return (PlannedStage(type="cloneServerGroup", name="Clone with the previous image", context=told),)


def _tasks(wanted: Wanted) -> Iterator[TaskType]:
    if wanted.disable_only:
        yield _GUARD
    else:
        yield _UP if wanted.enable_and_disable_only else _SIZE
        yield _SWITCH
        if wanted.delay_before_disable_seconds > 0:
            yield _WAIT
    yield _DISABLE


async def guard(context: TaskContext) -> TaskResult:
    """A guarded cluster keeps what serves."""
    await guards.check(context, (await _group(context, _wanted(context).rollback_server_group_name),))
    return Done()


async def restore_size(context: TaskContext) -> TaskResult:
    """The restored one becomes as large as the one that it takes over from, and is up."""
    wanted = _wanted(context)
    leaving = await _group(context, wanted.rollback_server_group_name)
    returning = await _group(context, wanted.restore_server_group_name)
    size = _restored(leaving.capacity, returning.capacity)
    if returning.capacity != size:
        provider = server_groups.provider(context.services, returning.cloud_provider)
        await provider.resize(returning.place, returning.name, size)
    return await _up(context, returning, size.desired)


async def wait_for_up(context: TaskContext) -> TaskResult:
    """The restored one is up at its own size."""
    returning = await _group(context, _wanted(context).restore_server_group_name)
    return await _up(context, returning, returning.capacity.desired)


async def switch(context: TaskContext) -> TaskResult:
    """One switch a load balancer."""
    wanted = _wanted(context)
    leaving = await _group(context, wanted.rollback_server_group_name)
    returning = await _group(context, wanted.restore_server_group_name)
    await going_back.switch(context.services, _location(context, leaving.name), leaving=leaving, returning=returning)
    if not wanted.delay_before_disable_seconds > 0:
        await _mark(context, leaving)
    return Done(context={"switchedAt": context.at.isoformat()})


async def wait(context: TaskContext) -> TaskResult:
    """The other stays warm for a while: only then is its release marked, after which it is decommissioned."""
    switched = datetime.fromisoformat(str(context.stage.context["switchedAt"]))
    until = switched + lengths.of_seconds(_wanted(context).delay_before_disable_seconds)
    if context.at < until:
        waits = waiting.ForTime(reason="the time before disabling", until=until)
        return Again(after=until - context.at, waiting_for=waits)
    await _mark(context, await _group(context, _wanted(context).rollback_server_group_name))
    return Done()


async def _mark(context: TaskContext, leaving: ServerGroup) -> None:
    """The release that is rolled back by this no longer serves."""
    location = _location(context, leaving.name)
    for one in await releases.serving(
        context.services,
        location.application,
        server_groups.cluster_of(leaving),
        account=location.account,
        region=location.region,
    ):
        if one.server_group == leaving.name:
            await releases.roll_back(context.services, one, at=context.at, because="Its cluster was rolled back.")


async def disable(context: TaskContext) -> TaskResult:
    """Drains and disables what was rolled back."""
    leaving = await _group(context, _wanted(context).rollback_server_group_name)
    await taking_out.without_traffic(context.services, frozenset({traffic.key(leaving.place, leaving.name)}))
    drained = await draining.wait(context, leaving)
    if isinstance(drained, Again):
        return drained
    provider = server_groups.provider(context.services, leaving.cloud_provider)
    await provider.set_disabled(leaving.place, leaving.name, is_disabled=True)
    return drained


async def _up(context: TaskContext, group: ServerGroup, desired: int) -> TaskResult:
    required = clusters.required(desired, _wanted(context).target_healthy_rollback_percentage)
    waiting = await upcoming.wait(context, group, required)
    return waiting or await upcoming.wait_to_serve(context, group) or Done()


def _wanted(context: StageContext) -> Wanted:
    return records.demanded(context.stage.context.get("rollbackContext") or {}, Wanted, of="the rollbackContext")


def _location(context: StageContext, name: str) -> Location:
    application = context.execution.head.application
    return targets.location_of(context.stage.context, context.services, named=name, application=application)


async def _group(context: StageContext, name: str) -> ServerGroup:
    return await targets.group(context, Target(location=_location(context, name), name=name))


def _restored(leaving: Capacity, returning: Capacity) -> Capacity:
    """The larger of both, with the minimum of what it takes over from: its own may be that of one scaled down to nothing."""
    desired, high = max(leaving.desired, returning.desired), max(leaving.max, returning.max)
    if returning == Capacity(min=desired, max=high, desired=desired):
        return returning
    return Capacity(min=min(leaving.min, desired), max=high, desired=desired)


def _type(given: str) -> Problem:
    return Problem(
        code="rollback.type",
        message=f"Server groups aren't rolled back by the way {given!r}.",
        remedy="Use EXPLICIT with `rollbackServerGroupName` and `restoreServerGroupName`, or PREVIOUS_IMAGE with `imageId`.",
        pointer="/rollbackType",
    )


def _unnamed(key: str) -> Problem:
    return Problem(
        code="target.unnamed",
        message=f"The stage doesn't say which server group is meant by `{key}`.",
        remedy="Name it in `rollbackContext`.",
        pointer=f"/rollbackContext/{key}",
    )


_NO_IMAGE = Problem(
    code="rollback.no_image",
    message="The stage doesn't say which image is the previous one.",
    remedy="Name it in `rollbackContext.imageId`.",
    pointer="/rollbackContext/imageId",
)
_GUARD = TaskType(name="checkTrafficGuards", run=guard)
_SIZE = TaskType(name="restoreSize", run=restore_size)
_UP = TaskType(name="waitForUpInstances", run=wait_for_up)
_SWITCH = TaskType(name="switchTraffic", run=switch)
_WAIT = TaskType(name="waitBeforeDisable", run=wait, timeout=None)
_DISABLE = TaskType(name="waitForServerGroupDisabled", run=disable)
stage = StageType(
    name=TYPE,
    label="Rollback Server Group",
    about=__doc__,
    spec=Spec,
    tasks=(_GUARD, _SIZE, _UP, _SWITCH, _WAIT, _DISABLE),
    plan=plan,
    plan_after=plan_after,
    restart_clears=("switchedAt",),
)
