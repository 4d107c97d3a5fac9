"""Contexts: what was looked at before says nothing of what is looked at now."""

from gennaker.engine.contexts import has_expressions, mentions
from gennaker.model.codec import Json

WITH: Json = {"a": [{"b": "x ${ 1 }"}]}
WITHOUT: Json = {"a": [{"b": "x { 1 }"}], "$": "{"}


def test_each_value_is_looked_at_for_itself() -> None:
    found = [has_expressions(value) for value in (WITH, WITH, WITHOUT, WITHOUT, WITH, None, "", "${", WITHOUT)]

    assert found == [True, True, False, False, True, False, False, True, False]


def test_keys_and_all_that_is_within_are_looked_at() -> None:
    assert has_expressions({"a": {"${k}": 1}})
    assert not has_expressions({"a": {"k": 1}})
    assert mentions([[{"a": "xyz"}]], "y")
    assert not mentions([[{"a": "xyz"}]], "w")
