"""Judgments: which choices are offered, and which answers are among them."""

import pytest

from gennaker.model import judgments
from gennaker.model.codec import Json

OFFERED: Json = [{"value": "all at once"}, {"value": 5}, {"value": True}, {"value": None}, {}, "x"]


@pytest.mark.parametrize(("offered", "known"), [(OFFERED, ("all at once", "5", "true")), (None, ()), ("x", ())])
def test_each_value_is_a_choice(offered: Json, known: tuple[str, ...]) -> None:
    assert judgments.choices(offered) == known


@pytest.mark.parametrize("given", ["all at once", "5", 5, "true", "", None])
def test_a_choice_that_is_offered_is_taken_and_so_is_none(given: Json) -> None:
    assert judgments.refused(OFFERED, given) is None


@pytest.mark.parametrize("offered", [None, [], [{}]])
def test_where_nothing_is_offered_anything_is_taken(offered: Json) -> None:
    assert judgments.refused(offered, "whatever") is None


@pytest.mark.parametrize("given", ["nosuchchoice", "All at once", 6, {}])
def test_another_is_refused_with_those_that_are_offered(given: Json) -> None:
    problem = judgments.refused(OFFERED, given)

    assert problem is not None
    assert problem.code == "judgment.unknown_choice"
    assert problem.remedy == "It offers 'all at once', '5', 'true'."
