"""Update pipeline: stores a new version of a pipeline that exists."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.definitions import encoded, pipelines


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    pipeline: JsonObject | str | None = None
    """The definition with its id, or base64 of it."""
    stale_check: bool | None = False


async def update(context: TaskContext) -> TaskResult:
    """Saves what the job holds."""
    saved = await pipelines.save(
        context,
        encoded.read_map(context, "pipeline"),
        checks_staleness=foreign.flag(context.stage.context.get("staleCheck")),
        must_exist=True,
    )
    return Done(
        context={
            "notification.type": "updatepipeline",
            "application": saved.body.get("application"),
            "pipeline.name": saved.body.get("name"),
            "pipeline.id": saved.body["id"],
        }
    )


stage = StageType(
    name="updatePipeline",
    label="Update Pipeline",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="updatePipeline", run=update),),
)
