"""Values, their names and texts."""

import pytest

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Long, Value, equal, type_name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "Integer"),
        (2**31, "Long"),
        (2**63, "BigInteger"),
        (Long(1), "Long"),
        (True, "Boolean"),
        (None, "null"),
        ([], "ArrayList"),
    ],
)
def test_a_value_is_named_after_its_java_type(value: Value, name: str) -> None:
    assert type_name(value) == name


def test_equality_minds_the_type_of_numbers() -> None:
    assert equal({"a": [1, None]}, {"a": [1, None]})
    assert not equal(1, Long(1))
    assert not equal(1, True)
    assert not equal([1], [1.0])


@pytest.mark.slow
def test_comparing_values_that_only_look_endless_ends() -> None:
    def tower() -> list[Value]:
        level: list[Value] = [0]
        for _ in range(40):
            level = [level, level]
        return level

    with pytest.raises(ExpressionError) as caught:
        equal(tower(), tower())

    assert caught.value.kind is Kind.LIMIT
