"""What is certain to fail, found before anything runs."""

import pytest

from gennaker.expressions import checking


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain ${a.b?.c} ${#stage('x')['outputs']} ${#toJson(#doNotEval(a))}", []),
        ("${#nohelper(1)}", ["expression.function_missing at 2: #nohelper(1)"]),
        ("x ${a} ${m[#stag('x').y]}", ["expression.function_missing at 11: #stag('x') Did you mean #stage?"]),
        (
            "${#stage('x').y + #stageExist('y')}",
            ["expression.function_missing at 18: #stageExist('y') Did you mean #stageExists?"],
        ),
        ("${#toInt(1, 2)}", ["expression.function_arity at 2: #toInt(1, 2)"]),
        ("${#stage ('x')}", ["expression.function_arity at 2: #stage ('x')"]),
        ("${#deployedServerGroups('a', 'b')} ${#judgment('x',)}", []),
        (
            "${T(java.lang.Runtime).exit(1) ? new Foo() : 1}",
            ["expression.type_blocked at 2: T(java.lang.Runtime)", "expression.type_not_found at 33: new Foo()"],
        ),
        ("${a.![@bean]} ${b = 1}", ["expression.bean_reference at 6: @bean", "expression.mutation at 16: b = 1"]),
        ("${ {a: {1, #f()}} }", ["expression.function_missing at 11: #f()"]),
        ("${1 +}", ["expression.parse at 5: "]),
    ],
)
def test_what_fails_whatever_the_context_holds(text: str, found: list[str]) -> None:
    assert [f"{one.code} at {one.position}: {one.part} {one.meant}".strip() for one in checking.check(text)] == [
        one.strip() for one in found
    ]


def test_conditions_are_counted_from_their_own_beginning() -> None:
    (failure,) = checking.check_bare("#stag('x')")

    assert (failure.text, failure.position, failure.place) == ("#stag('x')", 0, " (character 1: #stag('x'))")


def test_an_expression_may_be_as_deep_as_the_parser_takes() -> None:
    assert checking.check("${" + "(" * 50 + "#f()" + ")" * 50 + "}")[0].position == 52
