"""HTTP to CI systems: what may be asked again, by method and by how it failed."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.http_target import Answer, Target, running

from gennaker.access.masking import Masker
from gennaker.access.secrets import EnvironmentSecrets, ResolvedSecrets
from gennaker.interfaces.ci import CiMissing, CiUnanswered, CiUnavailable
from gennaker.model.problems import Refused
from gennaker.settings import CiSettings
from gennaker.transport.ci_http import CiHttp, token_of

REPEATABLE = ("GET", "PUT", "DELETE")
OTHERS = ("POST", "PATCH")


@pytest.fixture
def target() -> Iterator[Target]:
    with running(lambda _: Answer()) as one:
        yield one


def ask(address: str, method: str) -> None:
    asyncio.run(CiHttp(name="main", address=address).request(method, "job/app"))


@pytest.mark.parametrize("method", [*REPEATABLE, *OTHERS])
@pytest.mark.parametrize("status", [429, 503])
def test_one_that_is_busy_may_be_asked_again_whatever_the_method(target: Target, method: str, status: int) -> None:
    target.respond = lambda _: Answer(status=status)

    with pytest.raises(CiUnavailable, match=f"main answered {status} to {method}"):
        ask(target.url, method)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "failure"),
    [
        ({"x-ratelimit-remaining": "0"}, CiUnavailable),
        ({"Retry-After": "60", "X-RateLimit-Remaining": "4000"}, CiUnavailable),
        ({"x-ratelimit-remaining": "4000"}, Refused),
        ({}, Refused),
    ],
    ids=["primary limit", "secondary limit", "forbidden", "forbidden elsewhere"],
)
def test_what_is_asked_for_too_often_is_no_refusal(
    target: Target, method: str, headers: dict[str, str], failure: type[Exception]
) -> None:
    target.respond = lambda _: Answer(status=403, headers=headers)

    with pytest.raises(failure, match=f"main answered 403 to {method}"):
        ask(target.url, method)


@pytest.mark.parametrize(
    ("methods", "answer", "failure"),
    [
        (REPEATABLE, Answer(status=502), CiUnavailable),
        (REPEATABLE, Answer(status=504), CiUnavailable),
        (REPEATABLE, Answer(status=500), CiUnavailable),
        (REPEATABLE, Answer(is_dropped=True), CiUnavailable),
        (OTHERS, Answer(status=502), CiUnanswered),
        (OTHERS, Answer(status=504), CiUnanswered),
        (OTHERS, Answer(status=500), Refused),
        (OTHERS, Answer(is_dropped=True), CiUnanswered),
        ((*REPEATABLE, *OTHERS), Answer(status=400), Refused),
        ((*REPEATABLE, *OTHERS), Answer(status=401), Refused),
        ((*REPEATABLE, *OTHERS), Answer(status=404), CiMissing),
        ((*REPEATABLE, *OTHERS), Answer(status=409), Refused),
    ],
)
def test_other_failures_depend_on_whether_the_method_may_be_repeated(
    target: Target, methods: tuple[str, ...], answer: Answer, failure: type[Exception]
) -> None:
    target.respond = lambda _: answer

    for method in methods:
        with pytest.raises(failure):
            ask(target.url, method)
    assert len(target.asked) == len(methods)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_was_never_sent_may_be_sent_again(method: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    with pytest.raises(CiUnavailable, match="can't be reached"):
        ask(f"http://127.0.0.1:{port}", method)


@pytest.mark.parametrize("address", ["ftp://ci.example.org", "http://user:pw@ci.example.org", "nonsense"])
def test_a_request_that_cannot_be_made_is_refused_for_good(address: str) -> None:
    with pytest.raises(Refused):
        ask(address, "GET")


def test_a_token_comes_by_its_reference_or_from_its_file_and_is_masked_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token-in-a-file\n")
    secrets = ResolvedSecrets(Masker())
    secrets.offer((EnvironmentSecrets({"CI": "token-in-the-environment"}),))
    by_reference = CiSettings(type="github", token="encrypted:env!n:CI")
    by_file = CiSettings(type="github", token_file=str(tmp_path / "token"))

    assert asyncio.run(token_of(by_reference, "ci.hub", secrets)) == "token-in-the-environment"
    assert asyncio.run(token_of(by_file, "ci.hub", secrets)) == "token-in-a-file"
    assert asyncio.run(token_of(CiSettings(type="github"), "ci.hub", secrets)) == ""
    said = "bad credentials: token-in-a-file, token-in-the-environment"
    assert secrets.masked_text(said) == "bad credentials: ****, ****"
    with pytest.raises(Refused):
        asyncio.run(token_of(by_reference, "ci.hub", None))


@pytest.mark.parametrize(
    "path",
    [
        "runs/..",
        "runs/../../user",
        "runs/%2e%2E/x",
        "./x",
        "group%2F..%2Fx",
        "runs/5%2F..%2Fx",
        "runs/..;x",
        "runs/%2e%2e%3Bx/y",
        "runs/..%5Cx",
        "runs/1?all=true",
        "runs/1#x",
        "runs/..\\x",
        "runs/1\n",
        "a b",
    ],
)
def test_what_somebody_names_leads_nowhere_else(target: Target, path: str) -> None:
    with pytest.raises(Refused, match="names nothing of main"):
        asyncio.run(CiHttp(name="main", address=target.url).request("GET", path))
    assert not target.asked
