"""Questions of expressions to the outside, and evaluating again with the answers."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.make import AT, execution, stage_json
from tests.playbook import stage_id

from gennaker.engine import asking, evaluating
from gennaker.expressions.functions import LookupFailed
from gennaker.interfaces.lookups import About, Answer, Question
from gennaker.model.codec import Json, JsonObject


class Oracle:
    """Answers from a table and keeps what it was asked."""

    def __init__(self, known: dict[str, Json]) -> None:
        self._known = known
        self.asked: list[list[Question]] = []

    async def answers(self, questions: Sequence[Question]) -> list[Answer]:
        self.asked.append(list(questions))
        return [self._known.get(one.name, LookupFailed(f"{one.name} is unknown")) for one in questions]


def _evaluated(context: JsonObject, oracle: Oracle) -> JsonObject:
    found = execution(stage_json("a", **context))
    stage = found.stages[stage_id("a")]
    work = asking.with_answers(lambda answers: evaluating.context_of(found, stage, at=AT, lookup=answers), oracle)
    return asyncio.run(work).context


def test_what_is_asked_is_answered_together_and_once() -> None:
    oracle = Oracle({"http://a/x": "text", "build": "P1"})

    made = _evaluated(
        {"a": "${#fromUrl('http://a/x')}", "b": "${#fromUrl('http://a/x').length()}", "c": "${#pipelineId('build')}"},
        oracle,
    )

    assert (made["a"], made["b"], made["c"]) == ("text", 4, "P1")
    assert oracle.asked == [
        [
            Question(about=About.URL, name="http://a/x"),
            Question(about=About.PIPELINE, name="build", application="shop"),
        ]
    ]


def test_an_answer_may_lead_to_a_next_question() -> None:
    oracle = Oracle({"http://a": '{"next": "http://b"}', "http://b": "end"})

    assert _evaluated({"a": "${#fromUrl(#jsonFromUrl('http://a').next)}"}, oracle)["a"] == "end"
    assert len(oracle.asked) == 2


def test_a_question_without_answer_leaves_the_text_and_says_why() -> None:
    made = _evaluated({"a": "${#fromUrl('http://a')}"}, Oracle({}))

    assert made["a"] == "${#fromUrl('http://a')}"
    assert "http://a is unknown" in str(made["expressionFailures"])


def test_null_is_an_answer() -> None:
    made = _evaluated({"a": "${#pipelineIdOrNull('x') == null}", "b": "${#pipelineId('x')}"}, Oracle({"x": None}))

    assert (made["a"], made["b"]) == (True, "${#pipelineId('x')}")


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"a": "${#fromUrl('x')}"}, True),
        ({"a": ["${ #yamlFromUrl('x') }"]}, True),
        ({"a": {"${#pipelineIdOrNull('x')}": 1}}, True),
        ({"a": "${#stage('x')}"}, False),
    ],
)
def test_functions_that_ask_are_seen_in_the_text(context: Json, expected: bool) -> None:
    assert asking.asks(context) is expected
