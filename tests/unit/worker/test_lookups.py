"""Answers to what expressions ask: from a real server on loopback, and from the definitions."""

import asyncio

import pytest
from tests.fakes import http_target
from tests.fakes.definitions import MemoryDefinitions
from tests.fakes.http_target import Answer as HttpAnswer
from tests.fakes.virtual_time import VirtualTime

from gennaker.expressions.functions import LookupFailed
from gennaker.interfaces.lookups import About, Answer, Question
from gennaker.worker.lookups import LocalOutside


def _asked(question: Question, *, allowed: tuple[str, ...] = ()) -> Answer:
    async def ask() -> Answer:
        definitions = MemoryDefinitions(VirtualTime())
        await definitions.save("pipeline", "P1", {"name": "build", "application": "shop"}, author="a")
        await definitions.save("pipeline", "P2", {"name": "build", "application": "other"}, author="a")
        await definitions.save("application", "shop", {"email": "ops@example.com"}, author="a")
        await definitions.save("canary-config", "C1", {"name": "slo", "applications": ["shop"]}, author="a")
        return (await LocalOutside(definitions, allowed=allowed).answers([question]))[0]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (Question(about=About.PIPELINE, name="build", application="other"), "P2"),
        (Question(about=About.PIPELINE, name="nope", application="shop"), None),
        (Question(about=About.APPLICATION, name="shop"), {"name": "shop", "email": "ops@example.com"}),
        (Question(about=About.APPLICATION, name="nope"), None),
        (Question(about=About.CANARY_CONFIG, name="slo", application="shop"), "C1"),
        (Question(about=About.CANARY_CONFIG, name="slo", application="other"), None),
    ],
)
def test_what_is_defined_is_found(question: Question, answer: Answer) -> None:
    assert _asked(question) == answer


def test_the_text_at_an_allowed_address_is_read() -> None:
    with http_target.running(lambda asked: HttpAnswer(body=b"text")) as target:
        url = Question(about=About.URL, name=f"http://{target.address}/x")

        assert _asked(url, allowed=(target.address,)) == "text"


def test_an_error_of_the_other_side_is_no_text() -> None:
    with http_target.running(lambda asked: HttpAnswer(status=404, body=b"no")) as target:
        answer = _asked(Question(about=About.URL, name=f"http://{target.address}/x"), allowed=(target.address,))

    assert isinstance(answer, LookupFailed)
    assert "answered 404" in str(answer)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost:8080/x",
        "http://a.localhost/x",
        "http://[::1]/x",
        "http://0x7f000001/x",
        "http://2130706433/x",
        "http://169.254.169.254/latest",
        "http://8.8.8.8/x",
        "http://[bad",
    ],
)
def test_addresses_and_localhost_are_refused_unless_allowed(url: str) -> None:
    assert isinstance(_asked(Question(about=About.URL, name=url)), LookupFailed)


def test_there_is_no_artifact_store() -> None:
    assert isinstance(_asked(Question(about=About.REFERENCE, name="ref://a/b")), LookupFailed)
