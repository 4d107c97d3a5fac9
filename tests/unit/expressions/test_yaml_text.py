"""YAML for expressions."""

import pytest

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Date, Value
from gennaker.expressions.yaml_text import MAX_CHARACTERS, read, read_all


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("a: 010", {"a": 8}),
        ("on", True),
        ("2024-02-29", Date(1709164800000)),
        ("a b\tc", "a b\tc"),
        ("[1, ~]", [1, None]),
    ],
)
def test_plain_yaml_1_1_is_read(text: str, expected: Value) -> None:
    assert read(text) == expected


def test_all_documents_are_read_in_order() -> None:
    assert read_all("1\n---\n2") == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object:os.system {}",
        "a: [",
        "{[1]: 2}",
        "1\n---\n2",
        "x" * (MAX_CHARACTERS + 1),
        "&a [*a]",
        "1" + ":59" * 60_000,
        "0x" + "f" * 5_000,
        "1e" + "1" * 100,
    ],
    ids=["tag", "open", "key", "several", "long", "itself", "base 60", "hexadecimal", "float"],
)
def test_what_is_not_plain_data_of_bounded_size_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(text)

    assert caught.value.kind is Kind.FUNCTION_FAILED
