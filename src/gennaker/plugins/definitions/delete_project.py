"""Delete project: removes a project by its id, or by its name; removing what isn't there is no error."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.definitions import encoded, owning, upsert_project


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    project: JsonObject | str
    """`{"id": "…"}` or `{"name": "…"}`, or base64 of it."""


async def delete(context: TaskContext) -> TaskResult:
    """Marks it as deleted; its revisions stay."""
    given = encoded.read_map(context, "project")
    found = await context.services.definitions.get(upsert_project.KIND, str(given.get("id") or ""))
    if found is None and given.get("name"):
        found = await upsert_project.named(context, str(given["name"]))
    if found is None:
        return Done()
    await owning.refuse_project(context, found, None)
    await context.services.definitions.delete(upsert_project.KIND, found.id, author=context.sight.user)
    return Done(outputs={"project.id": found.id})


stage = StageType(
    name="deleteProject",
    label="Delete Project",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="deleteProject", run=delete),),
)
