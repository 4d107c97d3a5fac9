"""A service: who it is, what all services answer, and how its process starts and ends.

The environment says: PORT and HOST (default 127.0.0.1:8080), GENNAKER_SERVER_GROUP, GENNAKER_VERSION (default: the
file VERSION), GENNAKER_INSTANCE, GENNAKER_IMAGE_DIGEST, DRAIN_SECONDS (default 35: how long requests under way may take
after SIGTERM).
"""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import storefront
from storefront.http import Request, Response
from storefront.metrics import CONTENT_TYPE, Registry
from storefront.server import USUAL, Routes, Server, Timing

log = logging.getLogger("storefront")
JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which instance of what this is."""

    service: str
    version: str
    server_group: str = "none"
    instance: str = "0"
    digest: str = ""
    """Of the image; empty where the environment doesn't tell."""


def identity(service: str, root: Path, environment: Mapping[str, str]) -> Identity:
    """From the environment and the file VERSION in `root`: the service's folder, or the image's."""
    file = root / "VERSION"
    packed = file.read_text().strip() if file.is_file() else "0.0.0"
    return Identity(
        service=service,
        version=environment.get("GENNAKER_VERSION") or packed,
        server_group=environment.get("GENNAKER_SERVER_GROUP") or "none",
        instance=environment.get("GENNAKER_INSTANCE") or "0",
        digest=environment.get("GENNAKER_IMAGE_DIGEST", ""),
    )


class Service:
    """What all services have: identity, metrics, and the routes /healthz, /ready, /version and /metrics."""

    def __init__(self, who: Identity, *, find_trouble: Callable[[], str] = lambda: "") -> None:
        """`find_trouble`: what keeps the service from its work, in a sentence; empty: nothing."""
        self.who = who
        self.metrics = Registry()
        self.routes = Routes()
        self._find_trouble = find_trouble
        self._requests = self.metrics.counter("http_requests_total", "Requests answered.", "status", "route")
        self._seconds = self.metrics.histogram("http_request_seconds", "Time until the answer was written.", "route")
        self.metrics.add_process()
        self._texts: dict[int, str] = {}
        self.routes.add("GET", "/healthz", self._healthz)
        self.routes.add("GET", "/ready", self._ready)
        self.routes.add("GET", "/version", self._version)
        self.routes.add("GET", "/metrics", self._metrics)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """On every answer: who gave it."""
        return (
            ("Server", f"storefront/{storefront.__version__}"),
            (f"X-{self.who.service.capitalize()}-Version", self.who.version),
            ("X-Server-Group", self.who.server_group),
        )

    def server(self, timing: Timing = USUAL) -> Server:
        """A server for the routes."""
        return Server(self.routes, headers=self.headers(), observe=self.observe, timing=timing)

    def observe(self, status: int, route: str, seconds: float) -> None:
        """Counts an answer."""
        text = self._texts.get(status) or self._texts.setdefault(status, str(status))
        self._requests.add(text, route)
        self._seconds.observe(seconds, route)

    def _facts(self, **more: str) -> bytes:
        who = self.who
        facts = {"service": who.service, "version": who.version, "serverGroup": who.server_group}
        return json.dumps({**more, **facts, "instance": who.instance, "digest": who.digest}).encode() + b"\n"

    def _healthz(self, request: Request) -> Response:
        """Whether the service can do its work, whatever it needs for it included."""
        trouble = self._find_trouble()
        if trouble:
            return Response(500, self._facts(status="failing", reason=trouble), JSON)
        return Response(200, self._facts(status="ok"), JSON)

    def _ready(self, request: Request) -> Response:
        """Whether the process takes requests."""
        return Response(200, self._facts(status="ready"), JSON)

    def _version(self, request: Request) -> Response:
        return Response(200, self._facts(library=storefront.__version__), JSON)

    def _metrics(self, request: Request) -> Response:
        return Response(200, self.metrics.text().encode(), CONTENT_TYPE)


def run(service: Service, environment: Mapping[str, str]) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        host, port, drain = _place(environment)
        return asyncio.run(_serve(service, host, port, drain))
    except ValueError as error:
        log.error("PORT and DRAIN_SECONDS must be numbers: %s", error)
    except OSError as error:
        log.error("cannot listen: %s", error)
    return 2


def _place(environment: Mapping[str, str]) -> tuple[str, int, float]:
    port, drain = environment.get("PORT", "8080"), environment.get("DRAIN_SECONDS", "35")
    return environment.get("HOST", "127.0.0.1"), int(port), float(drain)


async def _serve(service: Service, host: str, port: int, drain_seconds: float) -> int:
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end.set)
    server = service.server()
    bound = await server.start(host, port)
    who = service.who
    log.info("%s %s of %s listens on %s:%d", who.service, who.version, who.server_group, host, bound)
    await told_to_end.wait()
    log.info("ends; %d connections", len(server.connections))
    cut_off = await server.stop(drain_seconds)
    log.info("has ended; %d connections cut off", cut_off)
    return 0 if cut_off == 0 else 1
