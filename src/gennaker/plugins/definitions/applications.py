"""Applications: writing an application's attributes as Front50 does; given keys overwrite, absent ones stay."""

import msgspec

from gennaker.interfaces.stages import TaskContext
from gennaker.model import names
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.definitions import encoded

KIND = "application"


def given(context: TaskContext) -> tuple[str, JsonObject]:
    """The application's id (its name in lower case) and what the job says of it. Raises Refused."""
    said = encoded.read_map(context, "application")
    name = said.get("name")
    if not isinstance(name, str) or not name:
        raise Refused(
            Problem(code="application.name", message="The application has no name.", pointer="/application/name")
        )
    return name.lower(), said


async def write(context: TaskContext, *, must_exist: bool = False) -> TaskResult:
    """Creates or changes it. Raises Refused."""
    application_id, said = given(context)
    found = await context.services.definitions.get(KIND, application_id)
    if found is None and must_exist:
        raise Refused(
            Problem(code="application.unknown", message=f"There is no application {said['name']!r}."), status=404
        )
    if found is None and (problem := names.application_problem(application_id)) is not None:
        raise Refused(msgspec.structs.replace(problem, code="application.name", pointer="/application/name"))
    before: JsonObject = dict(found.body) if found else {}
    now = str(milliseconds(context.at))
    body: JsonObject = {
        **before,
        **{key: _listed(value) if key in ("cloudProviders", "accounts") else value for key, value in said.items()},
        "name": application_id,
        "createTs": before.get("createTs") or now,
        "updateTs": now,
        "lastModifiedBy": context.sight.user,
    }
    if found is None:
        body.setdefault("user", context.sight.user)
    await context.services.definitions.save(
        KIND, application_id, body, author=context.sight.user, if_revision=found.revision if found else None
    )
    return Done(outputs={"previousState": before, "newState": body})


def _listed(value: Json) -> Json:
    """Lists of names are kept as Front50 keeps them: joined by commas."""
    return ",".join(map(str, value)) if isinstance(value, list) else value
