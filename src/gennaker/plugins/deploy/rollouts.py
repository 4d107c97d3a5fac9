"""Rollouts: what a deploy is about to change, written down before it starts, and the way back.

Theory of operation. Before anything is created a rollout is kept in Documents `deploy.rollouts`: what serves now with
weights, sizes and images, and the name of the new server group. Every task of a deploy finds it by the key in its
stage's context. `undo` and `complete` are functions from what is there now towards one of the two ends; each call does
what can be done now and says what it waits for. They are called from tasks (a failed deploy goes back as a stage that
people see), from stop hooks (a cancelled one) and, for whatever was cut off, by the rollout keeper.

A rollout is over when its document is gone. A failure at any time leads back to what served before. A cancellation
leads back too, unless the new server group has been released: then it serves and stays.

Rollouts of one cluster go one after another, each in its turn: it has written down what serves, and of two at once both
new versions would be left serving. A rollback doesn't wait: it overtakes the rollout that is under way, which then only
removes what it has made.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from fractions import Fraction

import msgspec
from msgspec.structs import replace

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Capacity, ServerGroup
from gennaker.interfaces.documents import VersionMismatch
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext, TaskContext
from gennaker.model import undrained, waiting
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.problems import Problem
from gennaker.model.release import Release
from gennaker.plugins.deploy import draining, releases, server_groups, shares, traffic_shares
from gennaker.plugins.deploy.server_groups import Location
from gennaker.plugins.deploy.shares import Member

_NAMESPACE = "deploy.rollouts"
_AS_GOOD_AS_OVER = timedelta(seconds=1)
"""Before its end draining is looked at again, by a clock that has gone on."""
_TURNS = "deploy.turns"
CONTEXT_KEY = "rollout"
_FULL_SIZE_WITHIN = timedelta(minutes=3)
"""So long a way back waits for the old version's full size before it gets the traffic nevertheless."""


class Before(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server group of the cluster as it was before."""

    name: str
    image: str
    version: str = ""
    capacity: Capacity
    is_disabled: bool = False
    traffic: dict[str, Member] = {}
    """By load balancer."""

    @property
    def serves(self) -> bool:
        """It was in traffic, or would be if there were a load balancer."""
        return not self.is_disabled

    @property
    def takes_traffic(self) -> bool:
        """Some load balancer sent it new requests."""
        return any(member.takes_traffic for member in self.traffic.values())


class Rollout(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One deploy to one cluster."""

    key: str
    execution_id: str
    location: Location
    cluster: str
    load_balancers: tuple[str, ...] = ()
    strategy: str
    new: str
    """Name of the new server group."""
    holder: str
    """Who has reserved its number."""
    image: str
    version: str = ""
    capacity: Capacity
    traffic_percent: float | None = None
    routes: Routes = Routes()
    before: tuple[Before, ...] = ()
    """All server groups of the cluster, oldest first."""
    release_id: str
    drain: timedelta
    grace: timedelta | None
    is_watched: bool = False
    """A later failure of the same run rolls the release back."""
    overtaken: str = ""
    """Why this rollout may change nothing any more but what it has made itself; empty: it may go on."""
    undo_since: datetime | None = None
    drain_since: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """The new server group gets what the cluster has, not a fixed part."""
        return self.traffic_percent is None and not self.routes.needs

    @property
    def serving(self) -> tuple[Before, ...]:
        """What served before, oldest first."""
        return tuple(one for one in self.before if one.serves)

    @property
    def replaced(self) -> Before | None:
        """What a release would replace: the newest that served users, or the newest where there is no traffic."""
        in_traffic = [one for one in self.serving if one.takes_traffic]
        found = in_traffic or self.serving
        return found[-1] if found else None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Whose rollout may change a cluster."""

    rollout: str
    execution_id: str


async def take_turn(services: Services, turn: Turn, location: Location, cluster: str) -> str:
    """Takes the cluster for a rollout that is about to begin; else returns the execution that has it."""
    documents = services.documents(_TURNS)
    while True:
        document = await documents.get(number_queue(location, cluster))
        taken = msgspec.convert(document.body, Turn) if document else None
        if taken == turn:
            return ""
        if taken is not None and not await _is_left_behind(services, taken):
            return taken.execution_id
        body = to_json(turn)
        assert isinstance(body, dict)
        try:
            await documents.put(number_queue(location, cluster), body, if_version=document.version if document else 0)
        except VersionMismatch:
            continue


async def begin(services: Services, rollout: Rollout) -> Rollout:
    """Writes a rollout down; a repeat gets the one that was written first."""
    documents = services.documents(_NAMESPACE)
    try:
        await documents.put(rollout.key, _body(rollout), if_version=0)
    except VersionMismatch:
        written = await documents.get(rollout.key)
        assert written is not None, "a rollout ends only after its stage"
        return msgspec.convert(written.body, Rollout)
    return rollout


async def find(services: Services, key: str) -> Rollout | None:
    """The rollout; None: it is over, or never began."""
    document = await services.documents(_NAMESPACE).get(key)
    return msgspec.convert(document.body, Rollout) if document else None


async def of_context(context: StageContext) -> Rollout | None:
    """The rollout to which a stage belongs: one of its own execution, whatever a pipeline's author wrote."""
    key = context.stage.context.get(CONTEXT_KEY)
    found = await find(context.services, key) if isinstance(key, str) else None
    return found if found is not None and found.execution_id == context.execution.head.id else None


async def unfinished(services: Services) -> tuple[Rollout, ...]:
    """All that aren't over."""
    return tuple(msgspec.convert(one.body, Rollout) for one in await services.documents(_NAMESPACE).list())


def plan_json(rollout: Rollout) -> JsonObject:
    """The rollback plan as people and programs see it in the stage's context (`rollbackPlan`)."""
    serves: list[Json] = [
        {
            "serverGroup": one.name,
            "image": one.image,
            "version": one.version,
            "capacity": to_json(one.capacity),
            "enabled": one.serves,
            "weights": {lb: member.weight for lb, member in one.traffic.items()},
        }
        for one in rollout.before
    ]
    replaced = rollout.replaced
    return {
        "restores": replaced.name if replaced else None,
        "restoresVersion": replaced.version if replaced else None,
        "removes": rollout.new,
        "serves": serves,
    }


def before_of(group: ServerGroup, traffic: dict[str, Member]) -> Before:
    """A server group as it is now."""
    return Before(
        name=group.name,
        image=group.image,
        version=group.version,
        capacity=group.capacity,
        is_disabled=group.is_disabled,
        traffic=traffic,
    )


async def shift(services: Services, rollout: Rollout, percent: float) -> None:
    """Gives the new server group this part of what the cluster gets; one switch a load balancer."""
    before = frozenset(_key(rollout, one.name) for one in rollout.before)
    known = traffic_shares.with_members((rollout.new, *(one.name for one in rollout.serving)), rollout.location)
    for load_balancer in rollout.load_balancers:

        def change(members: shares.Members, lb: str = load_balancer) -> shares.Members:
            if not rollout.is_whole:
                alone = shares.without_traffic(known(members), before)
                return shares.with_part(alone, key_of_new(rollout), rollout.traffic_percent, rollout.routes)
            return shares.redistributed(known(members), _portions(rollout, lb, percent))

        await traffic_shares.change(services, load_balancer, change)


def _portions(rollout: Rollout, load_balancer: str, percent: float) -> dict[str, Fraction]:
    old = {
        _key(rollout, one.name): one.traffic[load_balancer].weight if load_balancer in one.traffic else 0
        for one in rollout.serving
    }
    total = sum(old.values())
    part, new = Fraction(str(percent)) / 100, key_of_new(rollout)
    if not total:
        return {new: Fraction(1), **dict.fromkeys(old, Fraction())}
    return {new: total * part, **{key: weight * (1 - part) for key, weight in old.items()}}


def key_of_new(rollout: Rollout) -> str:
    """Of the new server group among the members of load balancers."""
    return _key(rollout, rollout.new)


def _key(rollout: Rollout, name: str) -> str:
    return traffic.key(rollout.location.place, name)


async def overtake(services: Services, location: Location, cluster: str, *, because: str) -> None:
    """Lets a rollout of the cluster that is under way change nothing any more: somebody has decided otherwise."""
    for one in await unfinished(services):
        if (one.location, one.cluster) == (location, cluster) and not one.overtaken:
            await _change(services, one, lambda rollout: replace(rollout, overtaken=because))


def why_overtaken(rollout: Rollout) -> Problem:
    """The problem of a stage whose rollout was overtaken."""
    return Problem(
        code="deploy.overtaken",
        message=f"{rollout.new} is not put into traffic: {rollout.overtaken}",
        remedy="Deploy again if this version is still wanted.",
    )


async def undo(services: Services, rollout: Rollout, *, because: str) -> str:
    """Goes back towards what served before; returns what it still waits for, or nothing when all is as it was."""
    now = services.clock.now()
    if rollout.undo_since is None:
        rollout = await _change(services, rollout, lambda one: replace(one, undo_since=now))
    groups = {one.name: one for one in await server_groups.of_cluster(services, rollout.location, rollout.cluster)}
    if rollout.overtaken:
        await _new_out_of_traffic(services, rollout)
    elif await _is_alone(services, rollout, groups):
        return await complete(services, rollout)  # There is nothing left to go back to.
    else:
        lacking = await _full_size_again(services, rollout, groups, now)
        if lacking:
            return lacking
        await _traffic_back(services, rollout, groups)
    new = groups.get(rollout.new)
    if new is not None:
        busy = await _drained(services, rollout, (new,))
        if busy:
            return busy
        await server_groups.provider(services, rollout.location.cloud_provider).destroy(
            rollout.location.place, rollout.new
        )
        if await server_groups.find(services, rollout.location, rollout.new) is not None:
            return f"{rollout.new} to be gone"
    await _forget_new(services, rollout)
    release = await releases.find(services, rollout.release_id)
    if release is not None:
        await releases.roll_back(services, release, at=now, because=because)
    await end(services, rollout)
    return ""


def waits(rollout: Rollout, reason: str) -> waiting.ForObject:
    """Waiting for a rollout to come further; the reason is what `undo` or `complete` has returned."""
    place = f"{rollout.location.account}/{rollout.location.region}"
    return waiting.ForObject(reason=reason, kind="rollout", name=rollout.new, place=place)


async def complete(services: Services, rollout: Rollout) -> str:
    """Goes on towards the new server group alone; returns what it still waits for, or nothing when that is so."""
    groups = {one.name: one for one in await server_groups.of_cluster(services, rollout.location, rollout.cluster)}
    old = tuple(groups[one.name] for one in rollout.serving if one.name in groups)
    if not (busy := await _drained(services, rollout, old)):
        provider = server_groups.provider(services, rollout.location.cloud_provider)
        for one in old:
            if not one.is_disabled:
                await provider.set_disabled(one.place, one.name, is_disabled=True)
        await end(services, rollout)
    return busy


async def end(services: Services, rollout: Rollout) -> None:
    """The rollout is over; the server group's number speaks for itself."""
    queue = number_queue(rollout.location, rollout.cluster)
    await services.executions.return_number(queue, rollout.holder)
    turn = await services.documents(_TURNS).get(queue)
    if turn is not None and msgspec.convert(turn.body, Turn).rollout == rollout.key:
        await services.documents(_TURNS).delete(queue)
    await services.documents(_NAMESPACE).delete(rollout.key)


async def abandon(services: Services, rollout: Rollout, *, because: str) -> str:
    """One step for a rollout whose execution is over: on if it was released, back if it was not."""
    release = await releases.find(services, rollout.release_id)
    if release is not None and rollout.undo_since is None and not rollout.overtaken:
        return await complete(services, rollout)
    return await undo(services, rollout, because=because)


async def stop(context: TaskContext) -> None:
    """Stop hook of every task of a deploy. The keeper goes on with what this one step has to wait for."""
    head = context.execution.head
    rollout = await of_context(context)
    if rollout is None or not head.status.is_complete:
        return  # A task that ran out of time fails its stage, which goes back by itself.
    await abandon(context.services, rollout, because=f"Its execution has ended {head.status.value}.")


async def released(services: Services, rollout: Rollout, at: datetime) -> Release:
    """Records that the new server group serves; superseded releases follow."""
    replaced = rollout.replaced
    release = Release(
        id=rollout.release_id,
        application=rollout.location.application,
        account=rollout.location.account,
        region=rollout.location.region,
        cluster=rollout.cluster,
        cloud_provider=rollout.location.cloud_provider,
        load_balancers=rollout.load_balancers,
        server_group=rollout.new,
        image=rollout.image,
        version=rollout.version,
        replaced=replaced.name if replaced else None,
        replaced_version=replaced.version if replaced else "",
        execution_id=rollout.execution_id,
        released_at=at,
        warm_until=at + rollout.grace if replaced and rollout.grace else None,
        keeps_replaced=replaced is not None and rollout.grace is None,
    )
    if rollout.is_watched:
        await releases.watch(services, rollout.release_id, rollout.execution_id)
    return await releases.record(services, release)


def number_queue(location: Location, cluster: str) -> str:
    """Key under which a cluster's numbers are reserved."""
    return f"{location.account}:{location.region}:{cluster}"


async def _is_left_behind(services: Services, turn: Turn) -> bool:
    """Its execution has ended before its rollout began."""
    execution = await services.executions.get(turn.execution_id)
    is_over = execution is None or execution.head.status.is_complete
    return is_over and await find(services, turn.rollout) is None


async def _is_alone(services: Services, rollout: Rollout, groups: Mapping[str, ServerGroup]) -> bool:
    """All that served before is gone, and the new server group is what users have."""
    if rollout.new not in groups or not rollout.serving or any(one.name in groups for one in rollout.serving):
        return False
    members = await traffic_shares.of_group(services, rollout.location.place, rollout.new)
    return not rollout.load_balancers or any(member.takes_traffic for member in members.values())


async def _new_out_of_traffic(services: Services, rollout: Rollout) -> None:
    new = frozenset({key_of_new(rollout)})
    for load_balancer in await traffic_shares.of_group(services, rollout.location.place, rollout.new):
        await traffic_shares.change(services, load_balancer, lambda members: shares.without_traffic(members, new))


async def _full_size_again(
    services: Services, rollout: Rollout, groups: Mapping[str, ServerGroup], now: datetime
) -> str:
    """Only a rolling update makes the old version smaller: it gets its size before it gets its traffic."""
    if rollout.strategy != "rollingredblack":
        return ""
    assert rollout.undo_since is not None
    is_late = now - rollout.undo_since >= _FULL_SIZE_WITHIN
    provider = server_groups.provider(services, rollout.location.cloud_provider)
    lacking = ""
    for one in rollout.before:
        group = groups.get(one.name)
        if group is None:
            continue
        if group.capacity != one.capacity:
            await provider.resize(rollout.location.place, one.name, one.capacity)
        if one.serves and len(server_groups.up(group)) < one.capacity.desired and not is_late:
            lacking = server_groups.why_waiting(group, one.capacity.desired)
    return lacking


async def _traffic_back(services: Services, rollout: Rollout, groups: Mapping[str, ServerGroup]) -> None:
    there = tuple(one for one in rollout.before if one.name in groups)
    known = traffic_shares.with_members((one.name for one in there if one.serves), rollout.location)
    for load_balancer in rollout.load_balancers:
        member_before = {
            _key(rollout, one.name): one.traffic[load_balancer] for one in there if load_balancer in one.traffic
        }

        def change(members: shares.Members, before: dict[str, Member] = member_before) -> shares.Members:
            return _restored(known(members), key_of_new(rollout), before)

        await traffic_shares.change(services, load_balancer, change)
    provider = server_groups.provider(services, rollout.location.cloud_provider)
    for one in there:
        if groups[one.name].is_disabled != one.is_disabled:
            await provider.set_disabled(rollout.location.place, one.name, is_disabled=one.is_disabled)


def _restored(members: shares.Members, new: str, before: Mapping[str, Member]) -> shares.Members:
    old = {name: one.weight for name, one in before.items()}
    if any(old.values()):
        members = shares.redistributed(members, {**old, new: 0})
    members = shares.without_traffic(members, frozenset({new}))
    return {
        name: replace(one, percent=before[name].percent, routes=before[name].routes, limit=None)
        if name in before
        else one
        for name, one in members.items()
    }


async def _forget_new(services: Services, rollout: Rollout) -> None:
    await traffic_shares.forget(services, rollout.location.place, rollout.new)


async def under_way(services: Services, rollout: Rollout, names: tuple[str, ...]) -> dict[str, int | None]:
    """Requests that haven't ended at these server groups of the cluster, by name. None: it can't be told."""
    groups = await server_groups.of_cluster(services, rollout.location, rollout.cluster)
    return await draining.under_way(services, [one for one in groups if one.name in names])


async def left(services: Services, rollout: Rollout) -> dict[str, int | None]:
    """What hasn't ended at the new server group once its time for draining is as good as over; nothing before that."""
    now = services.clock.now()
    if now - (rollout.drain_since or now) < rollout.drain - _AS_GOOD_AS_OVER:
        return {}
    return await under_way(services, rollout, (rollout.new,))


async def _drained(services: Services, rollout: Rollout, groups: tuple[ServerGroup, ...]) -> str:
    """What is still under way at instances out of traffic; nothing when all is done or the time for it is over."""
    now = services.clock.now()
    if rollout.drain_since is None:
        rollout = await _change(services, rollout, lambda one: replace(one, drain_since=now))
    assert rollout.drain_since is not None
    if now - rollout.drain_since >= rollout.drain:
        return ""
    for name, count in (await draining.under_way(services, groups)).items():
        return undrained.waiting(name, count)
    return ""


async def _change(services: Services, rollout: Rollout, change: Callable[[Rollout], Rollout]) -> Rollout:
    """Changes the rollout as it is now; only the value in hand where it is over meanwhile."""
    documents = services.documents(_NAMESPACE)
    while True:
        document = await documents.get(rollout.key)
        if document is None:
            return change(rollout)
        after = change(msgspec.convert(document.body, Rollout))
        try:
            await documents.put(rollout.key, _body(after), if_version=document.version)
        except VersionMismatch:
            continue
        return after


def _body(rollout: Rollout) -> JsonObject:
    body = to_json(rollout)
    assert isinstance(body, dict)
    return body
