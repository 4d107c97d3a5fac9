"""Questions that rules ask of objects, in JSONPath and in CEL."""

import sys

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import questions
from gennaker.plugins.kubernetes.questions import Answer

WHERE = "kubernetes.prod.custom-resources[0].ready"
LIVE: JsonObject = {
    "spec": {"size": 2},
    "status": {"phase": "Up", "nodes": [{"up": True}, {"up": False}], "big": 2**53 + 1, "none": None, "load": 0.5},
}


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        ("$.status[?@.up==true]", False),
        ("$.status.nodes[?@.up==true]", True),
        ("object.status.nodes.exists(n, n.up)", True),
        ("object.status.nodes.all(n, n.up)", False),
        ("size(object.status.nodes) == object.spec.size", True),
        ("object.status.phase.matches('^U')", True),
        ("object.status.big == 9007199254740993", True),
        ("object.status.none == null && object.status.load < 1.0", True),
        ("has(object.status.gone) && object.status.gone", False),
        ("object.status.gone", False),
        ("object.status.phase > 1", False),
    ],
)
def test_an_object_answers(question: str, holds: bool) -> None:
    questions.check(question, WHERE)

    assert questions.ask(question, LIVE).holds is holds


def test_an_answer_says_what_was_asked_and_what_was_in_the_way() -> None:
    assert questions.ask("$.status.gone", LIVE) == Answer(holds=False, said="$.status.gone to find something")
    assert questions.ask("object.status.gone", LIVE).said == (
        'object.status.gone to be true (NOT_FOUND: Key not found in map : "gone")'
    )


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("$.[", "is no rule"),
        ("object.status.phase ==", "Syntax error"),
        ("status.phase == 'Up'", "undeclared reference to 'status"),
        ("size(object.status.nodes)", "it gives INT, and must be true or false"),
        ("'Up'", "it gives STRING"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_setting_before_it_is_asked(question: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        questions.check(question, WHERE)

    assert WHERE in refused.value.problems[0].message
    assert why in refused.value.problems[0].message


def test_what_shows_only_with_an_object_to_be_no_truth_value_is_refused_then() -> None:
    questions.check("object.status.phase", WHERE)

    with pytest.raises(Refused, match="it gives STRING"):
        questions.ask("object.status.phase", LIVE)


def test_without_the_extra_a_rule_in_cel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)

    with pytest.raises(Refused) as refused:
        questions.check("object.status.never_asked_before == 1", WHERE)

    assert "gennaker[cel]" in (refused.value.problems[0].remedy or "")
    questions.check("$.status.phase", WHERE)
