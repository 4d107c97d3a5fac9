"""Settings of load balancers: the sections `load-balancers` and `traffic`."""

from typing import Annotated

import msgspec
from msgspec import Meta

CLUSTER_PROVIDERS = frozenset({"gateway-api", "ingress-nginx", "istio"})
"""Those whose load balancers are routes in a Kubernetes cluster."""

_WITHOUT_ADDRESS = frozenset({"istio"})
"""Those that don't tell where clients reach a route."""


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
    settle_seconds: Annotated[float, Meta(ge=0, le=60)] = 2.0
    """Of a route in a cluster: so long its controller may need to serve by what it has seen (Traefik: `providersThrottleDuration`)."""

    def __post_init__(self) -> None:
        """Refuses what contradicts itself, while the settings are read."""
        if self.provider in CLUSTER_PROVIDERS:
            if not self.account:
                raise ValueError(f"{self.provider} needs the Kubernetes account that it works with (account)")
            if self.provider in _WITHOUT_ADDRESS and not self.address:
                raise ValueError(f"{self.provider} can't tell where clients reach a route: say it (address)")
        elif self.account or self.namespace or self.route:
            raise ValueError(f"account, namespace and route are of routes in a cluster, not of {self.provider}")


class TrafficSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Which traffic provider serves load balancers that have no section of their own."""

    provider: str = "caddy"
    """`caddy`, `envoy`, `haproxy`, `nginx` or `traefik`."""
    accounts: dict[str, str] = {}
    """By account that deploys behind it first: its provider."""
    programs: dict[str, str] = {}
    """By provider: a program of your own; else the one that is installed (for Caddy: `caddy.program`)."""
