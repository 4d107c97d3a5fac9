"""Pairing: which runs here and in a Spinnaker the same event has started, told by what the event says."""

from collections.abc import Iterable

import msgspec

from gennaker.model import cron_expressions, foreign
from gennaker.model.codec import Json, JsonObject, encode_sorted
from gennaker.model.foreign import mapping, text_at

SHADOW_OF = "shadowOf"
"""Key of a trigger: the run there from whose trigger this one was planned here."""
_BUILD = ("master", "job", "buildNumber")
_FACTS: dict[str, tuple[str, ...]] = {
    "git": ("source", "project", "slug", "branch", "hash", "action"),
    **dict.fromkeys(("docker", "helm/oci"), ("account", "repository", "tag")),
    "helm": ("account", "chart", "version"),
    **dict.fromkeys(("jenkins", "travis", "concourse", "gitlab-ci", "wercker"), _BUILD),
    **dict.fromkeys(("webhook", "cdevents"), ("source", "payload")),
    "pubsub": ("subscriptionName", "payload"),
    "artifactory": ("artifactorySearchName", "artifacts"),
    "nexus": ("nexusSearchName", "artifacts"),
}
"""What tells one event of a trigger type from another; people leave nothing that does, the clock only the time."""
_NEAR_MILLISECONDS = 30_000
"""So far apart both sides may have noticed that it was time."""


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of both sides."""

    both: tuple[tuple[JsonObject, JsonObject], ...]
    """Theirs, and ours."""
    only_theirs: tuple[JsonObject, ...]
    only_ours: tuple[JsonObject, ...]


def paired(theirs: Iterable[JsonObject], ours: Iterable[JsonObject], *, since_ms: float = 0.0) -> Pairs:
    """Each run at most once; of several that the same facts have started, in their order.

    Theirs from before `since_ms`, when this side began to hear of events, come last: the same may have been sent then, too.
    """
    waiting = sorted(ours, key=_time)
    both: list[tuple[JsonObject, JsonObject]] = []
    alone: list[JsonObject] = []
    for one in sorted(theirs, key=lambda run: (_time(run) < since_ms, _time(run))):
        partner = next((other for other in waiting if _is_planned_for(one, other)), None) or next(
            (other for other in waiting if _is_same(one, other)), None
        )
        if partner is None:
            alone.append(one)
        else:
            waiting.remove(partner)
            both.append((one, partner))
    both.sort(key=lambda pair: _time(pair[0]))
    return Pairs(both=tuple(both), only_theirs=tuple(sorted(alone, key=_time)), only_ours=tuple(waiting))


def is_told_by_its_event(execution: JsonObject) -> bool:
    """Whether what has started it can be found again on the other side."""
    return _facts(mapping(execution.get("trigger"))) is not None


def _is_planned_for(one: JsonObject, other: JsonObject) -> bool:
    return text_at(other.get("trigger"), SHADOW_OF) == text_at(one, "id")


def _is_same(one: JsonObject, other: JsonObject) -> bool:
    trigger = mapping(other.get("trigger"))
    if SHADOW_OF in trigger or text_at(one, "pipelineConfigId") != text_at(other, "pipelineConfigId"):
        return False
    if text_at(trigger, "type") == "cron":
        return _is_due_as(one, other)
    facts = _facts(mapping(one.get("trigger")))
    return facts is not None and facts == _facts(trigger)


def _is_due_as(one: JsonObject, other: JsonObject) -> bool:
    """Whether the clock has started both. `H` is another number on each side, so that nothing can be said."""
    expressions = [text_at(run.get("trigger"), "cronExpression") for run in (one, other)]
    is_same = expressions[0] == expressions[1] != "" and text_at(one.get("trigger"), "type") == "cron"
    return (
        is_same
        and not cron_expressions.is_fuzzy(expressions[0])
        and abs(_time(one) - _time(other)) <= _NEAR_MILLISECONDS
    )


def _facts(trigger: JsonObject) -> bytes | None:
    kind = text_at(trigger, "type")
    if kind == "pipeline":
        parent = mapping(trigger.get("parentExecution"))
        above = _facts(mapping(parent.get("trigger")))
        return None if above is None else encode_sorted([kind, parent.get("pipelineConfigId"), above.decode()])
    keys = _FACTS.get(kind)
    if keys is None:
        return None
    told: list[Json] = [_plain(trigger.get(key)) for key in keys]
    return encode_sorted([kind, *told])


def _plain(value: Json) -> Json:
    """Nothing, however it is said; numbers as text, as builds have them either way."""
    if value in (None, "", [], {}):
        return None
    return str(value) if isinstance(value, int | float) else value


def _time(execution: JsonObject) -> float:
    found = execution.get("buildTime")
    return float(found) if isinstance(found, int | float) else 0.0


def is_before(execution: JsonObject, others: Iterable[JsonObject]) -> bool:
    """Whether it is older than all of them: then nobody can say whether it had a counterpart."""
    times = [_time(one) for one in others]
    return bool(times) and _time(execution) < min(times)


def name_of(execution: JsonObject) -> str:
    """For people."""
    kind = foreign.text_at(execution.get("trigger"), "type") or "manual"
    return f"{text_at(execution, 'name')} {text_at(execution, 'id')} ({kind})"
