"""Enable and disable: puts a workload behind its Services or takes it out, by the labels of its pods.

The workload is patched, and of ReplicaSets the pods too, which take no more notice of their template: several at a time,
as each of them gets traffic until its label is gone.
"""

from collections.abc import Callable
from functools import partial

from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.event import TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import (
    annotations,
    asking,
    changing,
    diagnosing,
    kinds,
    manifests,
    resolving,
    stability,
    traffic,
)
from gennaker.plugins.kubernetes.changing import Change
from gennaker.plugins.kubernetes.kinds import Can, Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import Objects

_AT_A_TIME = 10
Patch = Callable[[JsonObject, JsonObject], list[JsonObject]]


class Spec(resolving.TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    load_balancers: tuple[str, ...] | None = ()
    """As `service my-lb`; none: those that the workload declares."""


async def enable(context: TaskContext) -> TaskResult:
    """Traffic comes."""
    return await _switch(context, traffic.enabling)


async def disable(context: TaskContext) -> TaskResult:
    """Traffic goes elsewhere; what runs goes on running."""
    return await _switch(context, traffic.disabling)


async def _switch(context: TaskContext, patch: Patch) -> TaskResult:
    objects, own = asking.objects(context), context.stage.context
    where = resolving.target(own)
    if Can.TRAFFIC not in objects.account.custom.of(where.kind).can:
        raise Refused(
            Problem(
                code="traffic.kind",
                message=f"{where.full_name} gets no traffic.",
                remedy="Name a workload: `replicaSet web-v001`.",
            )
        )
    written: JsonObject = {}
    for service in await _services(objects, own, where):
        # Read again for each: what one adds another may replace.
        workload = await resolving.live(objects, where)
        written = await _change(workload, service, patch).make(objects) or written
        pods = await _pods(objects, workload)
        switches = [partial(_make_if_there, objects, _change(pod, service, patch)) for pod in pods]
        await asking.several(switches, at_a_time=_AT_A_TIME)
    return stability.changed(where, written)


async def _services(objects: Objects, own: JsonObject, where: Coordinates) -> list[JsonObject]:
    given = tuple(foreign.text(one) for one in foreign.items(own.get("loadBalancers")))
    named = given or annotations.load_balancers(await resolving.live(objects, where))
    return [await resolving.live(objects, traffic.coordinates(name, where.namespace)) for name in named]


async def _pods(objects: Objects, workload: JsonObject) -> list[JsonObject]:
    """Those that take no more notice of the workload's template."""
    if kinds.of(workload).name != "replicaSet":
        return []
    return diagnosing.own_pods(workload, await objects.list(Kind("pod"), manifests.namespace(workload)))


def _change(live: JsonObject, service: JsonObject, patch: Patch) -> Change:
    return Change(where=manifests.coordinates(live), patch=[*patch(live, service)], merge="json")


async def _make_if_there(objects: Objects, change: Change) -> None:
    try:
        await change.make(objects)
    except Refused:
        if await objects.get(change.where) is not None:
            raise


def _changes(patch: Patch) -> changing.Find:
    async def find(context: TaskContext, objects: Objects) -> list[Change]:
        where = resolving.target(context.stage.context)
        workload = await resolving.live(objects, where)
        meant = [workload, *await _pods(objects, workload)]
        services = await _services(objects, context.stage.context, where)
        return [_change(one, service, patch) for service in services for one in meant]

    return find


enabling = stability.waiting_for_it(
    StageType(
        name="enableManifest",
        label="Enable (Manifest)",
        about=__doc__,
        spec=Spec,
        tasks=(
            resolving.task,
            asking.task("enableManifest", enable, stop=changing.stopped(_changes(traffic.enabling))),
            stability.task,
        ),
        restart_clears=resolving.RESTART_CLEARS,
    )
)
disabling = stability.waiting_for_it(
    StageType(
        name="disableManifest",
        label="Disable (Manifest)",
        about=__doc__,
        spec=Spec,
        tasks=(
            resolving.task,
            asking.task("disableManifest", disable, stop=changing.stopped(_changes(traffic.disabling))),
            stability.task,
        ),
        restart_clears=resolving.RESTART_CLEARS,
    )
)
