"""Traffic providers: load balancers that split traffic among server groups by exact weights, atomically."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Protocol, cast, runtime_checkable

import msgspec

from gennaker.interfaces import routes
from gennaker.interfaces.clouds import Health, Place
from gennaker.interfaces.routes import Routes, Routing
from gennaker.model.problems import Refused


class Share(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server group's part of a load balancer's traffic."""

    weight: int
    """Relative to the other server groups of the load balancer; 0: no new requests."""
    addresses: tuple[str, ...]
    """`host:port` of the instances that can serve; the weight is divided among them evenly."""
    routes: Routes = Routes()
    """What it gets besides; while it has no addresses, those requests are split by weight as all others."""


Shares = Mapping[str, Share]
"""By `key` of the server group."""


class LoadBalancer(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer as it is now."""

    name: str
    address: str
    """`host:port` at which clients reach it."""
    shares: dict[str, Share]
    """By `key` of the server group."""
    is_in_force: bool = True
    """False: these shares were to be, but it isn't known to have them; setting them again does."""


class TrafficProvider(Protocol):
    """What a traffic provider offers. Every operation states a target and may be repeated."""

    @property
    def name(self) -> str:
        """`caddy`, `haproxy`."""
        ...

    @property
    def routing(self) -> frozenset[Routing]:
        """What any of its load balancers can route by."""
        ...

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        """Creates the load balancer if it isn't there, at the address or a free one that it keeps. The address moves none that is."""
        ...

    async def check_routes(self, load_balancer: str, wanted: Sequence[Routes]) -> None:
        """Raises Refused where the load balancer can't do what these need together, each of one server group."""
        ...

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        """Replaces all shares in one atomic switch; no request in flight is cut. Refuses what `check_routes` refuses."""
        ...

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        """What is configured now; None: there is none."""
        ...

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        """Requests under way by instance address, also of addresses that were removed and still drain.

        None: it can't be told. Never 0 for what isn't known: whoever waits would stop an instance that is busy.
        """
        ...

    async def remove(self, load_balancer: str) -> None:
        """Removes the load balancer; removing what isn't there is no error."""
        ...


@runtime_checkable
class TellsHealth(Protocol):
    """A traffic provider that can be asked whom its load balancers send requests to, and what became of that."""

    async def health(self, load_balancer: str) -> Mapping[str, Health]:
        """By address of all that new requests go to now, as the running load balancer has it, not as it should be.

        Up: it gets them. Down: the load balancer has given it up for now. Unknown: it should get them; more can't be told.
        """
        ...


async def health_of(provider: TrafficProvider, load_balancer: str) -> Mapping[str, Health] | None:
    """As `TellsHealth.health`; None: the provider tells nothing. Raises Refused."""
    if not _tells_health(type(provider)):
        return None
    return await cast("TellsHealth", provider).health(load_balancer)


@cache
def _tells_health(kind: type[TrafficProvider]) -> bool:
    return issubclass(kind, TellsHealth)


TrafficProviders = Mapping[str, TrafficProvider]
"""By name."""


def key(place: Place, name: str) -> str:
    """Of a server group: its name says which one it is only in its account and region."""
    return f"{place.account}:{place.region}:{name}"


def name_of(key: str) -> str:
    """The server group's name."""
    return key.rpartition(":")[2]


def account_of(key: str) -> str:
    """The server group's account; empty where the key names none."""
    return key.partition(":")[0] if ":" in key else ""


def refuse_unroutable(provider: TrafficProvider, load_balancer: str, wanted: Iterable[Routes]) -> None:
    """Raises Refused where the provider can't do what these routes need."""
    needed = frozenset[Routing]().union(*(one.needs for one in wanted))
    if not needed <= provider.routing:
        raise Refused(routes.unable(load_balancer, provider.name, needed - provider.routing))


def turns(shares: Shares) -> dict[str, int]:
    """Turns of each address in a round: a group's weight divided evenly among its instances, as small whole numbers."""
    serving = [share for _, share in sorted(shares.items()) if share.weight > 0 and share.addresses]
    instances = math.lcm(*(len(share.addresses) for share in serving)) if serving else 1
    parts: dict[str, int] = {}
    for share in serving:
        for address in share.addresses:
            parts[address] = parts.get(address, 0) + share.weight * instances // len(share.addresses)
    divisor = math.gcd(*parts.values()) if parts else 1
    return {address: part // divisor for address, part in parts.items()}


def rounded(parts: Mapping[str, int], length: int) -> dict[str, int]:
    """Parts that add up to the length, at least one each: the largest remainders are rounded up."""
    total = sum(parts.values())
    found = {address: max(1, part * length // total) for address, part in parts.items()}
    left = length - sum(found.values())
    by_remainder = sorted(parts, key=lambda address: (-(parts[address] * length % total), address))
    for address in by_remainder[: max(0, left)]:
        found[address] += 1
    for _ in range(-left):  # Small parts were rounded up to one: the largest pay for it.
        largest = max(found, key=lambda address: found[address])
        found[largest] -= 1
    return found
