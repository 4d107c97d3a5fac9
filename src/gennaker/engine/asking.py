"""Asking: evaluating expressions whose functions need answers from outside.

Evaluation itself is pure: it is given the answers that are known, and says what it would have asked. What is asked is
answered together, and everything is evaluated again, a few times at most: an answer may lead to a next question.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from gennaker.engine.contexts import expressions
from gennaker.expressions.functions import LookupFailed
from gennaker.interfaces.lookups import About, Answer, Outside, Question
from gennaker.model.codec import Json, JsonObject

MAX_ROUNDS = 4
MAX_QUESTIONS = 50
"""Of one round."""

Made = TypeVar("Made")

_ASKING = (
    "FromUrl(",
    "#fromUrl(",
    "#pipelineId",
    "#applicationMetadata(",
    "#canaryConfigNameToId(",
    "#fetchReference(",
)


def asks(value: Json) -> bool:
    """Some expression in it calls a function that asks outside."""
    found = expressions(value)
    return bool(found) and any(part in text for text in found for part in _ASKING)


class Answers:
    """The answers that are known, as functions of expressions look them up."""

    def __init__(self, known: Mapping[Question, Answer]) -> None:
        """What isn't known is kept in `asked`."""
        self._known = known
        self.asked: list[Question] = []

    def fetch(self, url: str) -> str:
        """The text at a URL."""
        return _text(self._answer(Question(about=About.URL, name=url)))

    def fetch_reference(self, reference: str) -> str:
        """The content of an artifact store's reference."""
        return _text(self._answer(Question(about=About.REFERENCE, name=reference)))

    def pipeline_id(self, name: str, application: str) -> str | None:
        """The id of a pipeline."""
        return _id(self._answer(Question(about=About.PIPELINE, name=name, application=application)))

    def application_metadata(self, name: str) -> JsonObject | None:
        """An application's attributes."""
        found = self._answer(Question(about=About.APPLICATION, name=name))
        return found if isinstance(found, dict) else None

    def canary_config_id(self, name: str, application: str) -> str | None:
        """The id of a canary config."""
        return _id(self._answer(Question(about=About.CANARY_CONFIG, name=name, application=application)))

    def _answer(self, question: Question) -> Json:
        if question not in self._known:
            self.asked.append(question)
            raise LookupFailed("nobody has answered yet")
        found = self._known[question]
        if isinstance(found, LookupFailed):
            raise LookupFailed(str(found))
        return found


def _text(answer: Json) -> str:
    return answer if isinstance(answer, str) else ""


def _id(answer: Json) -> str | None:
    return answer if isinstance(answer, str) else None


async def with_answers(work: Callable[[Answers], Made], outside: Outside) -> Made:
    """What the work makes once all that it asks is answered, or can't be."""
    known: dict[Question, Answer] = {}
    answers = Answers(known)
    made = work(answers)
    for _ in range(MAX_ROUNDS):
        wanted = list(dict.fromkeys(answers.asked))
        if not wanted:
            break
        for question in wanted[MAX_QUESTIONS:]:
            known[question] = LookupFailed(f"more than {MAX_QUESTIONS} questions at once")
        asked = wanted[:MAX_QUESTIONS]
        known.update(zip(asked, await outside.answers(asked), strict=True))
        answers = Answers(known)
        made = work(answers)
    return made
