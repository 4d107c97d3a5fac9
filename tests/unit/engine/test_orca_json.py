"""Orca's JSON of executions: what isn't seen by the way in the tests of its readers."""

from msgspec.structs import replace
from tests.make import AT, execution, seconds, stage_json

from gennaker.engine import orca_json
from gennaker.model.execution import Paused, SystemNotification
from gennaker.model.statuses import Status


def test_an_execution_shows_what_the_engine_wants_people_to_see() -> None:
    note = SystemNotification(created_at=AT, group="retry:a.1", message="run of stage a is tried again.")

    shown = orca_json.execution_json(
        execution(stage_json("a"), system_notifications=(note,), partition="west", additional_headers={"X-Trace": "7"})
    )

    assert shown["systemNotifications"] == [
        {"createdAt": 1795510800000, "group": "retry:a.1", "message": note.message, "closed": False}
    ]
    assert (shown["partition"], shown["additionalHeaders"]) == ("west", {"X-Trace": "7"})


def test_a_pause_shows_its_length_when_it_is_over() -> None:
    pause = Paused(paused_by="ada", pause_time=AT, resumed_by="bob", resume_time=AT + seconds(90))

    assert orca_json.execution_json(execution(paused=pause))["paused"] == {
        "pausedBy": "ada",
        "pauseTime": 1795510800000,
        "resumedBy": "bob",
        "resumeTime": 1795510890000,
        "paused": False,
        "pausedMs": 90000,
    }


def test_triggers_have_what_orca_writes_for_every_one_those_of_parents_too() -> None:
    parent = {"id": "p", "trigger": {"type": "cron"}}

    shown = orca_json.execution_json(
        execution(trigger={"type": "pipeline", "dryRun": True, "parentExecution": parent, "own": 1})
    )

    always = {
        "parameters": {},
        "artifacts": [],
        "notifications": [],
        "rebake": False,
        "dryRun": False,
        "strategy": False,
        "resolvedExpectedArtifacts": [],
    }
    of_parent = {"id": "p", "stages": [], "trigger": {**always, "type": "cron"}}
    assert shown["trigger"] == {**always, "type": "pipeline", "dryRun": True, "parentExecution": of_parent, "own": 1}


def test_stages_of_a_large_execution_are_seen_as_they_are_now() -> None:
    before = execution(*(stage_json(f"s{number}") for number in range(200)))
    seen = orca_json.seen_stages(before)
    changed = replace(next(iter(before.in_order())), status=Status.SUCCEEDED)
    after = replace(before, stages=before.stages.set(changed.id, changed))

    now = orca_json.seen_stages(after)

    assert now == orca_json.execution_json(after)["stages"]
    assert now[1] is seen[1]
    assert orca_json.seen_stages(before) == seen
