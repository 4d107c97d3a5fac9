"""Delete application: removes an application that has nothing running; removing what isn't there is no error."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.problems import Problem
from gennaker.plugins.definitions import applications


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    application: JsonObject | str
    """`{"name": "…"}`, or base64 of it."""


async def verify(context: TaskContext) -> TaskResult:
    """Refuses as long as the application has server groups anywhere."""
    _, given = applications.name_of(context)
    name = str(given["name"])
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
    """Marks it as deleted; its revisions stay."""
    application_id, _ = applications.name_of(context)
    found = await context.services.definitions.get(applications.KIND, application_id)
    if found is None:
        return Done()
    await context.services.definitions.delete(applications.KIND, application_id, author=context.sight.user)
    return Done(outputs={"previousState": found.body})


stage = StageType(
    name="deleteApplication",
    label="Delete Application",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="verifyNoDependencies", run=verify), TaskType(name="deleteApplication", run=delete)),
)
