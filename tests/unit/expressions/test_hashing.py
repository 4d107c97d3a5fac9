"""Java's hashes."""

import pytest

from gennaker.expressions.hashing import in_table_order, java_hash
from gennaker.expressions.values import Char, Date, Float, Long, Status, Value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hello", 99162322),
        (True, 1231),
        (None, 0),
        (7, 7),
        (Long(2**40), 256),
        (2.5, 1074003968),
        (Float.of(1.5), 1069547520),
        ([1, "a"], 1089),
        ({"x": 1}, 121),
        (Char("a"), 97),
        (Date(-1), 0),
        (12345678901234567890, -1436577082),
    ],
)
def test_hashes_are_javas(value: Value, expected: int) -> None:
    assert java_hash(value) == expected


def test_keys_are_ordered_as_in_a_hash_map_that_grew() -> None:
    assert in_table_order(["b", "a", None, 17, 1]) == [None, "a", 17, 1, "b"]


def test_a_copied_hash_map_has_the_size_of_what_was_copied() -> None:
    assert in_table_order(["b", "a", "h"], copied=2) == ["h", "a", "b"]
    assert in_table_order(["h", "x", "i"], copied=3) == ["h", "x", "i"]


def test_keys_without_a_lasting_hash_stay_as_they_are() -> None:
    listed: list[Value] = [Status("b"), "b", "a"]
    assert in_table_order(listed) == listed
