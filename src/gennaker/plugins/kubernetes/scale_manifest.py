"""Scale Manifest: sets how many replicas an object wants, and waits until it is so."""

from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign
from gennaker.model.artifact import Plain
from gennaker.model.event import TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, changing, resolving, stability
from gennaker.plugins.kubernetes.changing import Change
from gennaker.plugins.kubernetes.kinds import Can
from gennaker.plugins.kubernetes.objects import Objects


class Spec(resolving.TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    replicas: Plain | None = None


async def scale(context: TaskContext) -> TaskResult:
    """Through the object's scale, as autoscalers do it: what else it says stays as it is."""
    objects = asking.objects(context)
    (change,) = await _changes(context, objects)
    await resolving.live(objects, change.where)
    return stability.changed(change.where, await change.make(objects))


async def _changes(context: TaskContext, objects: Objects) -> list[Change]:
    own = context.stage.context
    where = resolving.target(own)
    if Can.SCALE not in objects.account.custom.of(where.kind).can and not where.kind.group:
        raise Refused(
            Problem(
                code="manifest.not_scalable",
                message=f"{where.full_name} can't be scaled.",
                remedy="Deployments, ReplicaSets, StatefulSets and custom resources with a scale can.",
            )
        )
    replicas = foreign.natural(foreign.written(own.get("replicas")))
    if replicas is None:
        raise Refused(
            Problem(
                code="manifest.replicas",
                message=f"`replicas` is {own.get('replicas')!r}, which is no number of replicas.",
                pointer="/replicas",
            )
        )
    return [Change(where=where, patch={"spec": {"replicas": replicas}}, merge="merge", subresource="scale")]


stage = stability.waiting_for_it(
    StageType(
        name="scaleManifest",
        label="Scale (Manifest)",
        about=__doc__,
        spec=Spec,
        tasks=(resolving.task, asking.task("scaleManifest", scale, stop=changing.stopped(_changes)), stability.task),
        restart_clears=resolving.RESTART_CLEARS,
    )
)
