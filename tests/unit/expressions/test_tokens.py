"""The lexer of expressions."""

import pytest

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.tokens import Type, tokens
from gennaker.expressions.values import Float, Long


def _values(text: str) -> list[object]:
    return [token.value for token in tokens(text)[:-1]]


def _words(text: str) -> list[str]:
    return [token.word for token in tokens(text)[:-1]]


@pytest.mark.parametrize(
    ("text", "value", "type_"),
    [
        ("42", 42, int),
        ("42L", 42, Long),
        ("0x1F", 31, int),
        ("0xFFFFFFFFFL", 0xFFFFFFFFF, Long),
        ("1.5", 1.5, float),
        ("1e3", 1000.0, float),
        ("2d", 2.0, float),
        ("1.5f", 1.5, Float),
    ],
)
def test_a_number_has_the_type_that_java_gives_it(text: str, value: float, type_: type) -> None:
    (found,) = _values(text)

    assert (found, type(found)) == (value, type_)


@pytest.mark.parametrize(
    "text", ["2147483648", "0x", "0xFFFFFFFF", "1e", "1.5L", "'open", '"\\""', "a | b", "\\", "a ~ b"]
)
def test_what_is_no_token_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        tokens(text)

    assert caught.value.kind is Kind.PARSE
    assert caught.value.start >= 0


def test_quotes_are_doubled_and_backslashes_mean_nothing() -> None:
    assert _values(r"'it''s' '\n' ") == ["it's", r"\n"]


def test_words_that_are_operators_are_so_in_any_case() -> None:
    assert _words("a DIV b Ne c not d") == ["a", "/", "b", "!=", "c", "!", "d"]


def test_brackets_that_begin_a_selection_are_one_token_without_a_space() -> None:
    assert _words("a.?[b] ?.c ?:d $[ $e") == ["a", ".", "?[", "b", "]", "?.", "c", "?:", "d", "$[", "$e"]


def test_the_last_token_is_the_end() -> None:
    assert tokens("")[-1].type is Type.END
