"""Template variables: defaults, what is missing, types."""

from typing import Any

import pytest

from gennaker.engine import template_variables
from gennaker.model.codec import Json, JsonObject


def declared(name: str = "v", kind: str | None = "string", **fields: Json) -> JsonObject:
    return {"name": name, "type": kind, **fields} if kind else {"name": name, **fields}


def codes(one: JsonObject, given: JsonObject) -> list[str]:
    return [problem.code for problem in template_variables.assigned([one], given)[1]]


def test_defaults_are_filled_in_given_values_win_and_undeclared_ones_are_dropped() -> None:
    listed = [declared("a", defaultValue="x"), declared("b", defaultValue="y"), declared("c", nullable=True)]

    values, problems = template_variables.assigned(listed, {"b": "z", "other": 1})

    assert (values, problems) == ({"a": "x", "b": "z"}, ())


def test_all_that_are_missing_are_named_at_once() -> None:
    listed = [declared("a"), declared("b", nullable=True), declared("c", defaultValue=None)]

    (problem,) = template_variables.assigned(listed, {})[1]

    assert problem.message == "Missing variable values for: a, c."
    assert problem.pointer == "/variables"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", 1),
        ("int", 2.0),
        ("Integer", 1),
        ("float", 1.5),
        ("bool", True),
        ("boolean", False),
        ("list", [1]),
        ("string", ""),
        ("object", 1),
        ("object", {"a": 1}),
        ("map", {"a": 1}),
        ("long", 2**31),
        (None, 7),
    ],
)
def test_values_of_the_right_type_are_taken(kind: str | None, value: Any) -> None:
    assert codes(declared(kind=kind), {"v": value}) == []


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("int", 1.5, "float"),
        ("int", True, "bool"),
        ("int", "1", "string"),
        ("float", 1, "int"),
        ("int", 2**31, "long"),
        ("long", 1, "int"),
        ("bool", "true", "string"),
        ("list", {"a": 1}, "map"),
        ("string", 1, "int"),
        ("nonsense", "x", "string"),
    ],
)
def test_values_of_another_type_are_refused_with_both_types(kind: str, value: Any, found: str) -> None:
    (problem,) = template_variables.assigned([declared("a/b", kind)], {"a/b": value})[1]

    assert (problem.code, problem.pointer) == ("template.variable_type", "/variables/a~1b")
    assert f"a/b (expected type '{kind}' found type '{found}')" in problem.message


def test_a_default_of_the_wrong_type_is_refused_too() -> None:
    assert codes(declared(kind="int", defaultValue="x"), {}) == ["template.variable_type"]


def test_null_is_a_value_only_where_the_variable_allows_it() -> None:
    assert codes(declared(nullable=True), {"v": None}) == []
    assert codes(declared(nullable="true"), {"v": None}) == []
    assert codes(declared(), {"v": None}) == ["template.variable_null"]
