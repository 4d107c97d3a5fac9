"""Saved pipelines and strategies: what is stored of one, what keeps it from being stored, in which order they are shown.

Front50's rules: names are unique within an application, whatever their case; a new one comes last; a save may say on
which version it is based.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, encode_sorted, milliseconds
from gennaker.model.problems import Problem, Refused

PIPELINE = "pipeline"
STRATEGY = "strategy"
"""Kinds of definitions."""
_LEFT_OUT = "regenerateCronTriggerIds"
"""An order to the store, no part of the pipeline."""
_IDS = uuid.UUID("2c1d6a34-90a8-5b63-a6f1-1f0c9f0e7d55")
"""Namespace of the ids of triggers."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """Who saves, and when."""

    at: datetime
    user: str


def completed(
    given: JsonObject, pipeline_id: str, *, existing: JsonObject | None, stored: Mapping[str, JsonObject], stamp: Stamp
) -> JsonObject:
    """What is stored: `existing` is what was stored under the id, `stored` all of the application by id."""
    now = str(milliseconds(stamp.at))
    is_new = existing is None or foreign.flag(given.get(_LEFT_OUT))
    body = with_trigger_ids(given, pipeline_id, is_new=is_new)
    body.pop(_LEFT_OUT, None)
    body |= {"id": pipeline_id, "updateTs": now, "lastModifiedBy": stamp.user}
    if body.get("index") is None:
        body["index"] = existing.get("index") if existing else None
    if body["index"] is None:
        taken = [one.get("index") for key, one in stored.items() if key != pipeline_id]
        body["index"] = max((index for index in taken if isinstance(index, int)), default=-1) + 1
    created = existing.get("createTs") if existing else given.get("createTs")
    return {**body, "createTs": created or now}


def with_trigger_ids(given: JsonObject, pipeline_id: str, *, is_new: bool) -> JsonObject:
    """The pipeline with an id at each cron trigger: `H` in expressions depends on it.

    Those of a new pipeline get other ones than they have, as it may be a copy. The same pipeline gets the same ids.
    """
    triggers = given.get("triggers")
    if not isinstance(triggers, list):
        return dict(given)
    return {**given, "triggers": [_with_id(one, f"{pipeline_id}/{at}", is_new) for at, one in enumerate(triggers)]}


def _with_id(trigger: Json, place: str, is_new: bool) -> Json:  # noqa: FBT001 - what `with_trigger_ids` was told
    if not isinstance(trigger, dict) or trigger.get("type") != "cron" or (trigger.get("id") and not is_new):
        return trigger
    return {**trigger, "id": str(uuid.uuid5(_IDS, f"{place}/{encode_sorted(trigger).decode()}"))}


def refuse_name(given: JsonObject, pipeline_id: str, stored: Mapping[str, JsonObject]) -> None:
    """Raises Refused where another one of the application has the name."""
    name = given.get("name")
    for key, one in stored.items():
        if key != pipeline_id and is_same_name(one.get("name"), name):
            raise Refused(
                Problem(
                    code="pipeline.name_taken",
                    message=f"A pipeline with name {name} already exists in application {given.get('application')}.",
                    remedy="Choose another name, or save with the id of that pipeline.",
                    pointer="/name",
                    details={"id": key},
                )
            )


def refuse_stale(given: JsonObject, existing: JsonObject | None) -> None:
    """Raises Refused where somebody has saved it since it was read."""
    found = existing.get("updateTs") if existing else None
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


def is_same_name(first: Json, second: Json) -> bool:
    """Case and surrounding spaces don't count."""
    return str(first).strip().casefold() == str(second).strip().casefold()


def in_order(bodies: Iterable[JsonObject]) -> list[JsonObject]:
    """As they are shown: by index, then by name, with the indexes 0, 1, 2 …; pages save those that differ."""
    found = sorted(bodies, key=lambda one: (_index(one), str(one.get("name")).casefold()))
    return [{**one, "index": place} for place, one in enumerate(found)]


def _index(body: JsonObject) -> float:
    index = body.get("index")
    return index if isinstance(index, int) else float("inf")
