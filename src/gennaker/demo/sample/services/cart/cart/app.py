"""The cart's routes: quick ones, one that takes its time, one that stays open."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path

from storefront.http import Answer, Request, Response, Stream, Upgrade
from storefront.service import JSON, Identity, Service, identity
from storefront.visits import VisitIds, roll
from storefront.websocket import WebSocket

from cart import behaviour

_LONGEST_SECONDS = 120.0
_PIECE_SECONDS = 0.5
_TICK_SECONDS = 1.0


def create(environment: Mapping[str, str]) -> Service:
    """The cart as the environment says who it is."""
    return Cart(identity("cart", Path(__file__).parents[1], environment)).service


class Cart:
    """The handlers and what they count."""

    def __init__(self, who: Identity) -> None:
        self.service = Service(who, find_trouble=_trouble)
        self._who = who
        self._ids = VisitIds()
        self._visits = self.service.metrics.counter("cart_visits_total", "Carts shown.")
        self.service.routes.add("GET", "/", self._show)
        self.service.routes.add("GET", "/cart", self._show)
        self.service.routes.add("GET", "/slow", self._export)
        self.service.routes.add("GET", "/live", lambda request: Upgrade(self._live))

    def _show(self, request: Request) -> Response:
        visit = self._ids.of(request.parameters().get("visit"))
        if roll(visit, "error") < behaviour.ERROR_PERCENT:
            failed = (("X-Failed-Version", self._who.version),)
            body = json.dumps({"error": "Something broke.", "visit": visit}).encode()
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR, body, JSON, headers=failed)
        self._visits.add()
        return _json(HTTPStatus.OK, {"greeting": behaviour.GREETING, "visit": visit, "items": []})

    def _export(self, request: Request) -> Answer:
        """All that was ever in the cart, line by line, in as many seconds as are asked for."""
        try:
            seconds = float(request.parameters().get("seconds", "1"))
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= _LONGEST_SECONDS:
            return _json(HTTPStatus.BAD_REQUEST, {"error": f"seconds is a number from 0 to {_LONGEST_SECONDS:.0f}."})
        return Stream(_lines(seconds, self._who.version))

    async def _live(self, conversation: WebSocket) -> None:
        """Greets, repeats what is said, and ticks, so that a quiet conversation shows that it lives."""
        conversation.send(f"hello from {self._who.version}")
        ticks = 0
        while conversation.is_open:
            try:
                said = await asyncio.wait_for(conversation.receive(), _TICK_SECONDS)
            except TimeoutError:
                ticks += 1
                conversation.send(f"tick {ticks}")
                continue
            if said is not None:
                conversation.send(f"{self._who.version}: {said}" if isinstance(said, str) else said)


async def _lines(seconds: float, version: str) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        yield f"{version}\n".encode()
        await asyncio.sleep(min(_PIECE_SECONDS, left))
    yield b"done\n"


def _trouble() -> str:
    return "" if behaviour.IS_HEALTHY else "The store of carts can't be reached."


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(status, json.dumps(body).encode(), JSON)
