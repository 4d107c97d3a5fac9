"""Webhooks from outside: the bytes as they came go to the intake."""

from typing import Any

from litestar import Controller, Request, Response, post
from litestar.params import FromPath

from gennaker.interfaces.intake import Delivery
from gennaker.model.codec import JsonObject
from gennaker.web.ports import Asking, Ports, WebPorts
from gennaker.web.sign_in import address_of


class WebhooksController(Controller):
    """Routes under /webhooks."""

    path = "/webhooks"

    @post("/{kind:str}/{source:str}", status_code=200)
    async def deliver(
        self,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        kind: FromPath[str],
        source: FromPath[str],
    ) -> Response[JsonObject]:
        """One delivery; the answer comes after all that it starts is durable."""
        return await _deliver(ports, request, kind, source)

    @post("/{kind:str}", status_code=200)
    async def deliver_of_its_source(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], kind: FromPath[str]
    ) -> Response[JsonObject]:
        """One delivery whose body says its source."""
        return await _deliver(ports, request, kind, "")


async def _deliver(ports: WebPorts, request: Request[Any, Any, Any], kind: str, source: str) -> Response[JsonObject]:
    headers: dict[str, list[str]] = {}
    for name, value in request.scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    answer = await ports.services.intake.deliver(
        Delivery(
            type=kind,
            source=source,
            headers=headers,
            raw=await request.body(),
            received_at=ports.services.clock.now(),
            address=address_of(request),
        )
    )
    return Response(answer.body, status_code=answer.status)
