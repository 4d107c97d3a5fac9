"""Payload constraints: patterns as Java means them, found anywhere in the text."""

import pytest

from gennaker.model.codec import Json
from gennaker.triggers import constraints


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("ain", "main", True),
        ("^ain", "main", False),
        (r"\p{Alpha}+", "v7", True),
        (r"\p{Lower}{3}", "AbC", False),
        ("ma++in", "maain", True),
        ("a*+a", "aaa", False),
        ("[a-z&&[^m]]", "mmm", False),
        (r"\Qa.b\E", "axb", False),
        ("(?<name>m)ain", "main", True),
        ("(", "(", False),
        (["a", "b"], "xa", True),
        (["a", "b"], "xyz", False),
        (True, "true", True),
        (None, "anything", True),
    ],
)
def test_a_constraint_is_looked_for_as_in_java(pattern: Json, text: str, expected: bool) -> None:
    assert constraints.hold_flat({"key": pattern}, {"key": text}) is expected


def test_what_is_not_there_or_null_holds_nothing() -> None:
    assert not constraints.hold_flat({"key": ".*"}, {})
    assert not constraints.hold_flat({"key": ".*"}, {"key": None})


def test_a_pattern_that_could_run_for_ever_is_answered_soon() -> None:
    assert not constraints.hold_flat({"key": "(a+)+b"}, {"key": "a" * 5_000})


@pytest.mark.parametrize(("path", "expected"), [("$.a.b", True), ("$.a.c", False), ("$.l[*].n", True), ("$[", False)])
def test_a_key_that_is_not_there_is_a_path(path: str, expected: bool) -> None:
    payload: dict[str, Json] = {"a": {"b": "main"}, "l": [{"n": "x"}, {"n": "main"}]}

    assert constraints.hold({path: r"\p{Alpha}{4}"}, payload) is expected


@pytest.mark.parametrize(
    "path", ["$[?search(@,'(a+)+$')]", f"$[{'9' * 900}]", f"$[?@=={'9' * 900}]", "$" + ".a" * 20_000, "$" + "[" * 5_000]
)
def test_no_path_of_a_constraint_holds_the_others_up(path: str) -> None:
    assert not constraints.hold({path: "x"}, {"text": "a" * 40 + "!"})
