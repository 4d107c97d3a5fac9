"""Java's regular expressions: meaning and bounded time."""

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gennaker.patterns.errors import PatternError
from gennaker.patterns.java import MAX_PATTERN, Pattern


def _matches(pattern: str, text: str) -> bool:
    return Pattern(pattern).match(text, is_whole=True) is not None


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("^v.*$", "v1.2", True),
        ("a.b", "a\nb", False),
        ("[a-z&&[^aeiou]]+", "bcd", True),
        ("[a-z&&[^aeiou]]+", "bad", False),
        ("[[a-c][x-z]]+", "axz", True),
        (r"\Qa.b\E+", "a.bb", True),
        ("(?i)HeL+o", "hello", True),
        ("(?i:A)b", "aB", False),
        (r"\p{Alpha}\P{Digit}", "ab", True),
        (r"\d", "\u0663", False),
        (r"(\w)\1", "aa", True),
        (r"(?<x>a)\k<x>", "aa", True),
        ("a*+a", "aaa", False),
        (r"\x41\u0042\t", "AB\t", True),
        (r"[\]\-^]+", "]-^", True),
        ("a{2,3}", "aaaa", False),
    ],
)
def test_a_pattern_means_what_it_means_in_java(pattern: str, text: str, expected: bool) -> None:
    assert _matches(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern", ["(", ")", "[a", "*a", "a{2,1}", r"\y", "[]", "(?<1>a)", "(?<n>a)(?<n>b)", r"\p{Nope}", "a{x"]
)
def test_a_bad_pattern_is_refused_as_such(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(pattern)

    assert not caught.value.is_limit


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "([a-z]+)*1", "(a|aa)+$b", "a*a*a*a*a*a*a*b"])
def test_patterns_that_explode_elsewhere_end_soon(pattern: str) -> None:
    assert not _matches(pattern, "a" * 300)


@pytest.mark.parametrize("pattern", [r"((a+)+)\2b", "(?=(a+)+b)a*"])
def test_patterns_that_nothing_can_bound_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        _matches(pattern, "a" * 300)

    assert caught.value.is_limit


def test_a_pattern_that_is_too_long_is_refused() -> None:
    with pytest.raises(PatternError) as caught:
        Pattern("a" * (MAX_PATTERN + 1))

    assert caught.value.is_limit


_PIECES = st.sampled_from(["a", "b", ".", "[ab]", "(a|b)", "(ab?)", "(?:a*b)"])
_WILD = st.lists(st.tuples(_PIECES, st.sampled_from(["", "*", "+", "?", "*?", "{1,2}"])), min_size=1, max_size=4).map(
    lambda parts: "(?:" + "".join(piece + quantifier for piece, quantifier in parts) + ")*c"
)


@settings(deadline=None)  # the reference, Python's own matcher, may take long
@given(_WILD, st.text("abc", max_size=11))
@example("(?:.*?)*c", "cc")
def test_the_bounded_matcher_finds_what_backtracking_finds(pattern: str, text: str) -> None:
    try:
        ours = [spans[0] for spans in Pattern(pattern).finds(text)]
    except PatternError:  # loops over what may be empty and lazy are refused
        assume(False)

    assert ours == [match.span() for match in re.finditer(pattern, text)]


def test_a_pattern_without_repeats_is_cheap_on_long_text() -> None:
    assert Pattern("a").steps("a" * 1_000_000) < 50_000


def test_small_repeats_beside_one_another_are_counted_with_all_ways_to_share_the_text() -> None:
    assert list(Pattern("a{0,8}" * 8 + "b").finds("a" * 200)) == []  # by `re` it would take minutes
