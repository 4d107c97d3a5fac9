"""Template stages: replacing, adding, injecting, and circles."""

from typing import Any

import pytest

from gennaker.engine import template_stages
from gennaker.engine.template_stages import Misplaced
from gennaker.model.codec import Json, JsonObject


def stage(ref: str, *requires: str, **fields: Any) -> JsonObject:
    return {"refId": ref, "type": "wait", "requisiteStageRefIds": list[Json](requires), **fields}


def injected(ref: str, **rule: Json) -> JsonObject:
    return {"refId": ref, "type": "wait", "inject": rule}


CHAIN = [stage("a"), stage("b", "a"), stage("c", "a"), stage("d", "b", "c")]


def graph(*own: JsonObject, template: list[JsonObject] | None = None) -> dict[str, list[str]]:
    stages = template_stages.combined(template or CHAIN, own)
    assert all("inject" not in one for one in stages)
    return {template_stages.ref_id(one): template_stages.requisites(one) for one in stages}


def test_a_stage_of_the_same_ref_id_replaces_the_templates() -> None:
    stages = template_stages.combined(CHAIN, [{"refId": "b", "type": "other", "requisiteStageRefIds": ["c"]}])

    assert [one["type"] for one in stages] == ["wait", "other", "wait", "wait"]
    assert template_stages.requisites(stages[1]) == ["c"]


def test_a_stage_with_requisites_is_added() -> None:
    assert graph(stage("e", "b")) == {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["b"]}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"first": True}, {"x": [], "a": ["x"], "b": ["a"], "c": ["a"], "d": ["b", "c"]}),
        ({"last": True}, {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "x": ["d"]}),
        ({"before": ["d"]}, {"a": [], "b": ["a"], "c": ["a"], "x": ["b", "c"], "d": ["x"]}),
        ({"before": ["b", "c"]}, {"a": [], "x": ["a"], "b": ["x"], "c": ["x"], "d": ["b", "c"]}),
        ({"after": ["a"]}, {"a": [], "x": ["a"], "b": ["x"], "c": ["x"], "d": ["b", "c"]}),
        ({"after": ["b", "c"]}, {"a": [], "b": ["a"], "c": ["a"], "x": ["b", "c"], "d": ["x"]}),
        ({"after": "d"}, {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "x": ["d"]}),
    ],
)
def test_an_injected_stage_is_linked_in(rule: JsonObject, expected: dict[str, list[str]]) -> None:
    found = graph(injected("x", **rule))

    assert found == expected
    assert list(found) == list(expected)


def test_of_several_branches_the_last_stage_waits_for_all_ends() -> None:
    found = graph(injected("x", last=True), template=[stage("a"), stage("b"), stage("c", "b")])

    assert found["x"] == ["a", "c"]


def test_a_template_may_inject_its_own_stages() -> None:
    assert graph(template=[*CHAIN, injected("x", first=True)])["a"] == ["x"]


@pytest.mark.parametrize(
    ("own", "code"),
    [
        (stage("b", "d"), "template.cycle"),
        (injected("x", before=["a", "d"]), "template.cycle"),
        (injected("x", after=["nobody"]), "template.inject_target"),
        (injected("x", before=["nobody"]), "template.inject_target"),
        ({"refId": "x", "type": "wait"}, "template.stage_nowhere"),
    ],
)
def test_what_can_not_be_placed_is_said(own: JsonObject, code: str) -> None:
    with pytest.raises(Misplaced) as caught:
        template_stages.combined(CHAIN, [own])

    assert caught.value.problem.code == code


def test_a_circle_is_shown_as_one_goes_round_it() -> None:
    with pytest.raises(Misplaced, match="b → d → b"):
        template_stages.combined([stage("a"), stage("b", "a", "d"), stage("d", "b")], [])


def test_five_thousand_stages_in_a_row_are_no_burden() -> None:
    row = [stage("0"), *(stage(str(n), str(n - 1)) for n in range(1, 5000))]

    assert len(template_stages.combined(row, [injected("x", first=True), injected("y", last=True)])) == 5002
