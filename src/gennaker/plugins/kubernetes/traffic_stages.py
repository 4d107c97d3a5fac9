"""Enable and disable: puts a workload behind its Services or takes it out, by the labels of its pods.

The workload is patched, and of ReplicaSets the pods too, which take no more notice of their template: several at a time,
as each of them gets traffic until its label is gone.
"""

from collections.abc import Callable
from functools import partial

from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import annotations, asking, diagnosing, manifests, resolving, stability, traffic
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
    workload = await resolving.live(objects, where)
    given = tuple(foreign.text(one) for one in foreign.items(own.get("loadBalancers")))
    for name in given or annotations.load_balancers(workload):
        service = await resolving.live(objects, traffic.coordinates(name, where.namespace))
        # Read again for each: what one adds another may replace.
        await _patch(objects, where, await resolving.live(objects, where), service, patch)
        if where.kind.name == "replicaSet":
            await _patch_pods(objects, workload, service, patch)
    names: JsonObject = {stability.NAMES: {where.namespace: [where.full_name]}}
    return Done(context=names, outputs=names)


async def _patch_pods(objects: Objects, workload: JsonObject, service: JsonObject, patch: Patch) -> None:
    pods = await objects.list(Kind("pod"), manifests.namespace(workload))
    own = diagnosing.own_pods(workload, pods)
    switches = [
        partial(_patch, objects, manifests.coordinates(pod), pod, service, patch, may_be_gone=True) for pod in own
    ]
    await asking.several(switches, at_a_time=_AT_A_TIME)


async def _patch(  # noqa: PLR0917 - one call with all that it needs
    objects: Objects,
    where: Coordinates,
    live: JsonObject,
    service: JsonObject,
    patch: Patch,
    *,
    may_be_gone: bool = False,
) -> None:
    operations = patch(live, service)
    if not operations:
        return
    try:
        await objects.patch(where, [*operations], merge="json")
    except Refused:
        if not may_be_gone or await objects.get(where) is not None:
            raise


enabling = stability.waiting_for_it(
    StageType(
        name="enableManifest",
        label="Enable (Manifest)",
        about=__doc__,
        spec=Spec,
        tasks=(resolving.task, asking.task("enableManifest", enable), stability.task),
        restart_clears=resolving.RESTART_CLEARS,
    )
)
disabling = stability.waiting_for_it(
    StageType(
        name="disableManifest",
        label="Disable (Manifest)",
        about=__doc__,
        spec=Spec,
        tasks=(resolving.task, asking.task("disableManifest", disable), stability.task),
        restart_clears=resolving.RESTART_CLEARS,
    )
)
