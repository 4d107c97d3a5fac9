"""The cart's routes: quick ones, one that takes its time, one that stays open."""

import asyncio
import json
from collections.abc import AsyncIterator

from storefront import websocket
from storefront.http_server import Application, Request, Response
from storefront.metrics import Metrics

from cart import behaviour

_MOST_SECONDS = 60.0
_TICK_SECONDS = 0.5


def create(version: str, server_group: str) -> Application:
    """The application of this version."""
    metrics = Metrics()
    application = Application(metrics, {"X-Cart-Version": version, "X-Server-Group": server_group})

    def cart(_: Request) -> Response:
        metrics.count("cart_visits_total")
        return _json(200, {"greeting": behaviour.GREETING, "items": []})

    def slow(request: Request) -> Response:
        try:
            seconds = min(float(request.query.get("seconds", "1")), _MOST_SECONDS)
        except ValueError:
            return _json(400, {"error": "seconds is no number"})
        return Response(200, stream=_ticks(seconds, version), content_type="text/plain")

    def health(_: Request) -> Response:
        status = 200 if behaviour.IS_HEALTHY else 500
        return _json(status, {"status": "UP" if behaviour.IS_HEALTHY else "DOWN", "version": version})

    async def live(connection: websocket.Connection) -> None:
        connection.send(f"hello from {version}")
        while True:
            connection.send(f"{version}: {await connection.receive()}")

    application.handlers = {
        ("GET", "/"): cart,
        ("GET", "/cart"): cart,
        ("GET", "/slow"): slow,
        ("GET", "/healthz"): health,
        ("GET", "/version"): lambda _: _json(200, {"version": version, "serverGroup": server_group}),
        ("GET", "/metrics"): lambda _: Response(200, metrics.text().encode(), "text/plain; version=0.0.4"),
    }
    application.sockets = {"/live": live}
    return application


async def _ticks(seconds: float, version: str) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        yield f"{version}\n".encode()
        await asyncio.sleep(min(_TICK_SECONDS, left))
    yield b"done\n"


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(status, json.dumps(body).encode())
