"""Documents with expressions: walking, mixed text, and what is reported about failures."""

import pytest

from gennaker.expressions import root, template
from gennaker.expressions.failures import Failure, Kind
from gennaker.model.codec import Json, JsonObject

_CONTEXT: JsonObject = {"a": 3, "name": "shop", "list": [1, [2, 3]], "map": {"image": "x"}, "nothing": None}


def _evaluate(value: Json, **options: bool) -> template.Evaluated:
    return template.evaluate(value, root.plain(_CONTEXT), at_ms=77, **options)  # type: ignore[arg-type]  # one option of the tests


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${a}", 3),
        (" ${a}", " 3"),
        ("${a}-${name}", "3-shop"),
        ("l=${list}", "l=1,2,3"),
        ("${'}'}", "}"),
        ("$${a}", "$3"),
        (r"\${a}", r"\3"),
        ("#{a} {a} $a", "#{a} {a} $a"),
        ("${nothing} and ${a}", "${nothing} and 3"),
        ("${a.b} and ${a}", "${a.b} and ${a}"),
    ],
)
def test_a_text_keeps_its_type_when_whole_and_is_joined_when_mixed(text: str, expected: Json) -> None:
    assert _evaluate(text).value == expected


def test_maps_lists_and_keys_are_walked_and_the_given_document_is_left_alone() -> None:
    document: JsonObject = {"${name}": ["${a}", {"k-${a}": "${map}"}], "plain": None}

    found = _evaluate(document).value

    assert found == {"shop": [3, {"k-3": {"image": "x"}}], "plain": None}
    assert document == {"${name}": ["${a}", {"k-${a}": "${map}"}], "plain": None}


def test_results_are_not_evaluated_again() -> None:
    assert template.evaluate("${x}", root.plain({"x": "${y}", "y": 1})).value == "${y}"


def test_a_failure_is_in_the_summary_in_orcas_form() -> None:
    summary = _evaluate({"k": "${nothing.x}"}).summary

    assert summary == {
        "nothing.x": [
            {
                "level": "ERROR",
                "timestamp": 77,
                "description": "Failed to evaluate [k] The property x can't be read: its owner is null.",
                "exceptionType": "expression.null_dereference",
            }
        ]
    }


def test_a_failure_says_where_what_and_which_key_was_probably_meant() -> None:
    (failure,) = _evaluate({"in": ["tag: ${map.imgae.tag}"]}).failures

    assert failure == Failure(
        kind=Kind.NULL_DEREFERENCE,
        level="ERROR",
        message="The property tag can't be read: imgae doesn't exist.",
        text="tag: ${map.imgae.tag}",
        position=11,
        part="imgae",
        nearest="image",
        pointer="/in/0",
    )
    assert failure.code == "expression.null_dereference"


def test_a_null_result_is_reported_with_the_nearest_key() -> None:
    (failure,) = _evaluate("${nmae}").failures

    assert (failure.level, failure.kind, failure.nearest) == ("INFO", Kind.NULL_RESULT, "name")


@pytest.mark.parametrize("text", ["${", "${}", "${ }", "${(a}", "${'a}", "${a]}", "x ${a} ${"])
def test_a_text_that_cannot_be_taken_apart_stays_and_is_an_error(text: str) -> None:
    evaluated = _evaluate(text)

    assert (evaluated.value, [failure.kind for failure in evaluated.failures]) == (text, [Kind.PARSE])


def test_unknown_keys_fail_where_they_are_forbidden() -> None:
    evaluated = _evaluate(["${nokey ?: 'd'}", "${['nokey'] ?: 'd'}", "${a}"], allow_unknown_keys=False)

    assert evaluated.value == ["${nokey ?: 'd'}", "d", 3]


def test_a_document_that_is_too_deep_is_left_and_reported() -> None:
    deep: Json = "${a}"
    for _ in range(200):
        deep = [deep]

    evaluated = _evaluate(deep)

    assert (evaluated.value, [failure.kind for failure in evaluated.failures]) == (deep, [Kind.LIMIT])


def test_a_key_that_fails_stays_and_two_may_collide() -> None:
    assert _evaluate({"${a.b}": 1, "${a}": 2, "3": 4}).value == {"${a.b}": 1, "3": 4}


def test_text_beyond_the_limit_of_one_expression_is_fine() -> None:
    assert _evaluate("x" * 20_000 + "${a}").value == "x" * 20_000 + "3"


def test_what_a_pass_makes_is_limited_so_that_what_holds_itself_does_not_grow_for_ever() -> None:
    large: list[Json] = [*range(template.MAX_MADE // 2)]
    document: JsonObject = {"a": "${large}", "b": "${large}", "c": "${large}", "d": "${1 + 1}", "e": "${'x'}"}

    done = template.evaluate(document, root.plain({"large": large}))

    assert done.value == {**document, "a": large, "d": 2, "e": "x"}
    assert [(one.pointer, one.code) for one in done.failures] == [
        ("/b", "expression.limit"),
        ("/c", "expression.limit"),
    ]


def test_of_very_many_failures_only_the_number_is_told() -> None:
    done = template.evaluate([f"${{nope.x{number}}}" for number in range(template.MAX_NOTED + 7)], root.plain({}))

    assert len(done.failures) == template.MAX_NOTED + 1
    assert done.failures[-1].message == "7 more expressions failed."
    assert len(done.summary) == template.MAX_NOTED + 1
