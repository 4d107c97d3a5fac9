"""Pipelines: saving one as Front50 does it, for all stages that save pipelines.

Names are unique within an application; a new pipeline gets an id and the next index; a save that says on which version it
is based is refused if that is no longer the newest. A repeat after a crash finds what it has saved and changes nothing.
"""

import uuid

import msgspec

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.stages import TaskContext
from gennaker.model import trigger_secrets
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.problems import Problem, Refused

KIND = "pipeline"
_IDS = uuid.UUID("5a6f5f0e-7a0c-5b53-9d4e-6f6f1c0a2b11")
"""Namespace of ids that are derived from what has asked for them."""
_OF_THE_STORE = frozenset({"updateTs", "createTs", "lastModifiedBy", "index", "id", "regenerateCronTriggerIds"})


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What was stored."""

    body: JsonObject
    is_new: bool


async def save(
    context: TaskContext,
    given: JsonObject,
    *,
    checks_staleness: bool = False,
    must_exist: bool = False,
    occasion: str = "",
) -> Saved:
    """Validates and stores. `occasion` tells apart several saves of one task. Raises Refused with all problems."""
    checked = await context.services.checks.pipeline(given)
    if checked.problems:
        raise Refused(*checked.problems)
    stored = await context.services.definitions.list(KIND, str(given["application"]))
    wanted = str(given.get("id") or "")
    new_id = str(uuid.uuid5(_IDS, f"{context.attempt_key}/{occasion}"))
    existing = await context.services.definitions.get(KIND, wanted or new_id)
    given = trigger_secrets.unmasked(given, existing.body if existing else None)
    if existing is not None and context.is_repeat and _content(existing.body) == _content(given):
        return Saved(body=existing.body, is_new=not wanted)
    if existing is None and must_exist:
        raise Refused(_unknown(wanted or str(given.get("name"))), status=404)
    pipeline_id = existing.id if existing else wanted or new_id
    _refuse_name(given, pipeline_id, stored)
    if checks_staleness:
        _refuse_stale(given, existing)
    body = _completed(context, given, pipeline_id=pipeline_id, existing=existing, stored=stored)
    revision = existing.revision if existing else None
    await context.services.definitions.save(KIND, pipeline_id, body, author=context.sight.user, if_revision=revision)
    return Saved(body=body, is_new=existing is None)


async def named(context: TaskContext, application: str, name: str) -> Definition | None:
    """The pipeline of this name; case and surrounding spaces don't count."""
    for one in await context.services.definitions.list(KIND, application):
        if _normal(one.body.get("name")) == _normal(name):
            return one
    return None


def _completed(
    context: TaskContext,
    given: JsonObject,
    *,
    pipeline_id: str,
    existing: Definition | None,
    stored: tuple[Definition, ...],
) -> JsonObject:
    now = str(milliseconds(context.at))
    body: JsonObject = {key: value for key, value in given.items() if key != "regenerateCronTriggerIds"}
    body |= {"id": pipeline_id, "updateTs": now, "lastModifiedBy": context.sight.user}
    if body.get("index") is None:
        body["index"] = existing.body.get("index") if existing else None
    if body["index"] is None:
        taken = [one.body.get("index") for one in stored if one.id != pipeline_id]
        body["index"] = max((index for index in taken if isinstance(index, int)), default=-1) + 1
    created = existing.body.get("createTs") if existing else given.get("createTs")
    return {**body, "createTs": created or now}


def _refuse_name(given: JsonObject, pipeline_id: str, stored: tuple[Definition, ...]) -> None:
    name = given.get("name")
    for one in stored:
        if one.id != pipeline_id and _normal(one.body.get("name")) == _normal(name):
            raise Refused(
                Problem(
                    code="pipeline.name_taken",
                    message=f"A pipeline with name {name} already exists in application {given.get('application')}.",
                    remedy="Choose another name, or save with the id of that pipeline.",
                    pointer="/name",
                    details={"id": one.id},
                )
            )


def _refuse_stale(given: JsonObject, existing: Definition | None) -> None:
    found = existing.body.get("updateTs") if existing else None
    if found is not None and str(given.get("updateTs")) != str(found):
        raise Refused(
            Problem(
                code="pipeline.stale",
                message=f"The submitted pipeline is stale: its updateTs {given.get('updateTs')} does not match the "
                f"stored updateTs {found}.",
                remedy="Load it again and repeat the change.",
                pointer="/updateTs",
            )
        )


def _unknown(wanted: str) -> Problem:
    return Problem(code="pipeline.unknown", message=f"There is no pipeline {wanted!r}.")


def _content(body: JsonObject) -> JsonObject:
    return {key: value for key, value in body.items() if key not in _OF_THE_STORE}


def _normal(name: Json) -> str:
    return str(name).strip().casefold()
