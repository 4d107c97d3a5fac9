"""Methods of text."""

import pytest

from gennaker.expressions import root, template
from gennaker.model.codec import Json


def _value(expression: str) -> Json:
    context: dict[str, Json] = {"s": "hello world", "csv": "a,b,,c,,", "face": "x😀y"}
    return template.evaluate(f"${{{expression}}}", root.plain(context)).value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("s.substring(0, 5)", "hello"),
        ("s.indexOf('o', 5)", 7),
        ("s.replaceAll('(?<first>\\w+) (\\w+)', '$2 ${first}')", "world hello"),
        ("s.replaceFirst('o', '\\$')", "hell$ world"),
        ("csv.split(',', 2)", ["a", "b,,c,,"]),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("''.split(',')", [""]),
        ("s.charAt(0) == 'h'", False),
        ("s.hashCode()", 1794106052),
        ("'a'.compareTo('c')", -2),
        ("s.length", 11),
        ("s.blank", False),
        ("face.length()", 4),
        ("face.substring(3)", "y"),
        ("T(String).format('%05d|%-4s|%.2f|%x', 42, 'a', 2.345, 255)", "00042|a   |2.35|ff"),
        ("'%s and %s'.formatted('a', 'b')", "a and b"),
        ("T(String).join('-', 'a', 'b')", "a-b"),
        ("' x '.strip() + s.toUpperCase().charAt(0)", "xH"),
    ],
)
def test_a_method_gives_what_java_gives(expression: str, expected: Json) -> None:
    assert _value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "s.substring(20)",
        "s.chars()",
        "s.subSequence(0, 1)",
        "s.replaceAll('(', '')",
        "s.replaceAll('o', '$1')",
        "'x'.repeat(2000000000)",
        "'ab'.repeat(5000).replace('a', 'x'.repeat(100000))",
        "s.__class__",
        "s.format",
        "T(String).format('%d', 'x')",
        "T(String).format('%q')",
    ],
)
def test_what_fails_leaves_the_text(expression: str) -> None:
    assert _value(expression) == f"${{{expression}}}"
