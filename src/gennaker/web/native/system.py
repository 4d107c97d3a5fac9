"""The server itself: health, live updates, audit, one-time links, stopping."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.params import QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from gennaker.interfaces.executions import Update
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject, encode, to_json
from gennaker.model.principal import Principal
from gennaker.web import paging, visible
from gennaker.web.ports import Asking, Ports, WebPorts

_HEARTBEAT_SECONDS = 15.0
_LAST_NUMBER = 2**63 - 1
"""No database has more."""


class HealthController(Controller):
    """Routes under /health."""

    path = "/health"

    @get(["/", "/live"])
    async def live(self, principal: Asking) -> JsonObject:
        """The process answers."""
        return {"status": "UP"}

    @get("/ready")
    async def ready(self, ports: Ports, principal: Asking) -> Response[JsonObject]:
        """Recovery is over and there is room: what comes in is kept and worked on."""
        if not ports.is_ready():
            return Response({"status": "STARTING"}, status_code=503)
        problem = await ports.unkept()
        if problem is not None:
            return Response({"status": "DOWN", "code": problem.code, "reason": str(problem)}, status_code=503)
        return Response({"status": "UP"})


class SystemController(Controller):
    """Routes under /api/v1/the server itself."""

    path = "/api/v1"

    @get("/events")
    async def events(self, ports: Ports, principal: Asking) -> ServerSentEvent:
        """Everything that changes, as it changes; readers fetch what interests them."""
        return ServerSentEvent(_updates(ports, principal))

    @get("/audit")
    async def audit(
        self,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        after: Annotated[int, QueryParameter(ge=0, le=_LAST_NUMBER)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 200,
    ) -> Response[JsonObject]:
        """Audit records in order."""
        found = await ports.services.audit.records(after=after, limit=limit)
        cursor = found[-1].number if len(found) == limit else None
        return paging.answer(request, "records", [to_json(record) for record in found], cursor)

    @get("/audit/verify")
    async def verify(self, ports: Ports, principal: Asking) -> JsonObject:
        """Whether the chain is intact."""
        return await ports.verify_audit()

    @post("/links", status_code=201)
    async def link(self, ports: Ports, principal: Asking) -> JsonObject:
        """A new one-time link to the page."""
        base = ports.services.settings.server.base_url
        return {"url": f"{base}/ui/sign-in?once={ports.doors.new_link()}"}

    @post("/stop", status_code=202)
    async def stop(self, ports: Ports, principal: Asking) -> JsonObject:
        """Ends the server; instances and load balancers go on."""
        at = ports.services.clock.now()
        await ports.services.audit.record(
            AuditEntry(at=at, actor=principal.name, action="server.stopped", subject="server")
        )
        ports.ending.set()
        return {"stopping": True}


async def _updates(ports: WebPorts, principal: Principal) -> AsyncIterator[ServerSentEventMessage]:
    follower = ports.services.updates.follow()
    # There is always one that waits: cancelling it is what tells the follower that nobody listens any more.
    waiting: asyncio.Future[Update] = asyncio.ensure_future(anext(follower))
    ending = asyncio.ensure_future(ports.ending.wait())
    try:
        await asyncio.sleep(0)  # from here on it follows: who fetches the state after the greeting misses nothing
        yield ServerSentEventMessage(event="hello", data="{}")
        for number in itertools.count(1):
            while not (done := await _first_of(waiting, ending)):
                yield ServerSentEventMessage(comment="still here", data=None)
            if ending in done:
                return
            update = waiting.result()
            waiting = asyncio.ensure_future(anext(follower))
            if not await visible.of(ports, principal, [update], lambda one: one.application):
                continue
            yield ServerSentEventMessage(id=number, event=update.topic, data=encode(to_json(update)).decode())
    finally:
        waiting.cancel()
        ending.cancel()


async def _first_of(*awaited: asyncio.Future[Any]) -> set[asyncio.Future[Any]]:
    """What is done; nothing: it is time for a heartbeat."""
    done, _ = await asyncio.wait(awaited, timeout=_HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return done
