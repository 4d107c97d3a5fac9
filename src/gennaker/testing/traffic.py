"""A traffic provider in memory: exact shares by turns, requests in flight by hand."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routes, Routing
from gennaker.interfaces.traffic import LoadBalancer, Share, Shares
from gennaker.model.problems import Problem, Refused


class FakeTraffic:
    """What it knows lies in `state`, so that another object can go on with it as after a restart."""

    name = "fake"

    def __init__(self, state: "dict[str, FakeBalancer]", routing: frozenset[Routing] = frozenset(Routing)) -> None:
        """`routing`: what it can route by."""
        self._state = state
        self.routing = routing

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        if load_balancer not in self._state:
            port = 10_000 + len(self._state)
            self._state[load_balancer] = FakeBalancer(load_balancer, address or f"127.0.0.1:{port}")
        return self._state[load_balancer].seen()

    async def check_routes(self, load_balancer: str, wanted: Sequence[Routes]) -> None:
        traffic.refuse_unroutable(self, load_balancer, wanted)

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        known = self._known(load_balancer)
        await self.check_routes(load_balancer, [share.routes for share in shares.values()])
        known.shares = dict(shares)

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        found = self._state.get(load_balancer)
        return None if found is None else found.seen()

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        found = self._known(load_balancer)
        listed = {address: 0 for share in found.shares.values() for address in share.addresses}
        if not found.is_counting:
            return dict.fromkeys(listed)
        return {**listed, **{address: count for address, count in found.in_flight.items() if count}}

    async def health(self, load_balancer: str) -> Mapping[str, Health]:
        found = self._known(load_balancer)
        serving = [share for share in found.shares.values() if share.weight or share.routes.has_matches]
        return {
            address: Health.DOWN if address in found.given_up else Health.UP
            for share in serving
            for address in share.addresses
        }

    async def remove(self, load_balancer: str) -> None:
        self._state.pop(load_balancer, None)

    def _known(self, load_balancer: str) -> "FakeBalancer":
        if load_balancer not in self._state:
            raise Refused(Problem(code="load_balancer.unknown", message=f"No {load_balancer}."), status=404)
        return self._state[load_balancer]


_NOTHING: Mapping[str, str] = {}


class FakeBalancer:
    """One load balancer."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.shares: dict[str, Share] = {}
        self.in_flight: Counter[str] = Counter()
        self.is_counting = True
        """Whether it can tell what is under way."""
        self.given_up: set[str] = set()
        """Addresses that it has stopped sending requests to by itself, as others do after checks."""
        self._turn = itertools.count()
        self._copies = itertools.count(1)
        self.copied: Counter[str] = Counter()
        """Copies of requests by address."""

    def seen(self) -> LoadBalancer:
        return LoadBalancer(name=self.name, address=self.address, shares=dict(self.shares))

    def choose(self, headers: Mapping[str, str] = _NOTHING, cookies: Mapping[str, str] = _NOTHING) -> str | None:
        """The address that gets the next request; None: nobody can serve (503). Names of headers in small letters."""
        carried = {(Routing.HEADER, *one) for one in headers.items()} | {
            (Routing.COOKIE, *one) for one in cookies.items()
        }
        for _, share in sorted(self.shares.items()):
            if share.addresses and not carried.isdisjoint(share.routes.matches()):
                return share.addresses[next(self._turn) % len(share.addresses)]
        self._copy()
        weighted = [
            address
            for turn in range(max((share.weight for share in self.shares.values()), default=0))
            for share in self.shares.values()
            if turn < share.weight and share.addresses
            for address in share.addresses[turn % len(share.addresses) :][:1]
        ]
        return weighted[next(self._turn) % len(weighted)] if weighted else None

    def _copy(self) -> None:
        number = next(self._copies)
        for share in self.shares.values():
            percent = share.routes.mirror_percent
            if share.addresses and number * percent // 100 > (number - 1) * percent // 100:
                self.copied[share.addresses[number % len(share.addresses)]] += 1
