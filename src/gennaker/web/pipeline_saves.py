"""Saving pipelines and strategies for all routes that do it: everything that is wrong is said, and then nothing is stored.

At once, and not by a job as Gate has it done: a job keeps the definition as it was sent, secrets of triggers included.
"""

from datetime import datetime

import msgspec

from gennaker.interfaces.definitions import Definition
from gennaker.model import needs, saved_pipelines, trigger_secrets
from gennaker.model.codec import Json, JsonObject, milliseconds, to_json
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web.ports import WebPorts
from gennaker.web.preconditions import NO_CONDITIONS, Conditions

_CHANGED = "definition.changed"
_OUR_OWN = frozenset({"id", "index", "triggers", "updateTs", "createTs", "lastModifiedBy", "regenerateCronTriggerIds"})
"""Keys that may be stored otherwise than they were sent."""
_LOOKED_BACK = 50


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A save that is made once, however often it is tried, and by how many at once."""

    id: str
    revision: int
    """The one that it follows; 0: it is the first."""
    at: datetime


async def intent(ports: WebPorts, given: JsonObject) -> Intent:
    """What saving this under its name would do now."""
    found = await ports.services.definitions.list(saved_pipelines.PIPELINE, str(given.get("application")))
    stored = {one.id: one.body for one in found}
    pipeline_id = _id_of(ports, given, stored, adopts_name=True)
    existing = await ports.services.definitions.get(saved_pipelines.PIPELINE, pipeline_id)
    revision = existing.revision if existing else 0
    return Intent(id=pipeline_id, revision=revision, at=ports.services.clock.now())


async def save(
    ports: WebPorts,
    principal: Principal,
    given: JsonObject,
    *,
    kind: str = saved_pipelines.PIPELINE,
    checks_staleness: bool = False,
    adopts_name: bool = False,
    conditions: Conditions = NO_CONDITIONS,
    once: Intent | None = None,
) -> tuple[Definition, list[Json]]:
    """Stores it, and returns warnings with it. Raises Refused(422; 412 where the conditions don't hold).

    Without an id it is new; `adopts_name`: unless there is one of the same name, which is then saved anew. What was saved
    with the same intent already is returned as it is.
    """
    checked = await ports.services.checks.pipeline(given)
    if checked.problems:
        raise Refused(*checked.problems, status=422)
    given = {**given, "name": str(given["name"]).strip()}
    listed = await ports.services.definitions.list(kind, str(given["application"]))
    stored = {one.id: one.body for one in listed}
    pipeline_id = once.id if once else _id_of(ports, given, stored, adopts_name=adopts_name)
    existing = await ports.services.definitions.get(kind, pipeline_id)
    before = existing.body if existing else None
    await _refuse_unauthorised(ports, principal, given, before)
    warnings = [to_json(warning) for warning in checked.warnings]
    made = await _made(ports, principal, given, once)
    if made is not None:
        return made, warnings
    await conditions.refuse_definition(ports.services.definitions, kind, pipeline_id)
    saved_pipelines.refuse_name(given, pipeline_id, stored)
    if checks_staleness:
        saved_pipelines.refuse_stale(given, before)
    body = saved_pipelines.completed(
        trigger_secrets.unmasked(given, before),
        pipeline_id,
        existing=before,
        stored=stored,
        stamp=saved_pipelines.Stamp(at=once.at if once else ports.services.clock.now(), user=principal.name),
    )
    revision = existing.revision if existing else None
    try:
        with conditions.writing():
            saved = await ports.services.definitions.save(
                kind, pipeline_id, body, author=principal.name, if_revision=once.revision if once else revision
            )
    except Refused as error:
        made = await _made(ports, principal, given, once) if is_changed(error) else None
        if made is None:
            raise
        saved = made
    return saved, warnings


def is_changed(error: Refused) -> bool:
    """Whether somebody else has saved it meanwhile."""
    return error.problems[0].code == _CHANGED


def _id_of(ports: WebPorts, given: JsonObject, stored: dict[str, JsonObject], *, adopts_name: bool) -> str:
    return str(given.get("id") or "") or (adopts_name and _of_name(stored, given)) or ports.services.ids.uuid()


async def _made(ports: WebPorts, principal: Principal, given: JsonObject, once: Intent | None) -> Definition | None:
    """The revision that this intent has made already: an author saves once at an instant, or the same."""
    if once is None:
        return None
    stamp = str(milliseconds(once.at))
    for one in await ports.services.definitions.history(saved_pipelines.PIPELINE, once.id, _LOOKED_BACK):
        is_its = one.revision > once.revision and one.author == principal.name and one.body.get("updateTs") == stamp
        if is_its and _as_sent(one.body) == _as_sent(given):
            return one
    return None


def _as_sent(body: JsonObject) -> JsonObject:
    return {name: value for name, value in body.items() if name not in _OUR_OWN}


async def _refuse_unauthorised(
    ports: WebPorts, principal: Principal, given: JsonObject, before: JsonObject | None
) -> None:
    authoriser = ports.services.authoriser
    problem = await authoriser.refusal(principal, *needs.of_saving(given, before))
    for name in needs.run_as(given):
        problem = problem or await authoriser.refusal_to_act_as(principal, name)
    if problem is not None:
        raise Refused(problem, status=403)


def shown(definition: Definition) -> JsonObject:
    """A stored one as clients may see it."""
    return trigger_secrets.masked({**definition.body, "id": definition.id})


def unknown(kind: str, wanted: str, application: str = "") -> Refused:
    """There is none."""
    where = f"The application {application!r} has no" if application else "There is no"
    return Refused(Problem(code=f"{kind}.unknown", message=f"{where} {kind} {wanted!r}."), status=404)


def _of_name(stored: dict[str, JsonObject], given: JsonObject) -> str:
    same = (key for key, one in stored.items() if saved_pipelines.is_same_name(one.get("name"), given.get("name")))
    return next(same, "")
