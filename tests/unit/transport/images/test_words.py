"""Words of a Dockerfile are understood as Docker's builder does."""

import pytest

from gennaker.transport.images import words

VARIABLES = {"NAME": "shop", "EMPTY": "", "PATH": "/bin"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$NAME", "shop"),
        ("${NAME}s", "shops"),
        ("$NAMEs", ""),
        ("/opt/$NAME/x", "/opt/shop/x"),
        ("$PATH:/usr", "/bin:/usr"),
        ("${MISSING:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${NAME:+set}", "set"),
        ("${EMPTY:+set}", ""),
        ("${EMPTY+set}", "set"),
        ("${MISSING:-${NAME}-x}", "shop-x"),
        ("'$NAME'", "$NAME"),
        ('"$NAME and more"', "shop and more"),
        (r"\$NAME", "$NAME"),
        (r'"\$NAME \"x\""', '$NAME "x"'),
        (r'"a\b"', r"a\b"),
        (r"a\ b", "a b"),
        ("$", "$"),
        ("a$-b", "a$-b"),
    ],
)
def test_expands(text: str, expected: str) -> None:
    assert words.expand(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("'open", "not closed"),
        ('"open', "not closed"),
        ("${NAME", "not closed"),
        ("${NAME#x}", "not supported"),
        ("${NAME/a/b}", "not supported"),
        ("${MISSING:?must be given}", "must be given"),
    ],
)
def test_refuses_what_it_does_not_understand(text: str, reason: str) -> None:
    with pytest.raises(words.WordRefused, match=reason):
        words.expand(text, VARIABLES)


def test_the_escape_can_be_another_character() -> None:
    assert words.expand(r"c:\`$NAME", VARIABLES, "`") == r"c:\$NAME"


def test_splits_at_blanks_outside_of_quotes() -> None:
    assert words.split_quoted(r"""a="b c" d='e f'  g=h\ i""") == ('a="b c"', "d='e f'", r"g=h\ i")
