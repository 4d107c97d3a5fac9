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
    host_and_port,
)

Handler = Callable[[httpx2.Request], httpx2.Response]
OUTSIDE = {
    "hooks.example.org": "93.184.216.34",
    "other.example.org": "93.184.216.35",
    "xn--strae-oqa.example": "93.184.216.36",
}
INSIDE = {"xn--bcher-kva.example": "10.0.0.1"}


async def resolve(host: str, _port: int) -> tuple[str, ...]:
    if host == "unknown.example.org":
        raise OSError(-2, "Name or service not known")
    return ((OUTSIDE | INSIDE).get(host, host),)


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


@pytest.mark.parametrize("written", ["[::1]:9000", "::1:9000", "[0:0:0:0:0:0:0:1]:9000"])
def test_an_address_of_ipv6_may_be_allowed_however_it_is_written(written: str) -> None:
    assert ask(fine, "http://[::1]:9000/", allowed=(written,)).status == 200
    with pytest.raises(AddressRefused, match=r'add "\[::1\]:9001" to the setting webhook-hosts'):
        ask(fine, "http://[::1]:9001/", allowed=(written,))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://127.0.0.1/", "127.0.0.1:443"),
        ("http://127.0.0.1/", "127.0.0.1:80"),
        ("http://[::1]/", "[::1]:80"),
        ("http://LocalHost:9000/x", "localhost:9000"),
    ],
)
def test_what_a_url_leads_to_is_allowed_with_the_port_that_it_has_without_saying_so(url: str, place: str) -> None:
    assert host_and_port(url) == place
    assert ask(fine, url.lower().replace("localhost", "127.0.0.1"), allowed=(place, "127.0.0.1:9000")).status == 200


@pytest.mark.parametrize("written", ["xn--bcher-kva.example:80", "bücher.example:80", "BÜCHER.example:80"])
@pytest.mark.parametrize("url", ["http://bücher.example/", "http://xn--bcher-kva.example/", "http://bücher.example:0/"])
def test_a_name_with_other_letters_may_be_allowed_in_either_form(written: str, url: str) -> None:
    assert host_and_port(url) == "bücher.example:80"
    assert ask(fine, url, allowed=(written,)).status == 200


def test_a_name_with_other_letters_is_looked_up_as_the_host_header_has_it() -> None:
    seen: list[tuple[str, object]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.headers["host"], request.extensions["sni_hostname"]))
        return httpx2.Response(200)

    assert ask(handle, "https://straße.example/").status == 200
    assert seen == [("xn--strae-oqa.example", "xn--strae-oqa.example")]


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


def test_an_answer_that_cannot_be_unpacked_is_no_answer() -> None:
    def handle(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=httpx2.ByteStream(b"plain"))

    with pytest.raises(NoAnswer) as caught:
        ask(handle, "https://hooks.example.org/x", method="POST")

    assert caught.value.was_sent


@pytest.mark.parametrize("host", ["a..b", ".example.org", "a" * 64 + ".example.org"])
def test_what_is_no_name_of_a_host_is_refused(host: str) -> None:
    async def story() -> None:
        client = GuardedClient(transport=httpx2.MockTransport(fine))
        try:
            with pytest.raises(AddressRefused, match="is no name of a host"):
                await client.request("GET", f"https://{host}/")
        finally:
            await client.close()

    asyncio.run(story())


def test_a_header_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(AddressRefused, match="characters that no header can have"):
        ask(fine, "https://hooks.example.org/x", Title="Größe")
