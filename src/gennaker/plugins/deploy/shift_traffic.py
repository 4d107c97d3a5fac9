"""Shift Traffic: a step of a rollout that gives a new server group its part of the traffic.

`mode` is `step` (a part, in a rolling update), `switch` (all of it; the release is recorded and the old version drained)
or `join` (beside the others). Planned by strategies, not written in pipelines.
"""

from datetime import timedelta

from gennaker.interfaces import traffic
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import undrained
from gennaker.model.codec import to_json
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.plugins.deploy import rollouts, server_groups, shares, traffic_shares, upcoming
from gennaker.plugins.deploy.rollouts import Rollout

_LOOKS_AGAIN = timedelta(milliseconds=250)
_FIRST_UP_WITHIN = timedelta(minutes=10)


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    mode: str = "switch"
    percent: float = 100


async def plan(spec: StageSpec, _: StageContext) -> Plan:
    """A switch has more to do than a step."""
    assert isinstance(spec, Spec)
    tasks = {"step": (_SHIFT,), "join": (_JOIN, _COMPLETE)}.get(spec.mode, (_SHIFT, _RECORD, _COMPLETE))
    return Plan(tasks=tuple(task.planned() for task in tasks))


async def shift(context: TaskContext) -> TaskResult:
    """One switch a load balancer, if there is an instance that can serve."""
    rollout = await rollouts.of_context(context)
    if rollout is None:
        return Failed(problem=_over())
    if rollout.overtaken:
        return Failed(problem=rollouts.why_overtaken(rollout))
    unready = await _unready(context, rollout)
    if unready is not None:
        return unready
    percent = context.stage.context.get("percent")
    await rollouts.shift(context.services, rollout, percent if isinstance(percent, int | float) else 100)
    return Done()


async def join(context: TaskContext) -> TaskResult:
    """Takes its part beside the others: a fixed percentage, or what its size says."""
    rollout = await rollouts.of_context(context)
    if rollout is None:
        return Failed(problem=_over())
    if rollout.overtaken:
        return Failed(problem=rollouts.why_overtaken(rollout))
    unready = await _unready(context, rollout)
    if unready is not None:
        return unready
    known = traffic_shares.with_members((rollout.new,), rollout.location)
    groups = await server_groups.all_of(context.services, rollout.location)
    sizes = {traffic.key(one.place, one.name): one.capacity.desired for one in groups}
    key = rollouts.key_of_new(rollout)

    def change(members: shares.Members) -> shares.Members:
        members = known(members)
        if not rollout.is_whole:
            return shares.with_part(members, key, rollout.traffic_percent, rollout.routes)
        if members[key].takes_traffic:
            return members
        return shares.joined(members, key, rollout.capacity.desired, sizes)

    for load_balancer in rollout.load_balancers:
        await traffic_shares.change(context.services, load_balancer, change)
    if rollout.is_whole and not rollout.serving:
        await rollouts.released(context.services, rollout, context.at)
    return Done()


async def record(context: TaskContext) -> TaskResult:
    """Writes the release down: from now on the new server group is what serves."""
    rollout = await rollouts.of_context(context)
    if rollout is None:
        return Failed(problem=_over())
    if rollout.overtaken:
        return Failed(problem=rollouts.why_overtaken(rollout))
    if not rollout.is_whole:
        return Done()
    release = await rollouts.released(context.services, rollout, context.at)
    return Done(outputs={"release": to_json(release)})


async def complete(context: TaskContext) -> TaskResult:
    """Drains what was replaced and takes it out of traffic; then the rollout is over."""
    rollout = await rollouts.of_context(context)
    if rollout is None:
        return Done()
    if rollout.overtaken:
        return Failed(problem=rollouts.why_overtaken(rollout))
    if context.stage.context.get("mode") == "join":
        await rollouts.end(context.services, rollout)
        return Done()
    said = await rollouts.complete(context.services, rollout)
    if said:
        return Again(after=_LOOKS_AGAIN, waiting_for=rollouts.waits(rollout, said))
    replaced = tuple(one.name for one in rollout.serving)
    return Done(context=undrained.context(await rollouts.under_way(context.services, rollout, replaced)))


async def _unready(context: TaskContext, rollout: Rollout) -> Again | Failed | None:
    """None when an instance can serve. Whoever has not had health looked at waits for the first one here, for nobody else does."""
    group = await server_groups.find(context.services, rollout.location, rollout.new)
    if group is None:
        gone = Problem(code="server_group.vanished", message=f"{rollout.new} is gone.", remedy="Deploy again.")
        return Failed(problem=gone)
    if not rollout.capacity.desired or server_groups.up(group):
        return None
    waiting = await upcoming.wait_to_serve(context, group, _FIRST_UP_WITHIN)
    if waiting is not None:
        return waiting
    problem = server_groups.not_up(group, "gets no traffic")
    if server_groups.is_unknown(group):
        raise Refused(problem, status=UNAVAILABLE)
    return Failed(problem=problem)


def _over() -> Problem:
    return Problem(
        code="deploy.over",
        message="The rollout that this stage belongs to is over.",
        remedy="Start the pipeline again, or restart the deploy stage.",
    )


_SHIFT = TaskType(name="shiftTraffic", run=shift, stop=rollouts.stop)
_JOIN = TaskType(name="joinTraffic", run=join, stop=rollouts.stop)
_RECORD = TaskType(name="recordRelease", run=record, stop=rollouts.stop)
_COMPLETE = TaskType(name="drainReplaced", run=complete, stop=rollouts.stop)
stage = StageType(
    name="shiftTraffic",
    label="Shift Traffic",
    about=__doc__,
    spec=Spec,
    tasks=(_SHIFT, _JOIN, _RECORD, _COMPLETE),
    plan=plan,
)
