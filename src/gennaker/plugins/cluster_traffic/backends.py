"""Backends: the Services and EndpointSlices that stand for the server groups behind a route.

Each server group that serves has a Service without a selector, and slices that hold exactly the addresses of its share: so one
instance can be taken out, whatever labels its pod has. A slice has one port number and one family of addresses. Where
nobody serves there is a Service with nothing behind it: for that controllers answer 503, for a route without backends 500.
"""

import hashlib
import ipaddress
import re
from collections.abc import Mapping

import msgspec

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.traffic import Shares
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused

OWNER = "gennaker.io/load-balancer"
"""Label of what is made for a load balancer."""
SERVICE_OF_SLICE = "kubernetes.io/service-name"
PORT = 80
"""Of the Services; the instances' own ports stand in the slices."""
PORT_NAME = "http"
SLICES = "discovery.k8s.io/v1"
_GROUP = "gennaker.io/server-group"
_MANAGED_BY = "gennaker"
_LEGIBLE = 52
_HASHED = 8
_IN_A_SLICE = 100
"""As many as Kubernetes itself puts into one."""
_IPV6 = 6
_NOBODY_SERVES = "nobody"
_ROUTED = "routed"


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """A Service of ours, and what is behind it."""

    name: str
    key: str
    """Of the server group; empty: nobody serves."""
    weight: int
    addresses: tuple[str, ...]
    routes: Routes = Routes()
    """What comes to it beside the weights; then it is a Service of its own, and has no part of what is split."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """All that a route hands requests to."""

    split: tuple[Backend, ...]
    """By weight; never empty."""
    routed: tuple[Backend, ...] = ()
    """By header or cookie, or copies."""

    @property
    def all(self) -> tuple[Backend, ...]:
        """Both."""
        return (*self.split, *self.routed)

    @property
    def names(self) -> "Names":
        """Of the Services."""
        return Names(split=tuple(one.name for one in self.split), routed=tuple(one.name for one in self.routed))


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Of the Services that a route has from us."""

    split: tuple[str, ...] = ()
    routed: tuple[str, ...] = ()

    @property
    def all(self) -> frozenset[str]:
        """Both."""
        return frozenset((*self.split, *self.routed))


def served(load_balancer: str, shares: Shares) -> Served:
    """Who is to get requests."""
    routed = tuple(
        Backend(
            name=name(load_balancer, key, _ROUTED), key=key, weight=1, addresses=share.addresses, routes=share.routes
        )
        for key, share in sorted(shares.items())
        if share.routes.needs and share.addresses
    )
    return Served(split=of_shares(load_balancer, shares), routed=routed)


def of_shares(load_balancer: str, shares: Shares) -> tuple[Backend, ...]:
    """Those that get requests, at least one: without anybody to serve one with nothing behind it."""
    found = tuple(
        Backend(name=name(load_balancer, key), key=key, weight=share.weight, addresses=share.addresses)
        for key, share in sorted(shares.items())
        if share.weight > 0 and share.addresses
    )
    return found or (Backend(name=name(load_balancer, ""), key="", weight=1, addresses=()),)


def name(load_balancer: str, key: str, purpose: str = "") -> str:
    """Of a server group's Service, also a DNS label: legible, and of its own by a hash. `purpose`: where it has a second one."""
    group = traffic.name_of(key) if key else _NOBODY_SERVES
    legible = group if group.startswith(load_balancer) else f"{load_balancer}-{group}"
    return _label(legible, load_balancer, key, *([purpose] if purpose else []))


def owner(load_balancer: str) -> str:
    """Value of the label of all that is a load balancer's."""
    return _label(load_balancer, load_balancer)


def service(backend: Backend, load_balancer: str) -> JsonObject:
    """Its Service."""
    port: JsonObject = {"name": PORT_NAME, "port": PORT, "protocol": "TCP", "targetPort": PORT}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": backend.name,
            "labels": labels(load_balancer),
            **({"annotations": {_GROUP: backend.key}} if backend.key else {}),
        },
        "spec": {"ports": [port]},
    }


def slices(backend: Backend, load_balancer: str, pods: Mapping[str, JsonObject]) -> dict[str, JsonObject]:
    """Its EndpointSlices by name. `pods`: references to pods by address, of those that are known. Raises Refused."""
    by_kind: dict[tuple[int, int], list[str]] = {}
    for address in backend.addresses:
        host, port = _read(address)
        by_kind.setdefault((host.version, port), []).append(str(host))
    found: dict[str, JsonObject] = {}
    for (family, port), listed in sorted((by_kind or {(4, PORT): []}).items()):
        for first in range(0, max(1, len(listed)), _IN_A_SLICE):
            number = first // _IN_A_SLICE
            own = f"{backend.name}-{port}{'-ipv6' if family == _IPV6 else ''}{f'-{number}' if number else ''}"
            endpoints: list[Json] = [_endpoint(host, pods) for host in listed[first : first + _IN_A_SLICE]]
            found[own] = _slice(own, backend, load_balancer, family=family, port=port, endpoints=endpoints)
    return found


def hosts(one: JsonObject) -> list[str]:
    """The addresses in a slice."""
    return [
        foreign.text(address)
        for endpoint in foreign.mappings_at(one, "endpoints")
        for address in foreign.items(endpoint.get("addresses"))
    ]


def ports(one: JsonObject) -> list[Json]:
    """Where its addresses are reached."""
    return [each.get("port") for each in foreign.mappings_at(one, "ports")]


def states(one: JsonObject) -> dict[str, Health]:
    """By address with port: Up what is ready, which is also what doesn't say (the field's own default)."""
    found: dict[str, Health] = {}
    for port in ports(one):
        for endpoint in foreign.mappings_at(one, "endpoints"):
            conditions = foreign.mapping(endpoint.get("conditions"))
            state = Health.DOWN if conditions.get("ready") is False else Health.UP
            if conditions.get("terminating") is True:
                state = Health.DRAINING
            for host in map(foreign.text, foreign.items(endpoint.get("addresses"))):
                found[f"[{host}]:{port}" if ":" in host else f"{host}:{port}"] = state
    return found


def service_of(one: JsonObject) -> str:
    """The name of a slice's Service."""
    labels = foreign.mapping(foreign.mapping(one.get("metadata")).get("labels"))
    return foreign.text_at(labels, SERVICE_OF_SLICE)


def refuse_names(shares: Shares) -> None:
    """Raises Refused for an instance's address that can't stand in a slice."""
    for share in shares.values():
        for address in share.addresses:
            _read(address)


def _slice(
    own: str, backend: Backend, load_balancer: str, *, family: int, port: int, endpoints: list[Json]
) -> JsonObject:
    return {
        "apiVersion": SLICES,
        "kind": "EndpointSlice",
        "metadata": {
            "name": own,
            "labels": {
                **labels(load_balancer),
                SERVICE_OF_SLICE: backend.name,
                "endpointslice.kubernetes.io/managed-by": _MANAGED_BY,
            },
        },
        "addressType": f"IPv{family}",
        "ports": [{"name": PORT_NAME, "port": port, "protocol": "TCP"}],
        "endpoints": endpoints,
    }


def _endpoint(host: str, pods: Mapping[str, JsonObject]) -> JsonObject:
    endpoint: JsonObject = {"addresses": [host], "conditions": {"ready": True}}
    return {**endpoint, "targetRef": pods[host]} if host in pods else endpoint


def labels(load_balancer: str) -> JsonObject:
    """Of all that is made for it."""
    return {"app.kubernetes.io/managed-by": _MANAGED_BY, OWNER: owner(load_balancer)}


def _label(legible: str, *exact: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", legible.lower()).strip("-")
    stem = plain if re.match("[a-z]", plain) else f"lb-{plain}"
    digest = hashlib.sha256("\n".join(exact).encode()).hexdigest()[:_HASHED]
    return f"{stem[:_LEGIBLE].rstrip('-')}-{digest}"


def _read(address: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    host, _, port = address.rpartition(":")
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError as error:
        raise Refused(_not_an_address(address)) from error
    # What Kubernetes refuses in a slice: it would be another machine's own.
    is_another_s = found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified
    if not (number := foreign.port(port)) or is_another_s:
        raise Refused(_not_an_address(address))
    return found, number


def _not_an_address(address: str) -> Problem:
    return Problem(
        code="cluster_traffic.instance_address",
        message=f"The instance's address {address!r} is not an IP address and port that a cluster's controller can reach.",
        remedy="Deploy behind this load balancer from an account whose instances have addresses of their own, as pods have.",
    )
