"""Delete application: removes an application that has nothing running, its pipelines and strategies, and its name in projects.

Removing what isn't there is no error.
"""

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign, saved_pipelines
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.problems import Problem
from gennaker.plugins.definitions import applications, upsert_project


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    application: JsonObject | str
    """`{"name": "…"}`, or base64 of it."""


async def verify(context: TaskContext) -> TaskResult:
    """Refuses as long as the application has server groups anywhere."""
    _, said = applications.given(context)
    name = str(said["name"])
    running: list[str] = []
    for provider in context.services.clouds.values():
        for spelled in dict.fromkeys((name, name.lower())):
            running += [group.name for group in await provider.describe(spelled) if group.name not in running]
    if not running:
        return Done()
    return Failed(
        problem=Problem(
            code="application.has_dependencies",
            message=f"The application {name} has outstanding server groups: {', '.join(running)}.",
            remedy="Destroy them first.",
        )
    )


async def delete(context: TaskContext) -> TaskResult:
    """Marks all of it as deleted; the revisions stay."""
    application_id, _ = applications.given(context)
    definitions, author = context.services.definitions, context.sight.user
    for kind in (saved_pipelines.PIPELINE, saved_pipelines.STRATEGY):
        for one in await definitions.list(kind, application_id):
            await definitions.delete(kind, one.id, author=author)
    for project in await definitions.list(upsert_project.KIND):
        await _leave(context, project, application_id)
    found = await definitions.get(applications.KIND, application_id)
    if found is None:
        return Done()
    await definitions.delete(applications.KIND, application_id, author=author)
    return Done(outputs={"previousState": found.body})


async def _leave(context: TaskContext, project: Definition, application_id: str) -> None:
    """A project without applications goes, too."""
    config = foreign.mapping(project.body.get("config"))
    listed = foreign.items(config.get("applications"))
    left = [one for one in listed if str(one).lower() != application_id]
    if len(left) == len(listed):
        return
    definitions, author = context.services.definitions, context.sight.user
    if not left:
        await definitions.delete(project.kind, project.id, author=author)
        return
    body: JsonObject = {**project.body, "config": {**config, "applications": left}}
    await definitions.save(project.kind, project.id, body, author=author, if_revision=project.revision)


stage = StageType(
    name="deleteApplication",
    label="Delete Application",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="verifyNoDependencies", run=verify), TaskType(name="deleteApplication", run=delete)),
)
