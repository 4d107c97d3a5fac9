"""The parser of expressions."""

import pytest

from gennaker.expressions import tree
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.parser import MAX_LENGTH, parse


def test_products_bind_tighter_than_sums() -> None:
    node = parse("1 + 2 * 3")

    assert isinstance(node, tree.Arithmetic)
    assert node.rest[0][0] == "+"
    assert isinstance(node.rest[0][1], tree.Arithmetic)


def test_a_chain_of_one_precedence_is_flat_however_long() -> None:
    node = parse("+".join(["1"] * 4000))

    assert isinstance(node, tree.Arithmetic)
    assert len(node.rest) == 3999


def test_a_minus_binds_tighter_than_a_power() -> None:
    node = parse("-2 ^ 2")

    assert isinstance(node, tree.Arithmetic)
    assert isinstance(node.first, tree.Unary)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 < 2 < 3",
        "2 ^ 3 ^ 2",
        "a b",
        "(a",
        "a)",
        "{1, 2",
        "f(1",
        "a.",
        "a..b",
        "a.1",
        "T()",
        "a ? b",
        "a[]",
        "#",
        "new X",
        "? 1",
    ],
)
def test_text_that_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert caught.value.kind is Kind.PARSE


@pytest.mark.parametrize(
    "text", ["(" * 500 + "1" + ")" * 500, "!" * 500 + "a", "-" * 9_001 + "a", "a?1:" * 500 + "2", "{" * 500 + "}" * 500]
)
def test_deep_nesting_is_refused_without_exhausting_the_stack(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert caught.value.kind is Kind.LIMIT


def test_an_expression_that_is_too_long_is_refused() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("1" + " " * MAX_LENGTH)

    assert caught.value.kind is Kind.LIMIT


def test_words_of_the_language_are_names_after_a_dot_and_alone_in_brackets() -> None:
    assert isinstance(parse("a.new.T.and.true"), tree.Chain)
    assert parse("a[T]") == parse("a[T]")
    assert isinstance(parse("a[new]"), tree.Chain)


def test_nodes_know_their_place() -> None:
    node = parse("aa.bb")

    assert isinstance(node, tree.Chain)
    assert (node.links[0].start, node.links[0].end) == (3, 5)


@pytest.mark.parametrize("text", ["a = 1", "a++", "--a", "a.b = c"])
def test_changes_are_parsed_so_that_they_can_be_refused_by_name(text: str) -> None:
    assert isinstance(parse(text), tree.Change)
