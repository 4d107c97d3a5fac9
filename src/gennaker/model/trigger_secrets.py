"""Trigger secrets: a pipeline's triggers may be given them, and nobody is shown them again.

Whoever reads a pipeline gets MASK in their place, and so does every execution of it. Clients save back what they have
read: a mask that comes back stands for the secret that is stored, found by whatever still tells which trigger it is.
"""

from collections.abc import Callable

from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import items, mappings_at
from gennaker.model.problems import Problem, Refused

MASK = "****"
_KEY = "secret"
_PLACE = ("type", "source", "project", "slug")
"""What a person thinks of as the trigger, while the rest of it is edited."""


def masked(pipeline: JsonObject) -> JsonObject:
    """The pipeline as it may be shown."""
    triggers = pipeline.get("triggers")
    if not isinstance(triggers, list):
        return pipeline
    return {**pipeline, "triggers": [masked_trigger(one) if isinstance(one, dict) else one for one in triggers]}


def masked_trigger(trigger: JsonObject) -> JsonObject:
    """The trigger as it may be shown."""
    return {**trigger, _KEY: MASK} if trigger.get(_KEY) else trigger


def unmasked(given: JsonObject, stored: JsonObject | None) -> JsonObject:
    """What is to be stored of a pipeline that may have been read before; `stored` is its newest revision.

    Raises Refused(422) where a mask stands for nothing that is stored.
    """
    triggers = items(given.get("triggers"))
    if not any(_is_masked(one) for one in triggers):
        return given
    kept = mappings_at(stored, "triggers")
    found: list[Json] = []
    problems: list[Problem] = []
    for place, one in enumerate(triggers):
        if not _is_masked(one):
            found.append(one)
            continue
        assert isinstance(one, dict)
        secret = _kept_secret(one, place, kept)
        if secret is None:
            problems.append(_nothing_kept(place))
        found.append({**one, _KEY: secret})
    if problems:
        raise Refused(*problems, status=422)
    return {**given, "triggers": found}


def _kept_secret(trigger: JsonObject, place: int, kept: list[JsonObject]) -> Json:
    """None: there is none, or it could be either of several."""
    at_its_place = kept[place : place + 1]
    tries: tuple[tuple[list[JsonObject], Callable[[JsonObject], Json]], ...] = (
        (at_its_place, _content),
        (kept, lambda one: one.get("id")),
        (kept, _content),
        (kept, lambda one: [one.get(key) for key in _PLACE]),
        (kept, lambda one: one.get("type")),
    )
    for among, tells in tries:
        told = tells(trigger)
        secrets = [one[_KEY] for one in among if one.get(_KEY) and told is not None and tells(one) == told]
        if secrets:
            return secrets[0] if secrets.count(secrets[0]) == len(secrets) else None
    return None


def _content(trigger: JsonObject) -> JsonObject:
    return {key: value for key, value in trigger.items() if key != _KEY}


def _is_masked(trigger: Json) -> bool:
    return isinstance(trigger, dict) and trigger.get(_KEY) == MASK


def _nothing_kept(place: int) -> Problem:
    return Problem(
        code="trigger.secret_masked",
        message=f"The secret of trigger {place + 1} is masked ({MASK}), and it isn't clear which stored one is meant.",
        remedy="Give the secret itself, or leave it out.",
        pointer=f"/triggers/{place}/{_KEY}",
    )
