"""Requests to one registry: signing in, limits, hiccups, and every failure as a sentence.

Temporary      worth trying again in a moment; `retried` does, and raises the Refused inside when it gives up
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

import httpx2
import msgspec
import stamina

from gennaker.model.codec import decode
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.oci.sign_in import Credentials, SignIn
from gennaker.transport import handshakes, http, tls

_TEMPORARY = frozenset({429, 500, 502, 503, 504})
_ANSWER_LIMIT_BYTES = 16 * (1 << 20)
"""For everything but blobs: lists and manifests."""

Result = TypeVar("Result")
Body = bytes | Callable[[], AsyncIterator[bytes]]
"""What is sent; a function where it is a stream, because signing in may need it twice."""


class RegistryAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Where a registry is and how to sign in."""

    name: str
    address: str
    """`https://host[:port]`, a `/v2` at its end doesn't matter; without a scheme https is meant."""
    credentials: Credentials | None = None
    page_size: int = 100
    read_timeout: timedelta = timedelta(seconds=60)
    """Between two pieces of an answer (Clouddriver's clientTimeoutMillis)."""
    answer_timeout: timedelta = timedelta(minutes=2)
    """For one page of a list, or one manifest, in all: one that comes byte by byte would keep whoever asked for hours."""
    transfer_timeout: timedelta = timedelta(minutes=15)
    """For one push, one pull or all pages of one list."""


class Temporary(Exception):
    """Worth trying again in a moment."""

    def __init__(self, refused: Refused) -> None:
        """What to say when it doesn't get better."""
        super().__init__(str(refused))
        self.refused = refused


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, in full."""

    status: int
    headers: httpx2.Headers
    body: bytes


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request to be sent, perhaps twice."""

    method: str
    url: httpx2.URL
    scope: str
    headers: dict[str, str]
    body: Body


class Session:
    """Requests of one account. To be closed."""

    def __init__(self, account: RegistryAccount, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """`transport` replaces the network in tests."""
        self.url = _base_url(account.address)
        self._answer_seconds = account.answer_timeout.total_seconds()
        timeout = httpx2.Timeout(account.read_timeout.total_seconds(), connect=5.0)
        # No proxies or .netrc from the environment: who is called with which password is decided here. Blobs must come
        # as they are, or their digests would be of something else.
        headers = {"user-agent": "gennaker", "accept-encoding": "identity"}
        self._client = httpx2.AsyncClient(
            trust_env=False,
            verify=tls.trusted(),
            timeout=timeout,
            transport=transport,
            headers=headers,
            event_hooks=handshakes.HOOKS,
        )
        self._sign_in = SignIn(self._client, self.url, account.credentials)

    async def close(self) -> None:
        """Closes kept connections."""
        await self._client.aclose()

    def address(self, location: str) -> httpx2.URL:
        """The address that a `Location` or `Link` of the registry means."""
        try:
            return self.url.join(location)
        except httpx2.InvalidURL as error:
            raise refused("unsupported", f"The registry names the address {location!r}, which is none.", 502) from error

    async def request(
        self,
        method: str,
        path: str | httpx2.URL,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
    ) -> Answer:
        """Sends and reads the whole answer, whatever its status. `scope` is asked for when a token is needed.

        Raises Temporary and Refused.
        """
        is_read = method in ("GET", "HEAD")  # what is sent may be large: whoever sends it says how long that may take
        try:
            async with (
                asyncio.timeout(self._answer_seconds if is_read else None),
                self.stream(method, path, scope=scope, headers=headers, body=body) as response,
            ):
                return await whole(response)
        except TimeoutError as error:
            raise Temporary(_too_slow(self.url, self._answer_seconds)) from error

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str | httpx2.URL,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
    ) -> AsyncIterator[httpx2.Response]:
        """Sends and hands over the answer while it comes in."""
        url = path if isinstance(path, httpx2.URL) else self.url.join(f"/v2/{path}")
        call = _Call(method=method, url=url, scope=scope, headers=dict(headers or {}), body=body)
        try:
            response = await self._signed_in(call)
            try:
                self._check(response)
                yield response
            finally:
                await response.aclose()
        except httpx2.HTTPError as error:
            raise Temporary(_unreachable(self.url, error)) from error

    async def _signed_in(self, call: _Call) -> httpx2.Response:
        response = await self._send(call)
        if response.status_code not in (400, 401) or "www-authenticate" not in response.headers:
            return response
        await response.aclose()
        if not await self._sign_in.renew(call.scope, response.headers.get_list("www-authenticate")):
            return response
        return await self._send(call)

    async def _send(self, call: _Call) -> httpx2.Response:
        content = call.body() if callable(call.body) else call.body or None
        headers = {**call.headers, **self._authorization(call.url, call.scope)}
        request = self._client.build_request(call.method, call.url, headers=headers, content=content)
        # Registries keep blobs elsewhere and redirect to them; the client leaves the password out when it follows.
        return await self._client.send(request, stream=True, follow_redirects=call.method in ("GET", "HEAD"))

    def _authorization(self, url: httpx2.URL, scope: str) -> dict[str, str]:
        is_own = (url.scheme, url.netloc) == (self.url.scheme, self.url.netloc)
        return self._sign_in.headers(scope) if is_own else {}

    def _check(self, response: httpx2.Response) -> None:
        status = response.status_code
        host = self.url.netloc.decode("ascii")
        if status in _TEMPORARY:
            raise Temporary(
                refused("unsupported", f"The registry {host} answered {status} to {response.url.path}.", 503)
            )
        if status in (401, 403) and response.request.method in ("GET", "HEAD"):
            raise refused(
                "unauthorized" if status == 401 else "denied",
                f"The registry {host} doesn't let this account read {response.url.path} (status {status}).",
                status,
                "Look at the account's username, password and rights.",
            )


async def retried(work: Callable[[], Awaitable[Result]]) -> Result:
    """Does it, and again where that may help within seconds. Raises Refused."""
    try:
        async for attempt in stamina.retry_context(
            on=Temporary, attempts=3, timeout=10.0, wait_initial=0.2, wait_max=2.0
        ):
            with attempt:
                return await work()
    except Temporary as error:
        raise error.refused from error
    raise AssertionError("the last attempt returns or raises")


def refused(code: str, message: str, status: int, remedy: str = "") -> Refused:
    """A refusal with one of the registry's codes."""
    return Refused(Problem(code=f"registry.{code}", message=message, remedy=remedy), status=status)


async def whole(response: httpx2.Response) -> Answer:
    """Reads an answer that is small by its kind. Raises Refused where it isn't."""
    body = await http.bounded(response, _ANSWER_LIMIT_BYTES)
    if body is None:
        raise refused("unsupported", f"The registry's answer to {response.url} is too large.", 502)
    return Answer(status=response.status_code, headers=response.headers, body=body)


def unexpected(answer: Answer, what: str) -> Refused:
    """A refusal with what the registry says: its status and its own sentences."""
    try:
        listed = decode(answer.body, _Errors).errors
    except msgspec.MsgspecError:
        listed = ()
    said = " ".join(error.message or error.code for error in listed)
    code = listed[0].code.lower() if listed and listed[0].code else "unsupported"
    status = answer.status if answer.status >= 400 else 502
    return refused(code, f"{what} (status {answer.status}){': ' + said if said else '.'}", status)


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True, kw_only=True):
    errors: tuple[_Error, ...] = ()


def _unreachable(url: httpx2.URL, error: httpx2.HTTPError) -> Refused:
    reason = str(error) or type(error).__name__
    message = f"The registry {url.netloc.decode('ascii')} can't be reached: {reason}."
    return refused("unreachable", message, 503, "Look whether it runs and whether the account's address is right.")


def _too_slow(url: httpx2.URL, seconds: float) -> Refused:
    message = f"The registry {url.netloc.decode('ascii')} gave no complete answer within {seconds:g} s."
    return refused("unreachable", message, 503, "Look whether it runs and at the line to it.")


def _base_url(address: str) -> httpx2.URL:
    text = address if "://" in address else f"https://{address}"
    try:
        url = httpx2.URL(text)
        url = url.copy_with(path=url.path.rstrip("/").removesuffix("/v2") or "/")
    except httpx2.InvalidURL as error:
        raise refused("unsupported", f"The registry's address {address!r} is no URL: {error}.", 422) from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        message = (
            f"The registry's address {address!r} must be http(s)://host[:port]; the password has a field of its own."
        )
        raise refused("unsupported", message, 422)
    return url
