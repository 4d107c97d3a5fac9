"""The engine: one Docker-compatible API, over a Unix socket or TCP. Says what it is asked for, and nothing about business."""

import os
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec

from gennaker.model.codec import JsonObject, decode_json, encode
from gennaker.model.problems import UNAVAILABLE, Refused
from gennaker.plugins.docker import problems
from gennaker.settings import DockerSettings
from gennaker.transport import handshakes, http, tls

_VERSION = (1, 41)
"""The API's oldest that has all that is asked for. It is asked in until an engine says that it answers newer ones only."""
_OTHER_VERSION = re.compile(
    r"client version \S+ is too (?:old|new)\b.* supported API version is ([0-9]+)\.([0-9]+)", re.IGNORECASE
)
_UNIX = "unix://"
_NOT_FOUND = 404
_GONE = re.compile(
    r"no such container|container \S+ has already been removed|container \S+ does not exist"
    r"|removal of container \S+ is already in progress",
    re.IGNORECASE,
)
"""Said with status 500 where a container is removed while an engine looks for what else it knows of it, or with 409 to who is second."""
_BELOW_A_FILE = "not a directory"
"""Said with status 500 of a path that leads through a file."""
_NOT_NOW = frozenset({429, 502, 503, 504})
"""Whatever is asked for: said by an engine that is being stopped, or by a proxy before it."""
_NOT_IMPLEMENTED = 501
_IN_JSON = ("/json", "/info", "/containers/create")
"""Ends paths whose answers are JSON."""
_CONNECT_SECONDS = 5.0
_LIMIT_BYTES = 50_000_000
_OWN_LIMIT = 504
"""The status where what takes long has had its time: asked again as after an outage, it would begin anew and take it again."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine said; refusals are raised instead."""

    status: int
    body: bytes = b""
    is_cut: bool = False
    """It went on for longer than anything may."""

    @property
    def json(self) -> JsonObject:
        """The body, an object."""
        value = decode_json(self.body)
        return value if isinstance(value, dict) else {}

    @property
    def listed(self) -> list[JsonObject]:
        """The body, a list of objects."""
        value = decode_json(self.body)
        return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] = {}
    body: JsonObject | bytes | None = None
    seconds: float
    silent_status: int = UNAVAILABLE


class Engine:
    """An account's engine. Each request has its own connection, so nothing has to be closed."""

    def __init__(self, account: str, settings: DockerSettings) -> None:
        """Nothing is asked before the first request."""
        self.account = account
        self._settings = settings
        self._address = settings.address
        self._version = _VERSION

    async def ask(
        self,
        method: str,
        path: str,
        *,
        about: str,
        query: Mapping[str, str] | None = None,
        body: JsonObject | bytes | None = None,
        seconds: float | None = None,
    ) -> Answer | None:
        """One request; None: what it is about isn't there. Raises Refused, EngineUnreachable.

        `about` begins the sentence of a refusal; `seconds`: longest silence, instead of the setting's.
        """
        limit = seconds or self._settings.request_timeout_seconds
        request = _Request(method=method, path=path, query=query, body=body, seconds=limit)
        async with self._answer(request) as answer:
            content, is_cut = await _read(answer)
        if answer.status_code == _NOT_FOUND and not _is_about_others(path):
            return None
        if answer.status_code >= httpx2.codes.BAD_REQUEST:
            if _is_gone(method, path, _said(content) or answer.reason_phrase):
                return None
            raise self._refusal(method, answer, content, about=about)
        if path.endswith(_IN_JSON):
            self._check_json(content)
        return Answer(status=answer.status_code, body=content, is_cut=is_cut)

    async def memory_bytes(self) -> int:
        """Of its machine; 0 where it doesn't say. Raises Refused, EngineUnreachable."""
        answer = await self.ask("GET", "/info", about="The engine's machine can't be looked at")
        found = answer.json.get("MemTotal") if answer else None
        return found if isinstance(found, int) else 0

    @asynccontextmanager
    async def lines(
        self, path: str, *, about: str, query: Mapping[str, str], seconds: float
    ) -> AsyncIterator[AsyncIterator[str]]:
        """What it says line by line, for as long as it goes on; `seconds`: longest silence. Raises Refused, EngineUnreachable."""
        async with self._answer(_Request(method="GET", path=path, query=query, seconds=seconds)) as answer:
            if answer.status_code >= httpx2.codes.BAD_REQUEST:
                raise self._refusal("GET", answer, (await _read(answer))[0], about=about)
            yield answer.aiter_lines()

    async def pull(self, reference: str, *, credentials: str = "") -> None:
        """Pulls an image. Raises Refused with what the engine said, EngineUnreachable."""
        about = f"The image {reference} can't be pulled"
        request = _Request(
            method="POST",
            path="/images/create",
            query={"fromImage": reference},
            headers={"X-Registry-Auth": credentials} if credentials else {},
            seconds=self._settings.pull_timeout_seconds,
            silent_status=_OWN_LIMIT,
        )
        async with self._answer(request) as answer:
            if answer.status_code >= httpx2.codes.BAD_REQUEST:
                raise self._refusal("POST", answer, (await _read(answer))[0], about=about)
            async for line in answer.aiter_lines():
                if error := _error_of(line):
                    raise problems.refused(error, account=self.account, about=about)

    @asynccontextmanager
    async def _answer(self, request: _Request) -> AsyncIterator[httpx2.Response]:
        """In a version that the engine speaks, as long as it names one: it may also be another engine than before."""
        async with self._answer_in(self._version, request) as answer:
            version = await _another_version(answer)
            if version is None:
                yield answer
                return
        self._version = version
        async with self._answer_in(version, request) as answer:
            yield answer

    @asynccontextmanager
    async def _answer_in(self, version: tuple[int, int], request: _Request) -> AsyncIterator[httpx2.Response]:
        timeout = httpx2.Timeout(request.seconds, connect=_CONNECT_SECONDS)
        content = encode(request.body) if isinstance(request.body, dict) else request.body
        kind = "application/json" if isinstance(request.body, dict) else "application/x-tar"
        sent = {**request.headers, **({"content-type": kind} if content is not None else {})}
        address = f"{self._base}/v{version[0]}.{version[1]}{request.path}"
        try:
            async with (
                httpx2.AsyncClient(
                    transport=self._transport(), timeout=timeout, trust_env=False, event_hooks=handshakes.HOOKS
                ) as client,
                client.stream(request.method, address, params=request.query, headers=sent, content=content) as answer,
            ):
                yield answer
        except httpx2.ConnectError as error:
            raise self._not_there(error) from error
        except httpx2.ConnectTimeout as error:
            why = f"doesn't take a connection within {_CONNECT_SECONDS:g} s"
            raise self._silent(why, "Look at its load and its log.") from error
        except httpx2.TimeoutException as error:
            why = f"gives no answer within {request.seconds:g} s"
            more = ", or allow more time by pull-timeout-seconds" if request.silent_status == _OWN_LIMIT else ""
            raise self._silent(why, f"Look at its load and its log{more}.", status=request.silent_status) from error
        except http.BROKEN_OFF as error:
            raise self.broke_off(error) from error

    def _refusal(self, method: str, answer: httpx2.Response, content: bytes, *, about: str) -> Refused:
        """Where it fails to look, nothing is known; where it fails to act, what it says of that is its last word."""
        status = answer.status_code
        said = _said(content) or answer.reason_phrase
        fails_to_look = method == "GET" and status >= httpx2.codes.INTERNAL_SERVER_ERROR and status != _NOT_IMPLEMENTED
        if fails_to_look or status in _NOT_NOW:
            return problems.failed(said, account=self.account, about=about)
        return problems.refused(said, account=self.account, about=about, status=_status(status))

    def _check_json(self, content: bytes) -> None:
        try:
            decode_json(content)
        except msgspec.DecodeError as error:
            remedy = f"Look whether the address of [docker.{self.account}] is an engine's, and at what is before it."
            raise self._silent("answers with something else than JSON", remedy) from error

    @property
    def _base(self) -> str:
        if self._address.startswith(_UNIX):
            return "http://engine"
        scheme = "https" if self._settings.ca_file or self._settings.client_certificate_file else "http"
        return f"{scheme}://{self._address.partition('://')[2]}"

    def _transport(self) -> httpx2.AsyncHTTPTransport:
        if self._address.startswith(_UNIX):
            return httpx2.AsyncHTTPTransport(uds=self._address.removeprefix(_UNIX), verify=False)
        return httpx2.AsyncHTTPTransport(verify=self._trusted(), trust_env=False)

    def _trusted(self) -> ssl.SSLContext | bool:
        one = self._settings
        if not (one.ca_file or one.client_certificate_file):
            return False
        try:
            if not one.client_certificate_file:
                return ssl.create_default_context(cafile=one.ca_file)
            certificate, key = one.client_certificate_file, one.client_key_file
            return tls.with_certificate(certificate, key, authorities=one.ca_file)
        except (OSError, ssl.SSLError) as error:
            remedy = f"Look at ca-file, client-certificate-file and client-key-file of [docker.{self.account}]."
            raise self._silent(f"can't be trusted: {error}", remedy, "docker.certificate") from error

    def _not_there(self, error: httpx2.ConnectError) -> problems.EngineUnreachable:
        mend = f"mend `address` of [docker.{self.account}]"
        if not self._address.startswith(_UNIX):
            return self._silent(f"can't be reached: {error}", f"Start it there, or {mend}.")
        path = Path(self._address.removeprefix(_UNIX))
        try:
            is_there = path.exists()
        except PermissionError:
            is_there = True
        if not is_there:
            remedy = f"Start it (`systemctl start docker`, or `systemctl start podman.socket`), or {mend}."
            return self._silent("has no socket", remedy, "docker.no_socket")
        if not os.access(path, os.R_OK | os.W_OK):
            remedy = "Add the user who runs Gennaker to the group that owns the socket, and start Gennaker again."
            return self._silent("doesn't let Gennaker's user in", remedy, "docker.permission")
        return self._silent("doesn't run", "Start it, and look at its log.", "docker.not_running")

    def broke_off(self, error: Exception) -> problems.EngineUnreachable:
        """It began to answer. With TLS 1.3 a server that doesn't like the client's certificate says so in place of its first answer."""
        remedy = "Look at its log."
        if self._base.startswith("https"):
            keys = f"client-certificate-file and client-key-file of [docker.{self.account}]"
            remedy = f"If it wants a certificate that it trusts, mend {keys}. {remedy}"
        return self._silent(f"broke off its answer ({str(error) or type(error).__name__})", remedy)

    def _silent(
        self, why: str, remedy: str, code: str = "docker.unreachable", status: int = UNAVAILABLE
    ) -> problems.EngineUnreachable:
        return problems.unreachable(self.account, self._address, why=why, remedy=remedy, code=code, status=status)


def filters(**wanted: tuple[str, ...]) -> dict[str, str]:
    """The query that lists only these."""
    return {"filters": encode({key: list(values) for key, values in wanted.items()}).decode()}


def output(framed: bytes) -> str:
    """What a container has written, out of the engine's frames (one byte which stream, four its length)."""
    parts, at = [], 0
    while at + 8 <= len(framed):
        if framed[at] not in (0, 1, 2) or framed[at + 1 : at + 4] != b"\0\0\0":
            return framed.decode(errors="replace")  # A container with a terminal: no frames.
        size = int.from_bytes(framed[at + 4 : at + 8], "big")
        parts.append(framed[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(parts).decode(errors="replace")


async def _read(answer: httpx2.Response) -> tuple[bytes, bool]:
    """The body, and whether it was cut off."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > _LIMIT_BYTES:
            return b"".join(parts), True
        parts.append(part)
    return b"".join(parts), False


async def _another_version(answer: httpx2.Response) -> tuple[int, int] | None:
    """The version in which it is to be asked instead; none older than ours."""
    if answer.status_code != httpx2.codes.BAD_REQUEST:
        return None
    found = _OTHER_VERSION.search(_said(await answer.aread()))
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return version if version >= _VERSION else None


def _said(content: bytes) -> str:
    try:
        value = decode_json(content)
    except msgspec.DecodeError:
        return content.decode(errors="replace")
    return str(value.get("message") or value.get("cause") or "") if isinstance(value, dict) else ""


def _error_of(line: str) -> str:
    try:
        value = decode_json(line)
    except msgspec.DecodeError:
        return ""
    return str(value.get("error") or "") if isinstance(value, dict) else ""


def _is_about_others(path: str) -> bool:
    """404 also says that what a container needs is missing: its image, its network, its program."""
    return path.endswith(("/create", "/start", "/connect"))


def _is_gone(method: str, path: str, said: str) -> bool:
    is_below_a_file = method == "GET" and path.endswith("/archive") and _BELOW_A_FILE in said
    is_gone = path.startswith("/containers/") and not _is_about_others(path) and _GONE.search(said) is not None
    return is_gone or is_below_a_file


def _status(status: int) -> int:
    return status if status in (400, 403, 404, 409) else 422
