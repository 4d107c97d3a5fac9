"""Build: turns a commit into a tested image in a registry, by the steps of the service's build file."""

from datetime import timedelta

from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.build import checking_out, failures, imaging, running
from gennaker.plugins.build.workspace import Place, Workspace


@failures.as_one
async def publish(context: TaskContext) -> TaskResult:
    """Hands on the image as an artifact and removes the workspace."""
    built = context.stage.outputs.get("image")
    await Workspace(context.services, Place.of(context)).remove()
    return Done(outputs={"artifacts": [imaging.artifact(built)] if isinstance(built, dict) else []})


stage = StageType(
    name="build",
    label="Build",
    about=__doc__,
    spec=checking_out.Spec,
    tasks=(
        # The first waits for a free builder, the second for steps that have limits of their own.
        TaskType(name="checkoutWorkspace", run=checking_out.run, stop=checking_out.stop, timeout=None),
        TaskType(name="runSteps", run=running.run, stop=running.stop, timeout=None),
        TaskType(name="buildImage", run=imaging.build, stop=imaging.stop, timeout=imaging.BUILD_TIMEOUT),
        TaskType(name="pushImage", run=imaging.push, stop=imaging.stop, timeout=timedelta(minutes=30)),
        TaskType(name="publishArtifacts", run=publish, stop=checking_out.stop),
    ),
    restart_clears=("builtDigest", "builtBytes", "image", "artifacts", "steps", "commit", "commits", "version"),
)
