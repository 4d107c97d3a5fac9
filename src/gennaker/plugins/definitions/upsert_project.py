"""Upsert project: stores a project, a new one or another version of one that exists."""

import uuid

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject, milliseconds
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.definitions import encoded, owning

KIND = "project"
_IDS = uuid.UUID("1d9c0c52-3b1f-5d3d-8f1e-2f3f6a1b7c22")
"""Namespace of ids that are derived from what has asked for them."""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    project: JsonObject | str
    """`{"name": "…", "email": "…", "id": "…", "config": {…}}`, or base64 of it."""


async def write(context: TaskContext) -> TaskResult:
    """The given project replaces the stored one; names are unique."""
    given = encoded.read_map(context, "project")
    name = given.get("name")
    if not isinstance(name, str) or not name.strip():
        raise Refused(Problem(code="project.no_name", message="The project has no name.", pointer="/project/name"))
    project_id = str(given.get("id") or uuid.uuid5(_IDS, context.attempt_key))
    found = await context.services.definitions.get(KIND, project_id)
    other = await named(context, name)
    if other is not None and other.id != project_id:
        raise Refused(
            Problem(
                code="project.name_taken",
                message=f"A Project named {name} already exists.",
                remedy=f"Save it with its id {other.id}.",
                pointer="/project/name",
            )
        )
    await owning.refuse_project(context, found, given)
    now = str(milliseconds(context.at))
    before = found.body if found else {}
    body: JsonObject = {
        **given,
        "id": project_id,
        "createTs": before.get("createTs") or now,
        "updateTs": now,
        "lastModifiedBy": context.sight.user,
    }
    await context.services.definitions.save(
        KIND, project_id, body, author=context.sight.user, if_revision=found.revision if found else None
    )
    return Done(outputs={"project.id": project_id, "project.name": name})


async def named(context: TaskContext, name: str) -> Definition | None:
    """The project of this name; case doesn't count."""
    for one in await context.services.definitions.list(KIND):
        if str(one.body.get("name")).casefold() == name.casefold():
            return one
    return None


stage = StageType(
    name="upsertProject",
    label="Upsert Project",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="upsertProject", run=write),),
)
