"""An API server over HTTP: requests, watches, and which kinds it has.

What it answers with 429 or 503 it wants to be asked again; whatever breaks on the way may have happened, and those who
write do it so that once more does no harm. A refused credential is renewed once. Bodies of answers are bounded.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cached_property

import httpx2
import msgspec

from gennaker.interfaces.api_servers import ApiFailure, ApiRefusal, ApiUnavailable, Resource
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode_json
from gennaker.model.problems import Refused
from gennaker.transport import handshakes, http
from gennaker.transport.kubernetes import credentials
from gennaker.transport.kubernetes.credentials import Credential, Credentials
from gennaker.transport.kubernetes.kubeconfig import Access
from gennaker.transport.kubernetes.memory import Changed, Key, Memory

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_VERSION = re.compile(rf"({_GROUP.pattern}/)?[A-Za-z0-9]+")
"""People write them, and they become parts of paths."""
_UNAUTHORISED = 401
_NOT_FOUND = 404
_NOT_NOW = frozenset({408, 429, 500, 502, 503, 504})
_NOT_DONE = frozenset({408, 429, 503})
"""Of those: nothing was begun. After the others a change may have been made, and only the answer to it failed."""
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, ssl.SSLError)
_UNPROCESSABLE = 422
_NOT_TYPED = re.compile(
    r"failed to create typed patch object|failed to convert new object .* to proper version: unable to convert unstructured"
)
"""What the API server says, with the status 500, of an apply whose fields or values (a quantity, base64) its schema doesn't know:
never true later."""
_PAGE = "text/html"
"""As what no API server answers: a page that tells of an outage, or one to sign in."""
_LIMIT_BYTES = 500_000_000
_SHOWN = 500
_CONNECTIONS = httpx2.Limits(max_connections=None, max_keepalive_connections=16)
"""A watch holds a connection for minutes, and there is one for each kind and namespace: were they counted among those for requests,
some dozens would leave nobody else one. Requests are counted apart (`_AT_A_TIME`)."""
_AT_A_TIME = 32
_CONNECT_SECONDS = 10.0
_LONGEST_RETRY_SECONDS = 60.0
"""However much longer an answer says: it may come from a proxy that means nobody."""
_WATCH_SILENCE_SECONDS = 150.0
"""A watch that is asked to end sooner and hasn't is dead."""


def _unheard(_before: JsonObject | None, _after: JsonObject | None) -> None:
    """Nobody wants to be told."""


class HttpApiServer:
    """One account's API server. To be closed; lives in one event loop."""

    def __init__(
        self,
        name: str,
        read_access: Callable[[], Access],
        *,
        now: Callable[[], datetime],
        timeout_seconds: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
        changed: Changed = _unheard,
    ) -> None:
        """`read_access` is called when the server is asked first; `timeout_seconds`: between two pieces of an answer.

        `changed`: as Memory has it.
        """
        self._name = name
        self._read_access = read_access
        self._now = now
        self._timeout = httpx2.Timeout(timeout_seconds, connect=_CONNECT_SECONDS)
        self._watching = httpx2.Timeout(_WATCH_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
        self._transport = transport
        self._client: tuple[Credential, httpx2.AsyncClient] | None = None
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._resources: dict[str, tuple[Resource, ...]] = {}
        self._versions: dict[str, tuple[str, ...]] = {}
        self._asked_now: dict[str, asyncio.Future[bytes | None]] = {}
        self._memory = Memory(self, changed)

    @property
    def name(self) -> str:
        """The account's."""
        return self._name

    @cached_property
    def _access(self) -> Access:
        return self._read_access()

    @cached_property
    def _credentials(self) -> Credentials:
        return Credentials(self._access, now=self._now)

    @property
    def namespace(self) -> str:
        """Where objects go that name none. Raises Refused."""
        return self._access.namespace

    async def seen(self, path: str) -> Mapping[Key, JsonObject]:
        """The objects below a path, as a watch keeps them. Raises ApiFailure, Refused."""
        return await self._memory.seen(path)

    async def keep(self) -> None:
        """Keeps the watches that are wanted, until cancelled; then closes what is open."""
        try:
            await self._memory.keep()
        finally:
            await self.close()

    async def close(self) -> None:
        """Closes kept connections."""
        if self._client is not None:
            _, client = self._client
            self._client = None
            await client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        media: str = "application/json",
    ) -> bytes:
        """The body of the answer, if it is a good one. Raises ApiFailure, Refused."""
        async with self._turns, self._sent(method, path, query=query, body=body, media=media) as response:
            return await self._read(response)

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[JsonObject]:
        """An empty event when the watch stands, then events as they come, until the server ends it. Raises ApiFailure, Refused."""
        async with self._sent("GET", path, query={**query, "watch": "true"}, is_watch=True) as response:
            yield {}
            try:
                async for line in response.aiter_lines():
                    event = foreign.mapping(decode_json(line)) if line else {}
                    if event.get("type") == "ERROR":
                        raise self._refusal(foreign.mapping(event.get("object")), 0)
                    if event:
                        yield event
            except http.BROKEN_OFF as error:
                raise ApiUnavailable(f"The watch of {path} at {self._name} broke off: {_said(error)}.") from error
            except msgspec.DecodeError as error:
                raise ApiUnavailable(f"The watch of {path} at {self._name} gave something else than JSON.") from error

    async def resources(self, api_version: str, *, anew: bool = False) -> tuple[Resource, ...]:
        """The kinds of a group and version, none of what can't be one. Raises ApiFailure, Refused."""
        if not _VERSION.fullmatch(api_version):
            return ()
        if anew or api_version not in self._resources:
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                listed = decode_json(await (self.request("GET", path) if anew else self._shared(path)))
            except ApiRefusal as refusal:
                if refusal.status != _NOT_FOUND:
                    raise
                self._resources.pop(api_version, None)
                return ()
            self._resources[api_version] = tuple(
                Resource(
                    api_version=api_version,
                    kind=foreign.text_at(one, "kind"),
                    plural=foreign.text_at(one, "name"),
                    is_namespaced=one.get("namespaced") is True,
                    verbs=frozenset(foreign.text(verb) for verb in foreign.items(one.get("verbs"))),
                )
                for one in foreign.mappings_at(listed, "resources")
                if "/" not in foreign.text_at(one, "name")
            )
        return self._resources[api_version]

    async def versions(self, group: str, *, anew: bool = False) -> tuple[str, ...]:
        """The API versions of a group, the preferred one first. Raises ApiFailure, Refused."""
        if not group:
            return ("v1",)
        if not _GROUP.fullmatch(group):
            return ()
        if anew or group not in self._versions:
            self._versions[group] = await self._asked_versions(group, anew=anew)
        return self._versions[group]

    async def _asked_versions(self, group: str, *, anew: bool) -> tuple[str, ...]:
        path = f"/apis/{group}"
        try:
            found = decode_json(await (self.request("GET", path) if anew else self._shared(path)))
        except ApiRefusal as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            return ()
        preferred = foreign.text_at(foreign.mapping(found).get("preferredVersion"), "groupVersion")
        listed = [foreign.text_at(one, "groupVersion") for one in foreign.mappings_at(found, "versions")]
        return tuple(dict.fromkeys((preferred, *listed) if preferred else listed))

    async def _shared(self, path: str) -> bytes:
        """The answer, or the failure, to one GET for all who want it meanwhile: hundreds of stages may begin at once."""
        while path in self._asked_now:
            found = await asyncio.shield(self._asked_now[path])
            if found is not None:
                return found
        answer = self._asked_now[path] = asyncio.get_running_loop().create_future()
        try:
            body = await self.request("GET", path)
        except (ApiFailure, Refused) as failure:
            answer.set_exception(failure)
            answer.exception()  # Nobody need wait for it.
            raise
        else:
            answer.set_result(body)
            return body
        finally:
            del self._asked_now[path]
            if not answer.done():
                answer.set_result(None)  # Whoever asked was cancelled: another one asks.

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        media: str = "",
        is_watch: bool = False,
    ) -> AsyncIterator[httpx2.Response]:
        refused: Credential | None = None
        while True:
            credential = await self._credentials.current(refused=refused)
            client = await self._connected(credential)
            headers = {"accept": "application/json"}
            if credential.authorization:
                headers["authorization"] = credential.authorization
            if body:
                headers["content-type"] = media
            extensions = {"sni_hostname": self._access.server_name} if self._access.server_name else None
            request = client.build_request(
                method,
                f"{self._access.server}{path}",
                params=dict(query or {}),
                headers=headers,
                content=body or None,
                timeout=self._watching if is_watch else self._timeout,
                extensions=extensions,
            )
            try:
                response = await client.send(request, stream=True)
            except (httpx2.TransportError, ssl.SSLError) as error:
                raise ApiUnavailable(
                    f"The API server of {self._name} can't be reached: {_said(error)}.",
                    may_be_done=_changes(request) and not isinstance(error, _NOT_SENT),
                ) from error
            try:
                if response.status_code == _UNAUTHORISED and refused is None:
                    refused = credential
                    continue
                await self._check(response)
                yield response
                return
            finally:
                await response.aclose()

    async def _connected(self, credential: Credential) -> httpx2.AsyncClient:
        if self._client is not None:
            known, client = self._client
            if (known.certificate, known.key) == (credential.certificate, credential.key):
                return client
            await self.close()
        is_https = self._access.server.startswith("https:")
        # No proxies and certificates from the environment: the kubeconfig says it all.
        client = httpx2.AsyncClient(
            verify=credentials.secured(self._access, credential) if is_https else True,
            trust_env=False,
            proxy=self._access.proxy or None,
            limits=_CONNECTIONS,
            event_hooks=handshakes.HOOKS,
            transport=self._transport,
        )
        self._client = (credential, client)
        return client

    async def _check(self, response: httpx2.Response) -> None:
        if response.is_success:
            if response.headers.get("content-type", "").startswith(_PAGE):
                raise ApiUnavailable(
                    f"In place of the API server of {self._name} a proxy answers, with a web page.",
                    may_be_done=_changes(response.request),
                )
            return
        body = await self._read(response)
        try:
            status = foreign.mapping(decode_json(body))
        except msgspec.DecodeError:
            status = {"message": body.decode(errors="replace").strip()[:_SHOWN]}
        said = foreign.text_at(status, "message") or f"it answered {response.status_code}"
        is_expired = foreign.text_at(status, "reason") in ("Expired", "Gone")
        if _NOT_TYPED.match(said):
            raise self._refusal(status, _UNPROCESSABLE)
        if response.status_code in _NOT_NOW and not is_expired:
            raise ApiUnavailable(
                f"The API server of {self._name} can't now: {said}",
                after_seconds=_after(response),
                may_be_done=_changes(response.request) and response.status_code not in _NOT_DONE,
            )
        raise self._refusal(status, response.status_code)

    def _refusal(self, status: JsonObject, code: int) -> ApiRefusal:
        told = status.get("code")
        return ApiRefusal(
            foreign.text_at(status, "message") or f"{self._name} answered {code}.",
            status=code or (told if isinstance(told, int) else 0),
            reason=foreign.text_at(status, "reason"),
            causes=tuple(foreign.mappings_at(status.get("details"), "causes")),
        )

    async def _read(self, response: httpx2.Response) -> bytes:
        try:
            found = await http.bounded(response, _LIMIT_BYTES)
        except http.BROKEN_OFF as error:
            raise ApiUnavailable(
                f"An answer of {self._name} broke off: {_said(error)}.", may_be_done=_changes(response.request)
            ) from error
        if found is None:
            raise ApiUnavailable(f"An answer of {self._name} is larger than {_LIMIT_BYTES:,} bytes.")
        return found


def _after(response: httpx2.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(float(foreign.natural(value) or 0), _LONGEST_RETRY_SECONDS)


def _changes(request: httpx2.Request) -> bool:
    return request.method != "GET" and "dryRun" not in request.url.params


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
