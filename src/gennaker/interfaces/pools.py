"""Pools: which instances load balancers send requests to, and what that says of the instances' health.

What a load balancer doesn't tell is Unknown, which counts neither for nor against an instance.
"""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from gennaker.interfaces import health, traffic
from gennaker.interfaces.clouds import Health, HealthSource, Instance, ServerGroup
from gennaker.interfaces.traffic import Shares, TrafficProvider
from gennaker.model.problems import Refused

WITHIN_SECONDS = 2.0
"""Longer nobody waits for a load balancer's word."""


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer's."""

    shares: Shares
    """As they should be."""
    states: Mapping[str, Health] | None
    """By address of all that get requests; None: it isn't known."""


Pools = Mapping[str, Pool]
"""By load balancer."""


class Silences:
    """Load balancers that don't answer now: each silence is told once, however often it is asked meanwhile."""

    def __init__(self) -> None:
        self._silent: set[str] = set()

    def begins(self, load_balancer: str) -> bool:
        """Whether it has answered until now."""
        is_new = load_balancer not in self._silent
        self._silent.add(load_balancer)
        return is_new

    def ends(self, load_balancer: str) -> None:
        """It has answered."""
        self._silent.discard(load_balancer)


async def find(provider: TrafficProvider, load_balancer: str) -> Pool | None:
    """The pool as it is now; None: the provider has no such load balancer. Raises Refused where what is to be behind it isn't known."""
    described = await provider.describe(load_balancer)
    if described is None:
        return None
    try:
        states = await traffic.health_of(provider, load_balancer)
    except Refused:  # it has no word on its instances' health, which is what None says
        states = None
    return Pool(shares=described.shares, states=states)


def judged(group: ServerGroup, pools: Pools) -> ServerGroup:
    """The server group, its instances' health with what their load balancers say."""
    return replace(group, instances=tuple(_judged(group, one, pools) for one in group.instances))


def said(group: ServerGroup, one: Instance, pools: Pools) -> HealthSource | None:
    """What all load balancers together say of an instance; None: none of them is to send it requests.

    OutOfService: it is one of a server group that gets requests, and gets none.
    """
    key = traffic.key(group.place, group.name)
    states: dict[str, Health] = {}
    for name in group.load_balancers:
        share = pools[name].shares.get(key) if name in pools else None
        if share is None or not (share.weight or share.routes.has_matches):
            continue
        known = pools[name].states
        states[name] = Health.UNKNOWN if known is None else known.get(one.address or "", Health.OUT_OF_SERVICE)
    if not states:
        return None
    order = (Health.DOWN, Health.OUT_OF_SERVICE, Health.UP, Health.UNKNOWN)
    state = next((each for each in order if each in states.values()), Health.UNKNOWN)
    reason = "; ".join(f"{name}: {_WORDS.get(each, each.value)}" for name, each in states.items())
    return HealthSource(type=health.LOAD_BALANCER, state=state, reason=reason)


_WORDS = {
    Health.UP: "gets requests",
    Health.DOWN: "given up by the load balancer, whose requests it didn't take",
    Health.OUT_OF_SERVICE: "gets no requests",
    Health.UNKNOWN: "not known",
}


def sources(group: ServerGroup, one: Instance) -> tuple[HealthSource, ...]:
    """What an instance's health was made of; never empty."""
    return one.sources or (
        HealthSource(type=group.cloud_provider, state=one.health, is_platform=True, reason=one.health_reason),
    )


def _judged(group: ServerGroup, one: Instance, pools: Pools) -> Instance:
    found = said(group, one, pools)
    if found is None:
        return one
    state = health.with_load_balancer(one.health, found.state)
    return replace(
        one,
        health=state,
        health_reason=one.health_reason if state is one.health else found.reason,
        sources=(*sources(group, one), found),
    )
