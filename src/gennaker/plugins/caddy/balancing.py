"""Balancing: the order in which a load balancer gives requests to instances, so that shares are exact. Pure.

A table is a list of addresses that is gone through round and round. It is as short as exactness allows, so that
the split holds over short stretches too: weights 80/10/10 on three instances give a table of ten. Within the table
an address's turns are spread evenly (smooth weighted round-robin, as nginx does it).
"""

import math
from collections.abc import Mapping

from gennaker.interfaces.traffic import Shares

LONGEST = 1000
"""A longer table would cost more than its last digit of exactness is worth; parts are rounded then."""


def table(shares: Shares) -> tuple[str, ...]:
    """The order of addresses; empty where nothing can serve. No address with a positive weight is left out."""
    parts = _parts(shares)
    if not parts:
        return ()
    if sum(parts.values()) > LONGEST:
        parts = _rounded(parts)
    return _spread(parts)


def _parts(shares: Shares) -> dict[str, int]:
    """Turns of each address: a group's weight divided evenly among its instances, as small whole numbers."""
    serving = [share for _, share in sorted(shares.items()) if share.weight > 0 and share.addresses]
    instances = math.lcm(*(len(share.addresses) for share in serving)) if serving else 1
    parts: dict[str, int] = {}
    for share in serving:
        for address in share.addresses:
            parts[address] = parts.get(address, 0) + share.weight * instances // len(share.addresses)
    divisor = math.gcd(*parts.values()) if parts else 1
    return {address: part // divisor for address, part in parts.items()}


def _rounded(parts: Mapping[str, int]) -> dict[str, int]:
    """Parts that add up to at most LONGEST, or one each: the largest remainders are rounded up."""
    total = sum(parts.values())
    rounded = {address: max(1, part * LONGEST // total) for address, part in parts.items()}
    left = LONGEST - sum(rounded.values())
    by_remainder = sorted(parts, key=lambda address: (-(parts[address] * LONGEST % total), address))
    for address in by_remainder[: max(0, left)]:
        rounded[address] += 1
    for _ in range(-left):  # Small parts were rounded up to one: the largest pay for it.
        largest = max(rounded, key=lambda address: rounded[address])
        rounded[largest] -= 1
    return rounded


def _spread(parts: Mapping[str, int]) -> tuple[str, ...]:
    total = sum(parts.values())
    credit = dict.fromkeys(parts, 0)
    order = []
    for _ in range(total):
        for address, part in parts.items():
            credit[address] += part
        chosen = max(credit, key=lambda address: credit[address])
        credit[chosen] -= total
        order.append(chosen)
    return tuple(order)
