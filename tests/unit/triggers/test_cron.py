"""Cron triggers of pipelines: which are on, since when, and the key of a due time."""

from datetime import UTC, datetime

from gennaker.model.codec import JsonObject
from gennaker.triggers import cron
from gennaker.triggers.cron import Scheduled, Unscheduled

NIGHTLY: JsonObject = {"type": "cron", "enabled": True, "id": "t1", "cronExpression": "0 0 H ? * *"}


def pipeline(*triggers: JsonObject, **fields: object) -> JsonObject:
    return {"id": "p", "triggers": list(triggers), **fields}  # type: ignore[dict-item]  # tests give JSON


def test_only_triggers_that_are_on_count_and_the_same_one_once() -> None:
    off, other = {**NIGHTLY, "enabled": False}, {"type": "git", "enabled": True}

    found = cron.of_pipeline(pipeline(NIGHTLY, off, other, {**NIGHTLY}, {**NIGHTLY, "id": "t2"}))

    assert [one.trigger["id"] for one in found] == ["t1", "t2"]
    assert cron.of_pipeline(pipeline(NIGHTLY, disabled=True)) == ()


def test_h_is_chosen_by_the_triggers_id_else_by_the_pipelines() -> None:
    (own,) = cron.of_pipeline(pipeline(NIGHTLY))
    (of_pipeline,) = cron.of_pipeline(pipeline({**NIGHTLY, "id": None}, id="t1"))

    assert isinstance(own, Scheduled)
    assert isinstance(of_pipeline, Scheduled)
    assert own.expression == of_pipeline.expression
    assert own.expression.hours == (21,)


def test_a_trigger_that_cannot_be_read_says_why() -> None:
    (found,) = cron.of_pipeline(pipeline({**NIGHTLY, "cronExpression": "${parameters.when}"}))

    assert isinstance(found, Unscheduled)
    assert "fields instead of 6 or 7" in found.why


def test_a_trigger_is_in_force_since_it_was_last_switched_on() -> None:
    def at(hour: int) -> datetime:
        return datetime(2026, 1, 5, hour, tzinfo=UTC)

    on, off = pipeline(NIGHTLY), pipeline({**NIGHTLY, "enabled": False})

    assert cron.in_force_since(NIGHTLY, [(at(4), on), (at(3), on), (at(2), off), (at(1), on)]) == at(3)
    assert cron.in_force_since(NIGHTLY, [(at(4), pipeline(NIGHTLY, disabled=True)), (at(3), on)]) is None


def test_the_key_of_a_due_time_depends_on_pipeline_trigger_and_time() -> None:
    due, later = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
    changed = {**NIGHTLY, "parameters": {"a": "b"}}

    keys = [
        cron.key("p", NIGHTLY, due),
        cron.key("q", NIGHTLY, due),
        cron.key("p", changed, due),
        cron.key("p", NIGHTLY, later),
    ]

    assert len({*keys}) == 4
    assert cron.key("p", {**dict(reversed(NIGHTLY.items()))}, due) == keys[0]
    assert cron.runtime(NIGHTLY, keys[0]) == cron.runtime(NIGHTLY, keys[0]) != cron.runtime(NIGHTLY, keys[3])
