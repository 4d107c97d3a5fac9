"""Orca's JSON of executions: what isn't seen by the way in the tests of its readers."""

from tests.make import AT, execution, seconds, stage_json

from gennaker.engine import orca_json
from gennaker.model.execution import Paused, SystemNotification


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
