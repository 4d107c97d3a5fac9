"""A guarded HTTP client for addresses that people and pipelines write down.

For webhook stages, notifications, artifact downloads: whatever is called on somebody's word. It refuses addresses
inside the machine and its network unless they are allowed, follows few redirects and checks each of them, bounds the
size of answers and the time of everything. Not for the embedded parts' own traffic (probes, Caddy's admin API).

Names are resolved here and the connection goes to the address that was checked: a name that means something else
a moment later (DNS rebinding) gains nothing.

    HttpFailure
    ├── AddressRefused     the rules forbid it, or it can't be written; nothing was sent
    ├── NoAnswer           no (complete) answer; `was_sent` says whether the request may have been processed
    ├── AnswerTooLarge
    └── TooManyRedirects
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping

import httpx2
import msgspec

from gennaker import addresses
from gennaker.transport import handshakes, tls

BROKEN_OFF = (httpx2.TransportError, httpx2.DecodingError)
"""There is no whole answer. Large ones come compressed: one that can't be unpacked is none."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPING_METHOD = frozenset({307, 308})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FOR_EVERY_ORIGIN = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
"""What a redirect may take along to another origin: any other header may be a secret."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: where a network translates, these lead to the IPv4 address at their end."""
_LOCAL_TRANSLATION = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")))
"""RFC 8215, RFC 4291 (IPv4-compatible), RFC 2765: of a network's own, or of no use outside of one."""

Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""Addresses of a host name."""


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one request, its redirects included."""

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    """Between two pieces of the answer."""
    total_seconds: float = 30.0
    answer_bytes: int = 5_000_000
    redirects: int = 5


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case; a repeated header's values joined by commas."""
    body: bytes
    url: str
    """Where it came from, after redirects."""
    shown_headers: dict[str, str] = {}
    """The headers with their names as the server wrote them: for people and their expressions."""


class HttpFailure(Exception):
    """There is no usable answer; the text says why."""


class AddressRefused(HttpFailure):
    """The rules forbid this address."""


class NoAnswer(HttpFailure):
    """No complete answer came."""

    def __init__(self, message: str, *, was_sent: bool) -> None:
        """`was_sent`: False only if the other side certainly has not seen the request."""
        super().__init__(message)
        self.was_sent = was_sent


class AnswerTooLarge(HttpFailure):
    """The answer is larger than allowed."""


class TooManyRedirects(HttpFailure):
    """One redirect more than allowed."""


class GuardedClient:
    """Sends requests under the rules of this module. To be closed."""

    def __init__(
        self,
        *,
        allowed: tuple[str, ...] = (),
        limits: HttpLimits | None = None,
        resolve: Resolve | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """`allowed`: `host:port` as written in URLs, that may be called although they are inside (settings)."""
        self._allowed = frozenset(map(addresses.written, allowed))
        self._limits = limits or HttpLimits()
        self._resolve = resolve or _resolved
        timeout = httpx2.Timeout(self._limits.read_seconds, connect=self._limits.connect_seconds)
        # No proxies, .netrc or certificates from the environment: who may be called is decided here.
        self._client = httpx2.AsyncClient(
            trust_env=False,
            verify=tls.trusted(),
            follow_redirects=False,
            timeout=timeout,
            transport=transport,
            event_hooks=handshakes.HOOKS,
        )

    async def close(self) -> None:
        """Closes kept connections."""
        await self._client.aclose()

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """Sends and reads the whole answer, whatever its status. Raises HttpFailure."""
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                return await self._follow(method.upper(), url, dict(headers or {}), body)
        except TimeoutError as error:
            message = f"{url} gave no complete answer within {self._limits.total_seconds:g} s."
            raise NoAnswer(message, was_sent=True) from error

    async def _follow(self, method: str, url: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        for _ in range(self._limits.redirects + 1):
            answer = await self._send(method, url, headers, body)
            target = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not target:
                return answer
            if method not in _SAFE and answer.status in _KEEPING_METHOD and not _same_origin(url, target):
                return answer  # A body goes only to whom it was meant for.
            if method not in _SAFE and answer.status not in _KEEPING_METHOD:
                method, body = "GET", b""
                headers = {key: value for key, value in headers.items() if not key.lower().startswith("content-")}
            next_url = _joined(url, target)
            if not _same_origin(url, next_url):
                headers = {key: value for key, value in headers.items() if key.lower() in _FOR_EVERY_ORIGIN}
            if url.startswith("https:") and next_url.startswith("http:"):
                raise AddressRefused(f"{url} redirects from https to http ({next_url}).")
            url = next_url
        raise TooManyRedirects(f"{url} is redirected more than {self._limits.redirects} times.")

    async def _send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        parsed = _parsed(url)
        address = await self._checked_address(parsed)
        host = parsed.netloc.decode("ascii")
        try:
            request = self._client.build_request(
                method,
                parsed.copy_with(host=address),
                headers={**headers, "host": host},
                content=body or None,
                extensions={"sni_hostname": _sent_host(parsed)},
            )
        except UnicodeEncodeError as error:
            raise AddressRefused(f"A header for {url} has characters that no header can have.") from error
        try:
            return await self._exchange(request, url)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NoAnswer(f"{url} can't be reached: {str(error) or type(error).__name__}.", was_sent=False) from error
        except BROKEN_OFF as error:
            raise NoAnswer(f"{url} broke off: {str(error) or type(error).__name__}.", was_sent=True) from error

    async def _exchange(self, request: httpx2.Request, url: str) -> HttpAnswer:
        response = await self._client.send(request, stream=True)
        try:
            body = await bounded(response, self._limits.answer_bytes)
            if body is None:
                raise AnswerTooLarge(f"The answer of {url} is larger than {self._limits.answer_bytes} bytes.")
            headers = {name.lower(): value for name, value in response.headers.items()}
            return HttpAnswer(
                status=response.status_code,
                headers=headers,
                body=body,
                url=url,
                shown_headers={
                    name.decode("latin-1"): headers[name.decode("latin-1").lower()] for name, _ in response.headers.raw
                },
            )
        finally:
            await response.aclose()

    async def _checked_address(self, url: httpx2.URL) -> str:
        try:
            found = await self._resolve(_sent_host(url), _port(url))
        except UnicodeError as error:  # an empty part, or one of more than 63 characters
            raise AddressRefused(f"{url.host!r} is no name of a host.") from error
        except OSError as error:
            raise NoAnswer(f"The host {url.host} is unknown: {error.strerror or error}.", was_sent=False) from error
        if not found:
            raise NoAnswer(f"The host {url.host} has no address.", was_sent=False)
        if _host_and_port(url) not in self._allowed:
            for address in found:
                _refuse_inside(url, address)
        return found[0]


async def bounded(response: httpx2.Response, most: int) -> bytes | None:
    """The whole body, once it is unpacked; None: it has more bytes."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def host_and_port(url: str) -> str:
    """The `host:port` by which `allowed` names where a URL leads. Raises AddressRefused for what is no URL that may be called."""
    return _host_and_port(_parsed(url))


def _host_and_port(url: httpx2.URL) -> str:
    return addresses.joined(_sent_host(url), _port(url))


def _sent_host(url: httpx2.URL) -> str:
    """In ASCII, as the Host header has it.

    Left to Python, a name with other letters is encoded by the older IDNA (RFC 3490), in which `straße` is `strasse`: somebody else's.
    """
    return url.raw_host.decode("ascii")


def _port(url: httpx2.URL) -> int:
    return url.port or addresses.DEFAULT_PORTS[url.scheme]


def _parsed(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise AddressRefused(f"{url!r} is no URL: {error}.") from error
    if parsed.scheme not in addresses.DEFAULT_PORTS or not parsed.host:
        raise AddressRefused(f"{url!r} is not an http or https URL.")
    if parsed.userinfo:
        raise AddressRefused("A URL must not hold a user name or password; use a header.")
    return parsed


def _refuse_inside(url: httpx2.URL, address: str) -> None:
    if _is_inside(ipaddress.ip_address(address.partition("%")[0])):
        raise AddressRefused(
            f"{url} leads to {address}, an address inside this machine or network. "
            f'If that is meant, add "{_host_and_port(url)}" to the setting webhook-hosts.'
        )


def _is_inside(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        return not ip.is_global or ip.is_multicast
    if any(ip in network for network in _LOCAL_TRANSLATION):
        return True
    translated = ip.ipv4_mapped or ip.sixtofour or (_last_32_bits(ip) if ip in _NAT64 else None)
    return _is_inside(translated) if translated else not ip.is_global or ip.is_multicast


def _last_32_bits(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)


def _joined(url: str, target: str) -> str:
    try:
        return str(httpx2.URL(url).join(target))
    except httpx2.InvalidURL as error:
        raise AddressRefused(f"{url} redirects to {target!r}, which is no URL.") from error


def _same_origin(url: str, target: str) -> bool:
    first, second = httpx2.URL(url), httpx2.URL(_joined(url, target))
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)


async def _resolved(host: str, port: int) -> tuple[str, ...]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
