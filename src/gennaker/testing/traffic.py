"""A traffic provider in memory: exact shares by turns, requests in flight by hand."""

import itertools
from collections import Counter
from collections.abc import Mapping

from gennaker.interfaces.traffic import LoadBalancer, Share, Shares
from gennaker.model.problems import Problem, Refused


class FakeTraffic:
    """What it knows lies in `state`, so that another object can go on with it as after a restart."""

    name = "fake"

    def __init__(self, state: "dict[str, FakeBalancer]") -> None:
        self._state = state

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        if load_balancer not in self._state:
            port = 10_000 + len(self._state)
            self._state[load_balancer] = FakeBalancer(load_balancer, address or f"127.0.0.1:{port}")
        return self._state[load_balancer].seen()

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        self._known(load_balancer).shares = dict(shares)

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        found = self._state.get(load_balancer)
        return None if found is None else found.seen()

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        found = self._known(load_balancer)
        listed = {address: 0 for share in found.shares.values() for address in share.addresses}
        if not found.is_counting:
            return dict.fromkeys(listed)
        return {**listed, **{address: count for address, count in found.in_flight.items() if count}}

    async def remove(self, load_balancer: str) -> None:
        self._state.pop(load_balancer, None)

    def _known(self, load_balancer: str) -> "FakeBalancer":
        if load_balancer not in self._state:
            raise Refused(Problem(code="load_balancer.unknown", message=f"No {load_balancer}."), status=404)
        return self._state[load_balancer]


class FakeBalancer:
    """One load balancer."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.shares: dict[str, Share] = {}
        self.in_flight: Counter[str] = Counter()
        self.is_counting = True
        """Whether it can tell what is under way."""
        self._turn = itertools.count()

    def seen(self) -> LoadBalancer:
        return LoadBalancer(name=self.name, address=self.address, shares=dict(self.shares))

    def choose(self) -> str | None:
        """The address that gets the next request; None: nobody can serve (503)."""
        weighted = [
            address
            for turn in range(max((share.weight for share in self.shares.values()), default=0))
            for share in self.shares.values()
            if turn < share.weight and share.addresses
            for address in share.addresses[turn % len(share.addresses) :][:1]
        ]
        return weighted[next(self._turn) % len(weighted)] if weighted else None
