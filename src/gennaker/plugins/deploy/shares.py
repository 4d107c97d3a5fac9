"""Shares: who gets how much of a load balancer's traffic, in exact whole numbers. Pure.

A member either has a fixed percentage of all traffic (a canary) or a weight among the members without one. So two
canaries of 10 % get exactly 10 % each however the rest is divided, and when one leaves, its part goes back to the
others without anybody having remembered anything.
"""

import math
from collections.abc import Mapping
from fractions import Fraction

import msgspec
from msgspec.structs import replace

from gennaker.interfaces import traffic
from gennaker.interfaces.routes import Routes

_ALONE = 100
"""Weight of a member that takes all traffic of a load balancer which had none."""


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server group that takes part in a load balancer."""

    application: str
    account: str
    region: str
    cloud_provider: str
    weight: int = 0
    """Relative to the others without a percentage; 0: no new requests."""
    percent: float | None = None
    """Exactly this part of all traffic; then `weight` doesn't count."""
    routes: Routes = Routes()
    """What it gets besides."""
    limit: int | None = None
    """Only that many instances, the oldest, get requests: the others are about to be stopped."""

    @property
    def takes_traffic(self) -> bool:
        """It gets new requests."""
        return self.percent is not None or self.weight > 0 or self.routes.has_matches


Members = Mapping[str, Member]
"""By key of the server group (`interfaces.traffic.key`)."""


class TooMuch(ValueError):
    """The fixed percentages together leave nothing for the others."""


class RouteTaken(ValueError):
    """Another member has the same route."""


def weights(members: Members) -> dict[str, int]:
    """Whole weights in which every percentage is exact, as small as they can be."""
    fixed = {name: Fraction(str(one.percent)) for name, one in members.items() if one.percent is not None}
    free = {name: one.weight for name, one in members.items() if one.percent is None}
    total = sum(free.values())
    if not total:
        return _whole({**{name: Fraction(weight) for name, weight in free.items()}, **fixed})
    left = 100 - sum(fixed.values())
    parts = {name: weight * left for name, weight in free.items()}
    return _whole({**parts, **{name: percent * total for name, percent in fixed.items()}})


def with_percent(members: Members, name: str, percent: float) -> dict[str, Member]:
    """Gives a member exactly this percentage; the rest is divided among the others as before. Raises TooMuch."""
    others = [one for other, one in members.items() if other != name]
    fixed = sum(Fraction(str(one.percent)) for one in others if one.percent is not None) + Fraction(str(percent))
    if not 0 < percent <= 100 or fixed > 100 or (fixed == 100 and any(one.weight for one in others)):
        raise TooMuch(f"{percent:g} % can't be given: fixed percentages would add up to {float(fixed):g} %")
    return {**members, name: replace(members[name], percent=percent, weight=0, limit=None)}


def refuse_taken(others: Members, routes: Routes) -> None:
    """Raises RouteTaken where one of them has one of these routes, or already gets copies."""
    for other, one in others.items():
        for kind, header, value in sorted(set(routes.matches()) & set(one.routes.matches())):
            raise RouteTaken(f"requests with the {kind} {header}={value} go to {traffic.name_of(other)} already")
        if routes.mirror_percent and one.routes.mirror_percent:
            raise RouteTaken(f"copies of requests go to {traffic.name_of(other)} already")


def with_routes(members: Members, name: str, routes: Routes) -> dict[str, Member]:
    """Gives a member these routes, and nothing else. Raises RouteTaken where another has one of them."""
    refuse_taken({other: one for other, one in members.items() if other != name}, routes)
    return {**members, name: replace(members[name], routes=routes)}


def with_part(members: Members, name: str, percent: float | None, routes: Routes) -> dict[str, Member]:
    """Gives a member routes, and a percentage unless it is None. Raises RouteTaken, TooMuch."""
    routed = with_routes(members, name, routes)
    return routed if percent is None else with_percent(routed, name, percent)


def redistributed(members: Members, portions: Mapping[str, int | Fraction]) -> dict[str, Member]:
    """Divides what the named members have together in these proportions; what others get stays the same."""
    named = {name: Fraction(portion) for name, portion in portions.items() if name in members}
    asked = sum(named.values(), Fraction())
    others = {name: one.weight for name, one in members.items() if name not in named}
    before = sum(members[name].weight for name in named)
    total = before or max(others.values(), default=0) or _ALONE
    scaled = {name: weight * (asked or 1) for name, weight in others.items()}
    parts = _whole({**{n: Fraction(w) for n, w in scaled.items()}, **{n: total * p for n, p in named.items()}})
    return {
        name: replace(one, weight=parts[name], percent=None if name in named else one.percent)
        for name, one in members.items()
    }


def joined(members: Members, name: str, size: int, sizes: Mapping[str, int]) -> dict[str, Member]:
    """Lets a member take part as its number of instances says, beside those that serve without a percentage."""
    serving = {other: one for other, one in members.items() if other != name and one.weight > 0 and one.percent is None}
    total = sum(one.weight for one in serving.values())
    instances = sum(max(1, sizes.get(other, 1)) for other in serving)
    if not serving:
        return {**members, name: replace(members[name], weight=_ALONE, percent=None, limit=None)}
    parts = _whole(
        {
            **{other: Fraction(one.weight * instances) for other, one in serving.items()},
            name: Fraction(total * max(1, size)),
        }
    )
    return {
        other: replace(one, weight=parts[other], percent=None) if other in parts else one
        for other, one in members.items()
    }


def without_traffic(members: Members, names: frozenset[str]) -> dict[str, Member]:
    """Takes all traffic from these members; the others share it as they shared the rest."""
    return {
        name: replace(one, weight=0, percent=None, limit=None, routes=Routes()) if name in names else one
        for name, one in members.items()
    }


def _whole(parts: Mapping[str, Fraction | int]) -> dict[str, int]:
    fractions = {name: Fraction(part) for name, part in parts.items()}
    multiple = math.lcm(*(part.denominator for part in fractions.values())) if fractions else 1
    whole = {name: int(part * multiple) for name, part in fractions.items()}
    divisor = math.gcd(*whole.values()) or 1
    return {name: part // divisor for name, part in whole.items()}
