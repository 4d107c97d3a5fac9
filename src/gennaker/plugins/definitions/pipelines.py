"""Pipelines: saving one as Front50 does it, for all stages that save pipelines.

Names are unique within an application; a new pipeline gets an id and the next index; a save that says on which version it
is based is refused if that is no longer the newest. A repeat after a crash finds what it has saved and changes nothing.
"""

import uuid

import msgspec

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.stages import TaskContext
from gennaker.model import needs, saved_pipelines, trigger_secrets
from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal
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
    listed = await context.services.definitions.list(KIND, str(given["application"]))
    stored = {one.id: one.body for one in listed}
    wanted = str(given.get("id") or "")
    new_id = str(uuid.uuid5(_IDS, f"{context.attempt_key}/{occasion}"))
    existing = await context.services.definitions.get(KIND, wanted or new_id)
    await _refuse_unauthorised(context, given, existing)
    given = trigger_secrets.unmasked(given, existing.body if existing else None)
    if existing is not None and context.is_repeat and _is_stored(existing, given):
        return Saved(body=existing.body, is_new=not wanted)
    if existing is None and must_exist:
        raise Refused(_unknown(wanted or str(given.get("name"))), status=404)
    pipeline_id = existing.id if existing else wanted or new_id
    before = existing.body if existing else None
    saved_pipelines.refuse_name(given, pipeline_id, stored)
    if checks_staleness:
        saved_pipelines.refuse_stale(given, before)
    stamp = saved_pipelines.Stamp(at=context.at, user=context.sight.user)
    body = saved_pipelines.completed(given, pipeline_id, existing=before, stored=stored, stamp=stamp)
    revision = existing.revision if existing else None
    await context.services.definitions.save(KIND, pipeline_id, body, author=context.sight.user, if_revision=revision)
    return Saved(body=body, is_new=existing is None)


async def _refuse_unauthorised(context: TaskContext, given: JsonObject, existing: Definition | None) -> None:
    authoriser = context.services.authoriser
    acting = Principal(name=context.sight.user, roles=context.sight.roles, via="stage")
    problem = await authoriser.refusal(acting, *needs.of_saving(given, existing.body if existing else None))
    for name in needs.run_as(given):
        problem = problem or await authoriser.refusal_to_act_as(acting, name)
    if problem is not None:
        raise Refused(problem, status=403)


async def named(context: TaskContext, application: str, name: str) -> Definition | None:
    """The pipeline of this name; case and surrounding spaces don't count."""
    for one in await context.services.definitions.list(KIND, application):
        if saved_pipelines.is_same_name(one.body.get("name"), name):
            return one
    return None


def _unknown(wanted: str) -> Problem:
    return Problem(code="pipeline.unknown", message=f"There is no pipeline {wanted!r}.")


def _is_stored(existing: Definition, given: JsonObject) -> bool:
    """Whether a save of this, as a new pipeline or over an older one, would store what is there."""
    wanted = [saved_pipelines.with_trigger_ids(given, existing.id, is_new=is_new) for is_new in (False, True)]
    return _content(existing.body) in [_content(one) for one in wanted]


def _content(body: JsonObject) -> JsonObject:
    return {key: value for key, value in body.items() if key not in _OF_THE_STORE}
