"""The server itself: health, live updates, audit, one-time links, stopping."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import Parameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from gennaker.interfaces.executions import Update
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject, encode, to_json
from gennaker.model.principal import Principal
from gennaker.web.ports import WebPorts

_HEARTBEAT_SECONDS = 15.0


class HealthController(Controller):
    """Routes under /health."""

    path = "/health"

    @get(["/", "/live"])
    async def live(self) -> JsonObject:
        """The process answers."""
        return {"status": "UP"}

    @get("/ready")
    async def ready(self, ports: WebPorts) -> Response[JsonObject]:
        """Recovery is over: what comes in is worked on."""
        is_ready = ports.is_ready()
        return Response({"status": "UP" if is_ready else "STARTING"}, status_code=200 if is_ready else 503)


class SystemController(Controller):
    """Routes under /api/v1/the server itself."""

    path = "/api/v1"

    @get("/events")
    async def events(self, ports: WebPorts) -> ServerSentEvent:
        """Everything that changes, as it changes; readers fetch what interests them."""
        return ServerSentEvent(_updates(ports))

    @get("/audit")
    async def audit(
        self, ports: WebPorts, after: int = 0, limit: Annotated[int, Parameter(ge=1, le=1000)] = 200
    ) -> JsonObject:
        """Audit records in order."""
        found = await ports.services.audit.records(after=after, limit=limit)
        return {"records": [to_json(record) for record in found]}

    @get("/audit/verify")
    async def verify(self, ports: WebPorts) -> JsonObject:
        """Whether the chain is intact."""
        return await ports.verify_audit()

    @post("/links", status_code=201)
    async def link(self, ports: WebPorts) -> JsonObject:
        """A new one-time link to the page."""
        base = ports.services.settings.server.base_url
        return {"url": f"{base}/ui/sign-in?once={ports.doors.new_link()}"}

    @post("/stop", status_code=202)
    async def stop(self, ports: WebPorts, principal: Principal) -> JsonObject:
        """Ends the server; instances and load balancers go on."""
        at = ports.services.clock.now()
        await ports.services.audit.record(
            AuditEntry(at=at, actor=principal.name, action="server.stopped", subject="server")
        )
        ports.stop()
        return {"stopping": True}


async def _updates(ports: WebPorts) -> AsyncIterator[ServerSentEventMessage]:
    follower = ports.services.updates.follow()
    waiting: asyncio.Future[Update] | None = None
    try:
        yield ServerSentEventMessage(event="hello", data="{}")
        while True:
            waiting = waiting or asyncio.ensure_future(anext(follower))
            done, _ = await asyncio.wait((waiting,), timeout=_HEARTBEAT_SECONDS)
            if not done:
                yield ServerSentEventMessage(comment="still here")
                continue
            update, waiting = waiting.result(), None
            yield ServerSentEventMessage(event=update.topic, data=encode(to_json(update)).decode())
    finally:
        if waiting is not None:
            waiting.cancel()
