"""The guarded HTTP client, against a scripted transport."""

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from gennaker.transport.http import (
    AddressRefused,
    AnswerTooLarge,
    GuardedClient,
    HttpAnswer,
    HttpFailure,
    HttpLimits,
    NoAnswer,
    TooManyRedirects,
)

Handler = Callable[[httpx2.Request], httpx2.Response]
OUTSIDE = {"hooks.example.org": "93.184.216.34", "other.example.org": "93.184.216.35"}


async def resolve(host: str, _port: int) -> tuple[str, ...]:
    if host == "unknown.example.org":
        raise OSError(-2, "Name or service not known")
    return (OUTSIDE.get(host, host),)


def ask(
    handler: Handler, url: str, *, method: str = "GET", allowed: tuple[str, ...] = (), **headers: str
) -> HttpAnswer:
    async def story() -> HttpAnswer:
        client = GuardedClient(
            allowed=allowed,
            limits=HttpLimits(answer_bytes=100, redirects=2, total_seconds=0.2),
            resolve=resolve,
            transport=httpx2.MockTransport(handler),
        )
        try:
            return await client.request(method, url, headers=headers, body=b"x" if method == "POST" else b"")
        finally:
            await client.close()

    return asyncio.run(story())


def fine(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, text="ok")


def redirecting(target: str, status: int = 302) -> Handler:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/end":
            return httpx2.Response(200, text=f"{request.method} {request.headers.get('authorization', '-')}")
        return httpx2.Response(status, headers={"location": target})

    return handle


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    seen: list[tuple[str, str, object]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.url.host, request.headers["host"], request.extensions["sni_hostname"]))
        return httpx2.Response(201, text="made", headers={"X-Two": "2"})

    answer = ask(handle, "https://hooks.example.org/x", method="POST")

    assert seen == [("93.184.216.34", "hooks.example.org", "hooks.example.org")]
    assert (answer.status, answer.body, answer.headers["x-two"]) == (201, b"made", "2")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:0:169.254.169.254]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[64:ff9b:1::8.8.8.8]/",
        "http://[2002:7f00:1::1]/",
        "http://10.1.2.3/",
        "http://192.168.1.1:8080/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[fe80::1]/",
        "http://[::ffff:127.0.0.1]/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "http://user:secret@hooks.example.org/",
        "not a url",
    ],
)
def test_addresses_inside_and_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        ask(fine, url)


def test_an_address_inside_may_be_allowed_by_host_and_port() -> None:
    assert ask(fine, "http://127.0.0.1:9000/", allowed=("127.0.0.1:9000",)).status == 200
    with pytest.raises(AddressRefused):
        ask(fine, "http://127.0.0.1:9001/", allowed=("127.0.0.1:9000",))


def test_a_redirect_inwards_is_refused() -> None:
    with pytest.raises(AddressRefused):
        ask(redirecting("http://127.0.0.1/end"), "http://hooks.example.org/")


def test_a_redirect_from_https_to_http_is_refused() -> None:
    with pytest.raises(AddressRefused):
        ask(redirecting("http://hooks.example.org/end"), "https://hooks.example.org/")


def test_a_redirect_elsewhere_loses_credentials() -> None:
    same = ask(redirecting("/end"), "http://hooks.example.org/", Authorization="Bearer 1")
    other = ask(redirecting("http://other.example.org/end"), "http://hooks.example.org/", Authorization="Bearer 1")

    assert (same.body, other.body) == (b"GET Bearer 1", b"GET -")


def test_a_body_is_sent_again_only_to_the_same_origin() -> None:
    same = ask(redirecting("/end", 307), "http://hooks.example.org/", method="POST")
    other = ask(redirecting("http://other.example.org/end", 307), "http://hooks.example.org/", method="POST")
    changed = ask(redirecting("/end", 303), "http://hooks.example.org/", method="POST")

    assert (same.body, other.status, changed.body) == (b"POST -", 307, b"GET -")


def test_redirects_without_end_are_given_up() -> None:
    with pytest.raises(TooManyRedirects):
        ask(redirecting("/again"), "http://hooks.example.org/")


def test_a_large_answer_is_cut_off() -> None:
    with pytest.raises(AnswerTooLarge):
        ask(lambda _request: httpx2.Response(200, text="x" * 101), "http://hooks.example.org/")


def raising(error: Exception) -> Handler:
    def handle(_request: httpx2.Request) -> httpx2.Response:
        raise error

    return handle


@pytest.mark.parametrize(
    ("error", "was_sent"), [(httpx2.ConnectError("refused"), False), (httpx2.ReadError("reset"), True)]
)
def test_whether_the_request_may_have_been_seen_is_said(error: Exception, was_sent: bool) -> None:
    with pytest.raises(NoAnswer) as failure:
        ask(raising(error), "http://hooks.example.org/")

    assert failure.value.was_sent is was_sent


def test_an_unknown_host_is_a_failure_before_sending() -> None:
    with pytest.raises(HttpFailure, match="unknown"):
        ask(fine, "http://unknown.example.org/")
