"""The shop's routes."""

import json
import os
import zlib

from storefront.http_server import Application, Request, Response
from storefront.metrics import Metrics

from shop import behaviour


def create(version: str, server_group: str) -> Application:
    """The application of this version."""
    metrics = Metrics()
    application = Application(metrics, {"X-Shop-Version": version, "X-Server-Group": server_group})
    visits = _Visits()

    def page(_: Request) -> Response:
        number = visits.next()
        if fails(number):
            return _failure(version)
        metrics.count("shop_visits_total")
        offer = f"/orders?visit={number}" if offers(number) else None
        return _json(200, {"headline": behaviour.HEADLINE, "visit": number, "buy": offer})

    def order(request: Request) -> Response:
        number = visits.next()
        if fails(number):
            return _failure(version)
        if not request.query.get("visit", "").isdigit():
            return _json(400, {"error": "an order names its visit"})
        metrics.count("shop_orders_total")
        return _json(201, {"ordered": True, "visit": int(request.query["visit"])})

    def health(_: Request) -> Response:
        status = 200 if behaviour.IS_HEALTHY else 500
        return _json(status, {"status": "UP" if behaviour.IS_HEALTHY else "DOWN", "version": version})

    application.handlers = {
        ("GET", "/"): page,
        ("POST", "/orders"): order,
        ("GET", "/healthz"): health,
        ("GET", "/version"): lambda _: _json(200, {"version": version, "serverGroup": server_group}),
        ("GET", "/metrics"): lambda _: Response(200, metrics.text().encode(), "text/plain; version=0.0.4"),
    }
    return application


def offers(visit: int) -> bool:
    """Whether the page of this visit offers something that the visitor buys."""
    return _share(visit, "offer") < behaviour.OFFER_PERCENT


def fails(number: int) -> bool:
    """Whether this request fails."""
    return _share(number, "error") < behaviour.ERROR_PERCENT


class _Visits:
    """Numbers of this process, not the same as its neighbours'."""

    def __init__(self) -> None:
        self._last = os.getpid() * 1_000_003

    def next(self) -> int:
        self._last += 1
        return self._last


def _share(number: int, salt: str) -> float:
    """A number from 0 to below 100 that looks like chance and is always the same."""
    return (zlib.crc32(f"{salt}/{number * 2654435761}".encode()) % 10_000) / 100


def _failure(version: str) -> Response:
    return Response(500, b'{"error":"something broke"}', headers={"X-Failed-Version": version})


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(status, json.dumps(body).encode())
