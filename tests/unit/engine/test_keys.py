"""Keys and ids: derived, readable, and never the same for different things."""

from hypothesis import example, given
from hypothesis import strategies as st
from tests.make import EXECUTION, config, stage_json

from gennaker.engine import keys
from gennaker.engine.synthetics import stages_of
from gennaker.model.execution import Task


def test_ids_have_the_form_of_a_ulid_and_are_the_same_each_time() -> None:
    found = keys.stage_id(EXECUTION, "1<2")

    assert found == keys.stage_id(EXECUTION, "1<2")
    assert len(found) == 26
    assert set(found) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert found[0] in "01234567"


@example("a/1/deadline")
@given(st.text(min_size=1))
def test_the_stage_of_a_timer_is_found_again_whatever_its_ref_id(ref: str) -> None:
    stage = stages_of(EXECUTION, config(stage_json(ref)))[0]

    key = keys.stage_deadline(EXECUTION, stage)

    assert keys.timed_stage(EXECUTION, key) == (stage.id, "")


@given(st.text(min_size=1), st.text(min_size=1))
def test_keys_of_different_stages_differ(one: str, other: str) -> None:
    first, second = (stages_of(EXECUTION, config(stage_json(ref)))[0] for ref in (one, other))

    assert (keys.prepare_stage(EXECUTION, first) == keys.prepare_stage(EXECUTION, second)) == (one == other)


def test_an_attempt_at_a_task_has_a_key_of_four_parts_whatever_its_ref_id() -> None:
    stage = stages_of(EXECUTION, config(stage_json("a/1%2F"), stage_json("a")))[0]
    one = Task(id="1", name="run", implementing_class="run")

    key = keys.attempt(EXECUTION, stage, one)

    assert key == f"{EXECUTION}/a%2F1%252F/1/{stage.attempt}.{one.attempt}"


def test_a_fraction_depends_on_the_text_only() -> None:
    fractions = [keys.fraction(str(number)) for number in range(1000)]

    assert fractions == [keys.fraction(str(number)) for number in range(1000)]
    assert all(0 <= one < 1 for one in fractions)
    assert 0.4 < sum(fractions) / 1000 < 0.6
