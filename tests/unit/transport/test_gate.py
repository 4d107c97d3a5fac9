"""Reading a Gate: credentials, and what is said of answers that aren't Gate's."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from gennaker.model.problems import Refused
from gennaker.transport.gate import Credentials, Gate

ADDRESS = "https://gate.example.org"


@contextmanager
def answering(
    answer: httpx2.Response, credentials: Credentials | None = None
) -> Iterator[tuple[Gate, list[httpx2.Request]]]:
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answer

    with Gate(ADDRESS, credentials or Credentials(), transport=httpx2.MockTransport(handle)) as gate:
        yield gate, asked


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        (Credentials(token="abc"), "authorization", "Bearer abc"),
        (Credentials(token="spk_abc"), "x-spinnaker-token", "spk_abc"),
        (Credentials(user="ada", password="x"), "authorization", "Basic YWRhOng="),
    ],
)
def test_credentials_are_sent_as_gate_takes_them(credentials: Credentials, header: str, value: str) -> None:
    with answering(httpx2.Response(200, json=[{"name": "Shop"}]), credentials) as (gate, asked):
        assert gate.applications() == ["shop"]
        assert asked[0].headers[header] == value


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx2.Response(200, text="<html>Sign in</html>"), "gate.no_json"),
        (httpx2.Response(302, headers={"Location": "/login"}), "gate.refused"),
        (httpx2.Response(403, json={"message": "Access is denied"}), "gate.refused"),
        (httpx2.Response(500, text="oops"), "gate.refused"),
        (
            httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=httpx2.ByteStream(b"plain")),
            "gate.unreachable",
        ),
    ],
)
def test_what_is_no_answer_is_refused(answer: httpx2.Response, code: str) -> None:
    with answering(answer) as (gate, _), pytest.raises(Refused) as refused:
        gate.applications()

    assert [one.code for one in refused.value.problems] == [code]


def test_parts_that_a_gate_does_not_offer_are_told_and_left_out() -> None:
    with answering(httpx2.Response(404, json={"message": "no"})) as (gate, _):
        shared = gate.shared()

    assert (shared.bundle.count, len(shared.not_offered)) == (0, 3)


def test_a_canary_config_that_is_listed_and_not_given_is_told_and_keeps_no_other_away() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v2/canaryConfig":
            return httpx2.Response(200, json=[{"id": "gone"}, {"id": "there"}])
        if request.url.path == "/v2/canaryConfig/there":
            return httpx2.Response(200, json={"name": "x"})
        return httpx2.Response(404 if request.url.path.startswith("/v2/canaryConfig/") else 200, json=[])

    with Gate(ADDRESS, Credentials(), transport=httpx2.MockTransport(handle)) as gate:
        shared = gate.shared()

    assert shared.bundle.canary_configs == ({"name": "x", "id": "there"},)
    assert list(shared.unread) == ["gone"]
    assert "404" in shared.unread["gone"].message


@pytest.mark.parametrize("address", ["gate.example.org", "ftp://gate", "https://ada:x@gate.example.org"])
def test_an_address_that_is_none_or_holds_a_password_is_refused(address: str) -> None:
    with pytest.raises(Refused) as refused:
        Gate(address, Credentials())

    assert "x@gate" not in str(refused.value)


def test_a_gate_that_is_not_there_is_said() -> None:
    with Gate("http://127.0.0.1:9", Credentials()) as gate, pytest.raises(Refused, match="doesn't answer"):
        gate.applications()


def test_a_certificate_that_cannot_be_used_is_said() -> None:
    with pytest.raises(Refused, match=r"/nonexistent\.pem can't be used"):
        Gate(ADDRESS, Credentials(certificate="/nonexistent.pem"))
