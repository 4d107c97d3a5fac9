"""Types that may be named, their static methods and arrays."""

import pytest

from gennaker.expressions import root, template
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.types import resolve
from gennaker.model.codec import Json


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("java.lang.System", Kind.TYPE_BLOCKED),
        ("Runtime", Kind.TYPE_BLOCKED),
        ("java.io.File", Kind.TYPE_BLOCKED),
        ("Float", Kind.TYPE_BLOCKED),
        ("java.lang.Nope", Kind.TYPE_NOT_FOUND),
        ("Instant", Kind.TYPE_NOT_FOUND),
        ("os.path", Kind.TYPE_NOT_FOUND),
    ],
)
def test_other_types_are_blocked_or_unknown(name: str, kind: Kind) -> None:
    with pytest.raises(ExpressionError) as caught:
        resolve(name)

    assert caught.value.kind is kind


def test_a_short_name_gets_the_full_one_as_a_hint() -> None:
    with pytest.raises(ExpressionError, match=r"java\.time\.Instant"):
        resolve("Instant")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("T(Integer).parseInt('-7f', 16)", -127),
        ("T(Integer).toBinaryString(5)", "101"),
        ("T(Math).pow(2, 10)", 1024.0),
        ("T(Math).round(-2.5)", -2),
        ("T(Math).max(1, 2L) ?: 0", None),
        ("T(Math).abs(-2.5)", 2.5),
        ("T(Double).parseDouble('1e3')", 1000.0),
        ("T(java.net.URLEncoder).encode('a b&ü', 'UTF-8')", "a+b%26%C3%BC"),
        ("T(java.util.UUID).fromString('1-2-3-4-5').toString()", "00000001-0002-0003-0004-000000000005"),
        ("new int[]{1, 2}.length", 2),
        ("'a' instanceof T(String)", True),
        ("{1} instanceof T(String)", False),
        ("T(String)", "java.lang.String"),
    ],
)
def test_static_methods_give_what_java_gives(expression: str, expected: Json) -> None:
    found = template.evaluate(f"${{{expression}}}", root.plain({})).value

    assert found == (f"${{{expression}}}" if expected is None else expected)


def test_chance_is_the_same_for_the_same_seed_and_differs_otherwise() -> None:
    text = "${T(java.util.UUID).randomUUID().toString()}"

    first, again, other = (template.evaluate(text, root.plain({}), seed=seed).value for seed in ("a", "a", "b"))

    assert first == again != other


@pytest.mark.parametrize(
    "expression", ["new int[99999999]", "new int[1000][1000]", "new int[-1]", "new int[]", "new java.util.ArrayList()"]
)
def test_arrays_without_bounds_and_other_types_are_refused(expression: str) -> None:
    assert len(template.evaluate(f"${{{expression}}}", root.plain({})).failures) == 1
