"""Cron triggers: those of a pipeline that are on, and what their executions are given. Source: Echo's scheduler."""

import uuid
from collections.abc import Sequence
from datetime import datetime

import msgspec

from gennaker.model import cron_expressions
from gennaker.model.codec import JsonObject, encode_sorted
from gennaker.model.cron_expressions import CronExpression, InvalidExpression
from gennaker.model.foreign import flag, mappings, text_at

TYPE = "cron"
_EVENTS = uuid.UUID("0f1f6f5c-1d0e-5a53-8f0e-6a54b36a7a52")
"""Namespace of the ids of due times."""


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that is on."""

    trigger: JsonObject
    expression: CronExpression


class Unscheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that is on and can't fire."""

    trigger: JsonObject
    why: str


def of_pipeline(pipeline: JsonObject) -> tuple[Scheduled | Unscheduled, ...]:
    """The cron triggers that are on, those that are the same once."""
    if flag(pipeline.get("disabled")):
        return ()
    found: dict[bytes, Scheduled | Unscheduled] = {}
    for trigger in mappings(pipeline.get("triggers")):
        if trigger.get("type") == TYPE and flag(trigger.get("enabled")):
            found.setdefault(encode_sorted(trigger), _scheduled(pipeline, trigger))
    return tuple(found.values())


def _scheduled(pipeline: JsonObject, trigger: JsonObject) -> Scheduled | Unscheduled:
    try:
        return Scheduled(trigger=trigger, expression=read(trigger, pipeline))
    except InvalidExpression as error:
        return Unscheduled(trigger=trigger, why=str(error))


def read(trigger: JsonObject, pipeline: JsonObject) -> CronExpression:
    """The trigger's expression, with `H` chosen by its id (else the pipeline's). Raises InvalidExpression."""
    chosen_by = text_at(trigger, "id") or text_at(pipeline, "id")
    return cron_expressions.read(cron_expressions.fuzzed(text_at(trigger, "cronExpression"), chosen_by))


def in_force_since(trigger: JsonObject, revisions: Sequence[tuple[datetime, JsonObject]]) -> datetime | None:
    """Since when the pipeline has had this trigger, switched on, without a break; None: it hasn't.

    `revisions`: when they were saved and what they said, the newest first.
    """
    since = None
    for at, pipeline in revisions:
        if all(one.trigger != trigger for one in of_pipeline(pipeline)):
            break
        since = at
    return since


def key(pipeline_id: str, trigger: JsonObject, due: datetime) -> str:
    """Names a due time of a trigger for ever: whoever starts it, and however often, starts one execution."""
    fingerprint = uuid.uuid5(_EVENTS, encode_sorted(trigger).decode()).hex
    return f"cron/{pipeline_id}/{fingerprint}/{due.isoformat()}"


def runtime(trigger: JsonObject, key: str) -> JsonObject:
    """The trigger of an execution."""
    return {**trigger, "eventId": str(uuid.uuid5(_EVENTS, key))}
