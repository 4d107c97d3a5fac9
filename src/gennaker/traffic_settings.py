"""Settings of load balancers: the sections `load-balancers`, `traffic` and `traffic-guards`."""

from typing import Annotated

import msgspec
from msgspec import Meta

CLUSTER_PROVIDERS = frozenset({"gateway-api", "ingress-nginx", "istio"})
"""Those whose load balancers are routes in a Kubernetes cluster."""

_WITHOUT_ADDRESS = frozenset({"istio"})
"""Those that don't tell where clients reach a route."""

_USUALLY_SETTLED = 2.0
_SETTLED = {"ingress-nginx": 5.0}
"""Its controller acts on changes once in 3.3 seconds (`--sync-rate-limit`), and its nginx looks for them once a second."""


class LoadBalancerSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A load balancer that pipelines may name."""

    provider: str = "caddy"
    address: str = ""
    """`host:port` on loopback; empty: a free port there, kept from then on. Of a route in a cluster: where clients reach it, any host;
    empty: as its Gateway says."""
    account: str = ""
    """Of a route in a cluster: the Kubernetes account."""
    namespace: str = ""
    """Of the route; empty: the account's own."""
    route: str = ""
    """Name of the HTTPRoute, VirtualService or Ingress; empty: the load balancer's."""
    settle_seconds: Annotated[float, Meta(ge=0, le=60)] | None = None
    """Of a route in a cluster: so long its controller may need to serve by what it has seen (Traefik: `providersThrottleDuration`).
    None: 2, and 5 of ingress-nginx."""

    in_flight_metric: Annotated[str, Meta(pattern=r"^([a-zA-Z_:][a-zA-Z0-9_:]*)?\Z")] = ""
    """Of a route in a cluster: the gauge of each instance's `/metrics` that says how many requests it has under way, without the one
    for `/metrics`; Gennaker must reach the instances. Empty: nobody knows, and draining takes all of its time."""

    @property
    def settled_within(self) -> float:
        """Seconds until its controller serves by what it has seen."""
        return _SETTLED.get(self.provider, _USUALLY_SETTLED) if self.settle_seconds is None else self.settle_seconds

    def __post_init__(self) -> None:
        """Refuses what contradicts itself, while the settings are read."""
        if self.provider in CLUSTER_PROVIDERS:
            if not self.account:
                raise ValueError(f"{self.provider} needs the Kubernetes account that it works with (account)")
            if self.provider in _WITHOUT_ADDRESS and not self.address:
                raise ValueError(f"{self.provider} can't tell where clients reach a route: say it (address)")
        elif self.account or self.namespace or self.route or self.in_flight_metric:
            raise ValueError(
                f"account, namespace, route and in-flight-metric are of routes in a cluster, not of {self.provider}"
            )


class TrafficSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Which traffic provider serves load balancers that have no section of their own."""

    provider: str = "caddy"
    """`caddy`, `envoy`, `haproxy`, `nginx` or `traefik`."""
    accounts: dict[str, str] = {}
    """By account that deploys behind it first: its provider."""
    programs: dict[str, str] = {}
    """By provider: a program of your own; else the one that is installed (for Caddy: `caddy.program`)."""


class TrafficGuardSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What the traffic guards of all applications hold to."""

    min_capacity_ratio: Annotated[float, Meta(ge=0, lt=0.5)] = 0.0
    """More than this part of a guarded cluster's instances in traffic has to stay in it; 0: at least one of them."""
