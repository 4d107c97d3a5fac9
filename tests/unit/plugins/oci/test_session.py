"""Requests to registries that mean ill, or are broken: nobody is kept for ever, and nothing is read that memory doesn't hold."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx2
import pytest

from gennaker.model.problems import UNAVAILABLE, Refused
from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.plugins.oci.sign_in import Credentials

_READ_AT_MOST = 100_000_000
"""Bytes that a test's registry may be asked for."""


class Endless(httpx2.AsyncByteStream):
    """A body without an end, which counts what was taken of it."""

    def __init__(self, chunk: bytes, *, pause_seconds: float = 0.0) -> None:
        self.taken = 0
        self._chunk = chunk
        self._pause_seconds = pause_seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.taken < _READ_AT_MOST:
            self.taken += len(self._chunk)
            yield self._chunk
            await asyncio.sleep(self._pause_seconds)


def asked(
    answer: Callable[[httpx2.Request], httpx2.Response] | Callable[[httpx2.Request], Awaitable[httpx2.Response]],
    ask: Callable[[RegistryClient], Awaitable[object]],
    *,
    answer_timeout: timedelta = timedelta(minutes=1),
    transfer_timeout: timedelta = timedelta(minutes=1),
) -> Refused:
    """What the client says of what the registry answers."""
    account = RegistryAccount(
        name="x",
        address="https://registry.example",
        credentials=Credentials(username="ada", password="secret"),
        answer_timeout=answer_timeout,
        transfer_timeout=transfer_timeout,
    )

    async def main() -> Refused:
        client = RegistryClient(account, transport=httpx2.MockTransport(answer))
        try:
            with pytest.raises(Refused) as caught:
                await ask(client)
        finally:
            await client.close()
        return caught.value

    return asyncio.run(main())


@pytest.mark.slow  # it is asked three times, as whatever may be a hiccup
@pytest.mark.parametrize("ask", [lambda one: one.tags("shop"), lambda one: one.resolve("shop", "1")])
def test_an_answer_that_comes_byte_by_byte_is_given_up(ask: Callable[[RegistryClient], Awaitable[object]]) -> None:
    def drip(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=Endless(b" ", pause_seconds=0.001))

    refused = asked(drip, ask, answer_timeout=timedelta(seconds=0.05))

    assert (refused.status, refused.problems[0].code) == (UNAVAILABLE, "registry.unreachable")
    assert "within 0.05 s" in str(refused)


def test_a_list_whose_pages_have_no_end_is_given_up_before_memory_is_full() -> None:
    pages = 0
    body = json.dumps({"tags": ["x" * 100] * 80_000}).encode()

    def page(_: httpx2.Request) -> httpx2.Response:
        nonlocal pages
        pages += 1
        return httpx2.Response(200, content=body, headers={"link": f'</v2/shop/tags/list?last={pages}>; rel="next"'})

    refused = asked(page, lambda one: one.tags("shop"))

    assert "is too large" in str(refused)
    assert pages < 10


@pytest.mark.parametrize("ask", [lambda one: one.tags("shop"), lambda one: one.repositories()])
def test_a_list_of_many_pages_that_take_their_time_is_given_up(
    ask: Callable[[RegistryClient], Awaitable[object]],
) -> None:
    async def page(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0.01)
        number = int(request.url.params.get("last", "0"))
        more = {"link": f'<{request.url.path}?last={number + 1}>; rel="next"'} if number < 100 else {}
        return httpx2.Response(200, content=b"{}", headers=more)

    refused = asked(page, ask, transfer_timeout=timedelta(seconds=0.05))

    assert (refused.status, refused.problems[0].code) == (504, "registry.unreachable")
    assert "The list was not read within 0.05 s" in str(refused)


def test_a_token_service_that_does_not_stop_talking_is_not_listened_to() -> None:
    token = Endless(b"a" * 65_536)

    def wants_a_token(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/token":
            return httpx2.Response(200, stream=token)
        challenge = 'Bearer realm="https://registry.example/token",service="x"'
        return httpx2.Response(401, headers={"www-authenticate": challenge})

    refused = asked(wants_a_token, lambda one: one.tags("shop"))

    assert "the token service registry.example answered" in str(refused)
    assert token.taken < 2_000_000
