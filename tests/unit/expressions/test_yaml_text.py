"""YAML for expressions."""

import pytest

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Date, Value
from gennaker.expressions.yaml_text import MAX_CHARACTERS, MAX_UNUSUAL, read, read_all


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


@pytest.mark.parametrize(
    "text",
    [
        "a: 010\nb: on\nc: 2024-13-01\nd: [-.5, 1e3, =, ~]",
        "b: 1\n<<: {c: 2, b: 3}\na: 4",
        "x: &x {a: 1}\ny: {<<: *x, b: 2}",
        "1: a\nyes: b\n1.0: c",
        "a: 1\nb: 2\na: 3",
        "a: &k 1\nb: &k 2\nc: *k",
        "a: on\t\nb: 1",
        "- !!bool maybe\n- !!pairs [a: 1]\n- !!binary aGk=",
        "a: |\n  x\n   y\nb: >-\n  folded\n  text",
        """a: "\\u00e9\\x41\\n"\nb: 'it''s'""",
        "1\n---\na: 2",
        "a: b\r\nc: |\r\n  x\r\n   y\r\n\r\nd: >-\r\n  folded\r\n  text\r\n\r\n  z\r\n",
        "a: 'x\r\n  y\r\n\r\n  z'\r\nb: \"x\\\r\n  y\r\n  z\"\r\nc: plain\r\n  text # it is\r\n",
        "- Hello!\n- \"it's!!\" # so!\n- a!b\n- {c!: 'd!'}\n- |\n  #!/bin/sh\n",
        "- !!str 1\n- ! 2\n- {\"a\":!!str 3}\n- '! b'\n",
    ],
)
def test_a_long_text_is_read_as_a_short_one(text: str) -> None:
    long = "# a line that only makes it longer\n" * 400 + text

    assert [str(each) for each in read_all(long)] == [str(each) for each in read_all(text)]


@pytest.mark.parametrize("levels", [150, 60_000])
def test_a_long_text_that_is_nested_too_deeply_is_refused(levels: int) -> None:
    with pytest.raises(ExpressionError):
        read("[" * levels + " " * 10_000 + "]" * levels)


def test_a_text_with_tabs_may_not_be_as_long_as_others() -> None:
    with pytest.raises(ExpressionError) as caught:
        read("a: b\tc\n" + "#" * MAX_UNUSUAL)

    assert "tabs" in caught.value.message


@pytest.mark.parametrize("line", ["k1: b\r\n", '- "Hello!"\n'], ids=["CRLF", "!"])
def test_a_text_with_carriage_returns_or_exclamation_marks_may_be_as_long_as_others(line: str) -> None:
    read(line + "#" * (MAX_UNUSUAL + 1))


@pytest.mark.parametrize("line", ["- !!str a\n", "- [!!str a]\n", '- {"a":!!str b}\n', "a: b\rc: d\n"])
def test_a_text_with_tags_or_lone_carriage_returns_may_not(line: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read(line + "#" * MAX_UNUSUAL)

    assert "words that begin with '!'" in caught.value.message
