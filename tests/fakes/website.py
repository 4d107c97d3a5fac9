"""A visitor of the web application: calls it in the same loop, without sockets, and reads streams until it leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import msgspec
from argon2 import PasswordHasher

from gennaker.access.passwords import Passwords
from gennaker.access.signing_in import SignIn
from gennaker.interfaces.clock import Clock, Ids
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem
from gennaker.web import application
from gennaker.web.ports import WebPorts
from gennaker.web.sign_in import Doors
from gennaker.worker.core import Core

TOKEN = "the-token"
HOST = "127.0.0.1:8084"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Of passwords that only a test has."""
NOT_OFFERED = (
    "/admin",
    "/bakery",
    "/batch",
    "/cleanup",
    "/cloudMetrics",
    "/codebuild",
    "/concourse",
    "/ecs",
    "/extensions",
    "/gcb",
    "/integrations",
    "/managed",
    "/mcp",
    "/pipelineTemplates",
    "/proxies",
    "/servicebroker",
    "/snapshots",
    "/v1/data",
)
"""Parts of Spinnaker's API that don't exist here: with all that is below, and by every method, 501."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Sources(Protocol):
    """Where time and names come from."""

    @property
    def time(self) -> Clock: ...

    @property
    def ids(self) -> Ids: ...


class Website:
    """The web application over a core."""

    def __init__(self, harness: Sources, core: Core, *, page: Path = Path("/nonexistent/page")) -> None:
        self.doors = Doors(token=TOKEN, clock=harness.time, new_token=harness.ids.token)
        self.sign_in = SignIn(
            people=core.identities,
            documents=core.services.documents,
            passwords=Passwords(clock=harness.time, key=b"key", hasher=QUICK),
            audit=core.services.audit,
            refusals=core.refusals,
            clock=harness.time,
            new_secret=harness.ids.token,
            settings=core.services.settings.sign_in,
        )
        self.refusals = core.refusals
        self.is_ready = True
        self.unkept: Problem | None = None
        self.ports = WebPorts(
            services=core.services,
            stage_types=core.stage_types,
            doors=self.doors,
            sign_in=self.sign_in,
            stored_secrets=core.stored_secrets,
            phases=core.phases,
            verify_audit=self._verified,
            ending=asyncio.Event(),
            is_ready=lambda: self.is_ready,
            unkept=self._unkept,
            page=page,
            version="1.2.3",
        )
        self.app = application.create(self.ports)
        self.routes = application.routes(core.services.settings.server.webhook_body_limit_bytes).routes

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = TOKEN,
        json: Any = None,
        raw: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request and its whole answer."""
        body = msgspec.json.encode(json) if json is not None else raw
        async with self._exchange(method, path, token=token, body=body, headers=headers or {}) as messages:
            start = await messages.get()
            found = b""
            while True:
                message = await messages.get()
                found += message.get("body", b"")
                if not message.get("more_body"):
                    break
        named = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Answer(status=start["status"], headers=named, body=found)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> Answer:
        return await self.call("POST", path, json=json if json is not None else {}, **options)

    @asynccontextmanager
    async def stream(self, path: str, *, token: str = TOKEN) -> AsyncIterator[AsyncIterator[str]]:
        """Server-sent events, each as its lines; the visitor leaves at the end of the block."""
        async with self._exchange("GET", path, token=token, body=b"", headers={}) as messages:
            start = await messages.get()
            assert start["status"] == 200, start
            yield _events(messages)

    @staticmethod
    def scope(method: str, path: str, *, headers: dict[str, str]) -> dict[str, Any]:
        """A request as a server hands it to the application."""
        parts = urlsplit(path)
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8084),
            "state": {},
        }

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, *, token: str | None, body: bytes, headers: dict[str, str]
    ) -> "AsyncIterator[asyncio.Queue[dict[str, Any]]]":
        given = {"host": HOST, "content-length": str(len(body))}
        if body:
            given["content-type"] = "application/json"
        if token is not None:
            given["authorization"] = f"Bearer {token}"
        given.update({name.lower(): value for name, value in headers.items()})
        scope = self.scope(method, path, headers=given)
        sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        has_left = asyncio.Event()
        inbox = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in inbox:
                return message
            await has_left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await sent.put(message)

        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.app(scope, receive, send))  # type: ignore[arg-type]  # plain dictionaries
            try:
                yield sent
            finally:
                has_left.set()
                await asyncio.wait((running,), timeout=60)
                running.cancel()

    async def _unkept(self) -> Problem | None:
        return self.unkept

    async def _verified(self) -> JsonObject:
        return {"isIntact": True}


async def _events(messages: "asyncio.Queue[dict[str, Any]]") -> AsyncIterator[str]:
    buffer = ""
    is_over = False
    while not is_over:
        message = await messages.get()
        buffer += message.get("body", b"").decode()
        is_over = not message.get("more_body")
        while "\r\n\r\n" in buffer:
            event, _, buffer = buffer.partition("\r\n\r\n")
            yield event.replace("\r\n", "\n")
