"""The value of each part of an expression."""

import pytest

from gennaker.expressions import template
from gennaker.expressions.failures import Part
from gennaker.expressions.root import at_stage, plain
from gennaker.model.codec import JsonObject

_CONTEXT: JsonObject = {
    "servers": [{"name": "a", "n": 1}, {"name": "b", "n": 20}],
    "m": {"count": 3},
    "yes": True,
    "deep": [[[]]],
}


def _shown(text: str) -> list[tuple[int, str, str]]:
    parts = template.explain(text, plain(_CONTEXT))
    return [(part.position, part.part, (part.problem and "failed") or part.value) for part in parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("x ${m.count + 1}", [(4, "m", '{"count":3}'), (4, "m.count", "3"), (4, "m.count + 1", "4")]),
        ("${yes ? 1 : m.x.y}", [(2, "yes", "true"), (2, "yes ? 1 : m.x.y", "1")]),
        ("${yes or m.x.y}", [(2, "yes", "true"), (2, "yes or m.x.y", "true")]),
        ("${m.x ?: 'd'}", [(2, "m", '{"count":3}'), (2, "m.x", "null"), (2, "m.x ?: 'd'", '"d"')]),
        ("${m[count]}", [(2, "m", '{"count":3}'), (2, "m[count]", "3")]),
        ("${m.x.y}", [(2, "m", '{"count":3}'), (2, "m.x", "null"), (2, "m.x.y", "failed")]),
    ],
)
def test_parts_come_in_the_order_of_evaluation(text: str, parts: list[tuple[int, str, str]]) -> None:
    assert _shown(text) == parts


def test_parts_of_a_selection_are_shown_for_its_first_elements() -> None:
    parts = _shown("${servers.?[n > 10].![name]}")

    assert [value for _, part, value in parts if part == "n > 10"] == ["false", "true"]
    assert parts[-1] == (2, "servers.?[n > 10].![name]", '["b"]')


def test_places_are_those_of_the_text_as_it_was_written() -> None:
    execution: JsonObject = {
        "id": "E",
        "type": "PIPELINE",
        "stages": [{"id": "1", "refId": "1", "name": "Bake", "context": {"region": "eu"}}],
    }

    made = template.evaluate("in ${#stage('Bake').context.regoin.x}", at_stage(execution, "1"), explains=1)

    failure = made.failures[0]
    assert (failure.position, failure.part, failure.nearest) == (28, "regoin", "region")
    assert [part.part for part in failure.parts] == [
        "#stage('Bake')",
        "#stage('Bake').context",
        "#stage('Bake').context.regoin",
        "#stage('Bake').context.regoin.x",
    ]


def test_only_as_many_failures_are_explained_as_was_asked_for() -> None:
    made = template.evaluate(["${m.x.y}", "${m.z.y}", "${1 +}"], plain(_CONTEXT), explains=1)

    assert [bool(failure.parts) for failure in made.failures] == [True, False, False]


def test_a_large_value_is_shown_by_its_beginning() -> None:
    (part,) = template.explain("${a}", plain({"a": {"k": ["x" * 1000] * 1000}}))

    assert part == Part(position=2, part="a", value='{"k":["' + "x" * 112 + "…", type="LinkedHashMap")


def test_an_expression_that_needs_too_much_is_explained_as_far_as_it_goes() -> None:
    text = "${" + ".".join(["deep", *["![#this]"] * 30]) + "}"

    assert len(template.explain(text, plain(_CONTEXT))) <= 40
