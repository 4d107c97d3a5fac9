"""What calls cost, and that nothing costs more than a text may spend."""

import pytest

from gennaker.expressions import costs, root, template, work
from gennaker.expressions.failures import Kind
from gennaker.model.codec import JsonObject

_LONG = "a" * 1_000_000
_MANY: JsonObject = {
    "each": list(range(5_000)),
    "text": _LONG,
    "other": f"{_LONG}b",
    "list": [*range(100_000), 1],
    "copy": [*range(100_000), 2],
    "bytes": [1] * 100_000,
    "nested": [[[1] * 100] * 100] * 10,
}


@pytest.mark.parametrize(
    "expression",
    [
        "each.![#root.text.hashCode()]",
        "each.![#root.text.compareTo(#root.other)]",
        "each.![T(java.net.URLEncoder).encode(#root.text)]",
        "each.![T(java.util.UUID).nameUUIDFromBytes(#root.bytes)]",
        "each.![#root.list == #root.copy]",
        "each.![#root.nested.toString().length()]",
        "each.![{#root.list}.contains(#root.copy)]",
        "each.![#root.list.contains('x')]",
        "each.![#toJson(#root.nested).length()]",
    ],
)
def test_what_looks_at_much_again_and_again_is_stopped(expression: str) -> None:
    evaluated = template.evaluate(f"${{{expression}}}", root.plain(_MANY))

    assert [failure.kind for failure in evaluated.failures] == [Kind.LIMIT]


def test_small_values_that_are_written_count_beside_their_characters() -> None:
    evaluated = template.evaluate("${{1, 2, 3, 4, 5, 6, 7, 8}.![#toJson(#root.nested).length()]}", root.plain(_MANY))

    assert [failure.kind for failure in evaluated.failures] == [Kind.LIMIT]


def test_work_is_counted_for_each_text_anew() -> None:
    each = "${(list == copy) or (list == copy)}"

    evaluated = template.evaluate([each] * 8, root.plain(_MANY))

    assert evaluated.value == [False] * 8


def test_work_is_not_counted_after_an_evaluation() -> None:
    template.evaluate("${each.![#root.list == #root.copy]}", root.plain(_MANY))

    work.spend(work.MAX_WORK + 1)  # raises nothing


def test_a_key_too_long_to_be_text_stays_and_is_reported() -> None:
    evaluated = template.evaluate({"${each.![#root.each]}": 1}, root.plain(_MANY))

    assert evaluated.value == {"${each.![#root.each]}": 1}
    assert [failure.kind for failure in evaluated.failures] == [Kind.LIMIT]


def test_methods_that_go_by_characters_cost_more_than_those_that_do_not() -> None:
    assert costs.of_call(_LONG, "hashCode", ()) > 10 * costs.of_call(_LONG, "trim", ()) > 0
