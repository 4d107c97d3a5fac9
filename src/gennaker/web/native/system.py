"""The server itself: health, live updates, audit, one-time links, stopping."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import QueryParameter
from litestar.response import Stream

from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject, encode
from gennaker.web import paging, telling
from gennaker.web.ports import Asking, Ports
from gennaker.web.staying import Staying

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

    @get("/events", media_type=telling.MEDIA_TYPE)
    async def events(self, ports: Ports, principal: Asking, request: paging.Asked) -> Stream:
        """Everything that changes, as it changes; readers fetch what interests them."""
        return telling.stream(ports, Staying(request, principal))

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
        return paging.answer(request, "records", [msgspec.Raw(encode(record)) for record in found], cursor)

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
