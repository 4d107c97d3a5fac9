"""Scale Manifest: sets how many replicas an object wants, and waits until it is so."""

from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model import foreign
from gennaker.model.artifact import Plain
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import asking, resolving, stability
from gennaker.plugins.kubernetes.kinds import Can


class Spec(resolving.TargetSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    replicas: Plain | None = None


async def scale(context: TaskContext) -> TaskResult:
    """Through the object's scale, as autoscalers do it: what else it says stays as it is."""
    objects, own = asking.objects(context), context.stage.context
    where = resolving.target(own)
    if Can.SCALE not in objects.account.custom.of(where.kind).can and not where.kind.group:
        raise Refused(
            Problem(
                code="manifest.not_scalable",
                message=f"{where.full_name} can't be scaled.",
                remedy="Deployments, ReplicaSets, StatefulSets and custom resources with a scale can.",
            )
        )
    text = foreign.written(own.get("replicas"))
    if not text.isdigit():
        raise Refused(
            Problem(
                code="manifest.replicas",
                message=f"`replicas` is {own.get('replicas')!r}, which is no number of replicas.",
                pointer="/replicas",
            )
        )
    await resolving.live(objects, where)
    await objects.patch(where, {"spec": {"replicas": int(text)}}, merge="merge", subresource="scale")
    names: JsonObject = {stability.NAMES: {where.namespace: [where.full_name]}}
    return Done(context=names, outputs=names)


stage = stability.waiting_for_it(
    StageType(
        name="scaleManifest",
        label="Scale (Manifest)",
        about=__doc__,
        spec=Spec,
        tasks=(resolving.task, asking.task("scaleManifest", scale), stability.task),
        restart_clears=resolving.RESTART_CLEARS,
    )
)
