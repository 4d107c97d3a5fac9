"""Reorder pipelines: gives pipelines (or strategies) of an application the places at which pages show them."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.definitions import encoded, pipelines


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON; each may be base64 of JSON."""

    ids_to_indices: JsonObject | str
    application: str
    is_strategy: bool | str | None = False


async def reorder(context: TaskContext) -> TaskResult:
    """Writes those whose place changes."""
    wanted = encoded.read_map(context, "idsToIndices")
    application = str(_decoded(context, "application"))
    kind = "strategy" if _decoded(context, "isStrategy") is True else pipelines.KIND
    known = {one.id: one for one in await context.services.definitions.list(kind, application)}
    unknown = [one for one in wanted if one not in known]
    wrong = [one for one, index in wanted.items() if isinstance(index, bool) or not isinstance(index, int) or index < 0]
    if unknown or wrong:
        raise Refused(*_problems(application, kind, unknown, wrong))
    for one, index in wanted.items():
        found = known[one]
        if found.body.get("index") != index:
            body: JsonObject = {**found.body, "index": index}
            await context.services.definitions.save(
                kind, one, body, author=context.sight.user, if_revision=found.revision
            )
    return Done(context={"notification.type": "reorderpipelines", "application": application})


def _decoded(context: TaskContext, key: str) -> Json:
    """Text that isn't base64 of JSON stands for itself: an application's name, as people write it."""
    if key not in context.stage.context:
        return None
    try:
        return encoded.read(context, key)
    except Refused:
        return context.stage.context[key]


def _problems(application: str, kind: str, unknown: list[str], wrong: list[str]) -> list[Problem]:
    problems = [
        Problem(
            code="pipeline.unknown",
            message=f"{application} has no {kind} with the id {one!r}.",
            pointer=f"/idsToIndices/{one}",
        )
        for one in unknown
    ]
    problems += [
        Problem(
            code="pipeline.index",
            message=f"The place of {one!r} must be a whole number, 0 or more.",
            pointer=f"/idsToIndices/{one}",
        )
        for one in wrong
    ]
    return problems


stage = StageType(
    name="reorderPipelines",
    label="Reorder Pipelines",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="reorderPipelines", run=reorder),),
)
