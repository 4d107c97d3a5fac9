"""Globs are Docker's, and no path takes long."""

import pytest

from gennaker.transport.images.globs import Glob


@pytest.mark.parametrize(
    ("glob", "fitting", "others"),
    [
        ("*.md", ["a.md", ".md"], ["a/b.md", "a.mdx", "a.MD"]),
        ("**/*.md", ["a.md", "x/y/a.md"], ["a.mdx"]),
        ("**/b", ["b", "a/b", "a/c/b"], ["ab", "a/ab"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("a/**", ["a/", "a/x", "a/x/y"], ["a", "ab"]),
        ("a**b", ["ab", "axb", "a/x/b"], ["a"]),
        ("**a*b", ["a/ab", "ab"], ["a/b", "ba"]),
        ("a?c", ["abc"], ["a/c", "ac", "abbc"]),
        ("[a-c][^x]", ["ab", "cz"], ["ax", "db", "a"]),
        ("a\\*b", ["a*b"], ["axb"]),
        ("a.b", ["a.b"], ["axb"]),
        ("", [""], ["a"]),
    ],
)
def test_they_fit_what_they_fit_in_docker(glob: str, fitting: list[str], others: list[str]) -> None:
    made = Glob(glob)

    assert [path for path in (*fitting, *others) if made.matches(path)] == fitting


@pytest.mark.parametrize("glob", ["*a" * 30 + "b", "**a" * 30 + "b", "**/*a" * 20 + "b"])
def test_many_stars_try_no_more_ways_than_there_are_characters(glob: str) -> None:
    made = Glob(glob)

    assert not made.matches("a" * 4000)  # as a regular expression this would go on for years
    assert not made.matches("a/" * 2000)


@pytest.mark.parametrize(("glob", "why"), [("[ab", "not closed"), ("[b-a]", "makes no sense")])
def test_what_is_none_is_refused(glob: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Glob(glob)
