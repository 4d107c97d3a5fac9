"""Saved pipelines: what the store adds to what was given."""

from datetime import UTC, datetime

from gennaker.model import saved_pipelines
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import mappings_at
from gennaker.model.saved_pipelines import Stamp

STAMP = Stamp(at=datetime(2026, 1, 5, tzinfo=UTC), user="ada")


def cron(**fields: str) -> JsonObject:
    return {"type": "cron", "cronExpression": "0 0 H * * ?", **fields}


def saved(*triggers: JsonObject, existing: JsonObject | None = None, **fields: bool) -> JsonObject:
    given: JsonObject = {"name": "p", "triggers": [*triggers], **fields}
    return saved_pipelines.completed(given, "p", existing=existing, stored={}, stamp=STAMP)


def ids(body: JsonObject) -> list[object]:
    return [one.get("id") for one in mappings_at(body, "triggers")]


def test_cron_triggers_of_a_new_pipeline_get_ids_of_their_own() -> None:
    body = saved(cron(id="copied"), cron(), cron(), {"type": "git", "id": "stays"}, {"type": "git"})

    first, second, third, *others = ids(body)
    assert len({first, second, third, "copied", None}) == 5
    assert others == ["stays", None]


def test_saved_again_only_those_without_an_id_get_one() -> None:
    before = saved(cron())

    body = saved(cron(id="mine"), cron(), existing=before)

    kept, new = ids(body)
    assert kept == "mine"
    assert new
    assert body == saved(cron(id="mine"), cron(), existing=before)


def test_new_ids_can_be_ordered() -> None:
    before = saved(cron())

    body = saved(cron(id="mine"), existing=before, regenerateCronTriggerIds=True)

    assert ids(body) != ["mine"]
    assert "regenerateCronTriggerIds" not in body
