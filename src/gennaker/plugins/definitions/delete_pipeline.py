"""Delete pipeline: removes a pipeline by its application and name; removing what isn't there is no error."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.definitions import encoded, pipelines


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    pipeline: JsonObject | str | None = None
    """The definition, or base64 of it: its `application` and `name` count."""


async def delete(context: TaskContext) -> TaskResult:
    """Marks it as deleted; its revisions stay."""
    given = encoded.read_map(context, "pipeline")
    application, name = str(given.get("application", "")), given.get("name")
    found = await pipelines.named(context, application, str(name))
    if found is not None:
        await context.services.definitions.delete(pipelines.KIND, found.id, author=context.sight.user)
    return Done(
        context={
            "notification.type": "deletepipeline",
            "application": application,
            "pipeline.name": name,
            "pipeline.id": found.id if found else given.get("id"),
        }
    )


stage = StageType(
    name="deletePipeline",
    label="Delete Pipeline",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="deletePipeline", run=delete),),
)
