"""Synthetic stages: refIds, places in the order, tasks from a plan, stages from a definition."""

from tests.make import EXECUTION, child, config, stage_json, task
from tests.playbook import Playbook, stage_id

from gennaker.engine.synthetics import stages_of, tasks_of
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Stage


def test_synthetic_stages_stand_next_to_their_parent_with_ref_ids_that_say_where() -> None:
    play = Playbook(stage_json("a", type="after"), stage_json("b", "a"))
    play.prepared("a", before=[child("x"), child("y", 0)])
    play.prepared("x", before=[child("deep")])
    play.prepared("deep")
    play.prepared("y")
    play.planned_late("a", child("z", restrictExecutionDuringTimeWindow=True, colour="blue"))

    assert [(one.ref_id, one.name) for one in play.execution.in_order()] == [
        ("a<1<1", "deep"),
        ("a<1", "x"),
        ("a<2", "y"),
        ("a", "a"),
        ("a>1", "z"),
        ("b", "b"),
    ]
    assert play.stage("z").context == {"colour": "blue"}
    assert play.stage("y").requisite_ref_ids == ("a<1",)
    assert play.stage("z").parent_id == stage_id("a")


def test_an_alias_that_is_copied_along_does_not_make_the_child_its_parent_again() -> None:
    play = Playbook(stage_json("a", alias="job"))

    play.prepared("a", before=[child("x", alias="job", colour="blue"), child("y", alias="other")])

    assert play.stage("x").context == {"colour": "blue"}
    assert play.stage("y").context == {"alias": "other"}


def test_the_wait_for_an_execution_window_is_the_first_of_its_side() -> None:
    play = Playbook(stage_json("a"))

    play.prepared("a", before=[child("w", type="restrictExecutionDuringTimeWindow"), child("x", 0)])

    assert [one.ref_id for one in play.execution.in_order()] == ["a<1", "a<2", "a"]


def test_the_first_and_last_task_are_marked_unless_they_are_in_a_loop() -> None:
    plain = tasks_of([task("one"), task("two"), task("three")])
    looping = tasks_of([task("one"), task("two", is_loop_start=True), task("three", is_loop_end=True)])

    assert [(one.id, one.is_stage_start, one.is_stage_end) for one in plain] == [
        ("1", True, False),
        ("2", False, False),
        ("3", False, True),
    ]
    assert [(one.is_stage_start, one.is_stage_end) for one in looping] == [
        (True, False),
        (False, False),
        (False, False),
    ]


def own(**fields: object) -> Stage:
    definition: JsonObject = {"stages": [fields]}  # type: ignore[list-item]  # JSON
    return stages_of(EXECUTION, definition)[0]


def test_what_isnt_the_stages_own_field_is_its_context() -> None:
    found = own(refId="1", type="deploy", name="Deploy", requisiteStageRefIds=None, startTimeExpiry="5", image="x")

    assert (found.ref_id, found.type, found.name, found.requisite_ref_ids) == ("1", "deploy", "Deploy", ())
    assert found.context == {"image": "x"}
    assert found.start_time_expiry is not None


def test_a_provider_other_than_the_first_two_is_part_of_the_type() -> None:
    assert own(refId="1", type="bake", providerType="aws").type == "bake"
    assert own(refId="1", type="bake", providerType="gce").type == "bake_gce"
    assert own(refId="1", type="bake").name == "bake"


def test_a_definition_without_stages_gives_none() -> None:
    assert stages_of(EXECUTION, config()) == []
    assert stages_of(EXECUTION, {}) == []
