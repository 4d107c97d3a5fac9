"""Evaluation: scopes, budgets, and that nothing of Python can be reached."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gennaker.expressions import root, template
from gennaker.expressions.failures import Kind
from gennaker.model.codec import Json, JsonObject

_CONTEXT: JsonObject = {
    "a": 3,
    "k": "x",
    "m": {"x": 1, "k": 2},
    "list": [1, 2, 3],
    "rows": [{"id": "x", "n": 1}, {"id": "k", "n": 2}],
    "s": "hello",
    "big": list(range(3000)),
}


def _evaluate(expression: str) -> template.Evaluated:
    return template.evaluate(f"${{{expression}}}", root.plain(_CONTEXT))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m[k]", 2),
        ("m['' + k]", 1),
        ("list[a - 1]", 3),
        ("rows.![#root.m[id]]", None),
        ("rows.![id + #root.k]", ["xx", "kx"]),
        ("rows.?[n > 1].![id]", ["k"]),
        ("rows.^[n > 0].id", "x"),
        ("rows.$[n > 0].id", "k"),
        ("rows.![{'a'}.contains(id)]", [False, False]),
        ("m.?[true].size()", 2),
        ("list.![#this > 1 ? 'big' : 'small']", ["small", "big", "big"]),
        ("nope?.x ?: 'd'", "d"),
        ("nope?.?[true] ?: 'd'", "d"),
        ("'' ?: 'd'", "d"),
        ("0 ?: 'd'", 0),
    ],
)
def test_names_mean_what_their_scope_says(expression: str, expected: Json) -> None:
    found = _evaluate(expression).value

    assert found == ([None, None] if expected is None else expected)


@pytest.mark.parametrize(
    "expression",
    [
        "s.__class__",
        "s.class",
        "s.getClass()",
        "a.__init__",
        "m.__class__.x",
        "#root.__dict__.x",
        "#root.names",
        "#root.get('a')",
        "list.append(1)",
        "s.encode()",
        "s.upper()",
        "T(builtins)",
        "T(os.system)",
        "@bean",
        "#this.extras",
        "rows.![__class__]",
        "#toInt.__globals__",
    ],
)
def test_nothing_of_python_can_be_reached(expression: str) -> None:
    evaluated = _evaluate(expression)

    is_list_of_nulls = evaluated.value == [None, None]
    assert is_list_of_nulls or (evaluated.value == f"${{{expression}}}" and len(evaluated.failures) == 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "expression",
    [
        "big.![#root.big.![#root.big.![#this]]]",
        "big.![#root.big].![#root.big]",
        "big.![#root.big.![#root.big]].toString()",
        "big.![#root.big.containsAll(#root.big)]",
        "big.![('x'.repeat(100000) + '').length()]",
        "big.![('a'.repeat(3000)).replaceAll('(a+)+b', '')]",
        "big.![#root.big.![#root.big]] == big.![#root.big.![#root.big]]",
        "'x'.repeat(9999999).split('')",
        "'%1$s'.repeat(999999).formatted('x'.repeat(100))",
        "12345678901234567890 ^ 99999",
    ],
)
def test_what_would_run_for_ever_is_stopped(expression: str) -> None:
    started = time.process_time()
    evaluated = _evaluate(expression)

    assert time.process_time() - started < 200
    assert len(evaluated.failures) == 1
    assert evaluated.failures[0].kind in (Kind.LIMIT, Kind.PARSE)


_ATOMS = st.sampled_from(
    [
        "1",
        "0",
        "2L",
        "1.5f",
        "'x'",
        "''",
        "null",
        "true",
        "a",
        "m",
        "list",
        "rows",
        "s",
        "nope",
        "#this",
        "#root",
        "{1,'a'}",
        "{k: 1}",
    ]
    + [
        "{}",
        "T(String)",
        "T(Math)",
        "new java.util.Date(0)",
        "T(java.time.LocalDate).now()",
        "T(java.time.DayOfWeek).of(1)",
        "big",
    ]
)
_OPERATORS = st.sampled_from(
    [
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "==",
        "!=",
        "<",
        ">=",
        "and",
        "or",
        "matches",
        "between",
        "instanceof",
        "?:",
        "=",
        ",",
    ]
)
_NAMES = st.sampled_from(
    [
        "length()",
        "size",
        "x",
        "keySet()",
        "toString()",
        "hashCode()",
        "equals(1)",
        "split(',')",
        "substring(1)",
        "compareTo('a')",
    ]
    + [
        "plusDays(1)",
        "max(1,2)",
        "valueOf('1')",
        "entrySet()",
        "subList(0,1)",
        "indexOf('l')",
        "format('%s %d', 1, 2)",
        "charAt(0)",
    ]
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, _OPERATORS, inner).map(" ".join),
        st.tuples(inner, _NAMES).map(".".join),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]}[{pair[1]}]"),
        st.tuples(inner, st.sampled_from("?^$!"), inner).map(lambda parts: f"{parts[0]}.{parts[1]}[{parts[2]}]"),
        st.tuples(st.sampled_from(["!", "-", "+", "not "]), inner).map("".join),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} ? {parts[1]} : {parts[2]})"),
        st.tuples(
            st.sampled_from(["toJson", "readJson", "toInt", "readYaml", "stage", "toBase64", "doNotEval"]), inner
        ).map(lambda parts: f"#{parts[0]}({parts[1]})"),
        inner.map(lambda text: f"{{{text}, {text}}}"),
        inner.map(lambda text: f"({text})"),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(_ATOMS, _grown, max_leaves=12))
@pytest.mark.slow
def test_no_expression_raises_and_failed_ones_leave_the_text(expression: str) -> None:
    started = time.process_time()
    evaluated = _evaluate(expression)

    assert time.process_time() - started < 200
    assert not evaluated.failures or evaluated.value == f"${{{expression}}}"


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("${}[]()'\"#.,?:!+-*/%^<>=&|@T abn01\\\n") | st.characters(), max_size=40))
@pytest.mark.slow
def test_no_text_raises(text: str) -> None:
    evaluated = template.evaluate(["${" + text + "}", text, {text: "${" + text}], root.plain(_CONTEXT))

    assert isinstance(evaluated.value, list)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("nope matches nope.x", Kind.REGEX),  # the left side is looked at before the right one is evaluated
        ("m matches nope.x", Kind.CONVERSION),
        ("s matches 1", Kind.REGEX),
        ("false or 1 == 1 == true", Kind.PARSE),
        ("2 * 3 ^ 2 ^ 2", Kind.PARSE),
    ],
)
def test_a_failure_is_of_the_kind_that_came_first(expression: str, kind: Kind) -> None:
    assert [failure.kind for failure in _evaluate(expression).failures] == [kind]
