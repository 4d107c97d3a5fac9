"""Find Artifacts From Resource: what a live object refers to, images and configuration, as artifacts for later stages."""

from gennaker.interfaces import produced
from gennaker.interfaces.stages import StageType, TaskContext
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.kubernetes import asking, confidential, replacing, resolving


async def find(context: TaskContext) -> TaskResult:
    """Reads the object once."""
    objects = asking.objects(context)
    live = await resolving.live(objects, resolving.target(context.stage.context))
    found: JsonObject = {"artifacts": to_json(replacing.find(live)), "manifest": confidential.without_secrets(live)}
    return Done(context=found, outputs=found)


stage = StageType(
    name="findArtifactsFromResource",
    label="Find Artifacts From Resource (Manifest)",
    about=__doc__,
    spec=resolving.TargetSpec,
    tasks=(resolving.task, asking.task("findArtifactsFromResource", find), produced.task),
    aliases=("findArtifactFromResource",),
    restart_clears=(*resolving.RESTART_CLEARS, "artifacts", "manifest"),
)
target = StageType(
    name="resolveTargetManifest",
    label="Resolve Target (Manifest)",
    about="Finds out which object of a cluster is meant by newest, largest and the like.",
    spec=resolving.TargetSpec,
    tasks=(resolving.task,),
    restart_clears=resolving.RESTART_CLEARS,
)
