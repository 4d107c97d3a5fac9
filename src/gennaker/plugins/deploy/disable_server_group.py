"""Disable Server Group: removes it from traffic and waits until its instances have nothing under way.

The others get its part. Its instances keep running; enabling it again is a matter of one switch. With `desiredPercentage` below
100 only that part of its instances, rounded down, gets no new requests; it stays enabled, and traffic guards aren't asked.
"""

from typing import Annotated

import msgspec

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.event import TaskResult
from gennaker.plugins.deploy import draining, regions, rollouts, taking_out, targets, traffic_shares
from gennaker.plugins.deploy.targets import TargetSpec

_WHOLE = 100


class Spec(TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    desired_percentage: Annotated[float, msgspec.Meta(ge=0, le=_WHOLE)] | None = None
    """Which part of the instances loses its traffic; absent: all."""


async def plan(spec: StageSpec, context: StageContext) -> Plan:
    """A part, or all of it."""
    assert isinstance(spec, Spec)
    is_whole = spec.desired_percentage is None or spec.desired_percentage >= _WHOLE
    return await (_WHOLLY if is_whole else _PARTLY)(spec, context)


async def take_part(context: TaskContext) -> TaskResult:
    """The newest instances lose their traffic and are drained."""
    group = await targets.group(context, await targets.resolve(context))
    part = context.stage.context.get("desiredPercentage")
    leaving = int(len(group.instances) * part / _WHOLE) if isinstance(part, int | float) else len(group.instances)
    staying = len(group.instances) - leaving
    await traffic_shares.limit(context.services, group.place, group.name, staying)
    return await draining.wait(context, group, beyond=staying)


_CHOOSE = TaskType(name="determineTargetServerGroup", run=taking_out.choose_leaving, stop=rollouts.stop)
_CHOOSE_PART = TaskType(name="determineInstances", run=taking_out.choose_target, stop=rollouts.stop)
_PART = TaskType(name="takePartFromTraffic", run=take_part, stop=rollouts.stop)
_WHOLLY = regions.each(_CHOOSE, taking_out.FROM_TRAFFIC, taking_out.DRAIN)
_PARTLY = regions.each(_CHOOSE_PART, _PART)
stage = StageType(
    name="disableServerGroup",
    label="Disable Server Group",
    about=__doc__,
    spec=Spec,
    tasks=(_CHOOSE, taking_out.FROM_TRAFFIC, taking_out.DRAIN, _CHOOSE_PART, _PART),
    plan=plan,
    aliases=("disableAsg",),
    restart_clears=taking_out.CLEARED,
)
