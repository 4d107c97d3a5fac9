"""Balancing: the order in which a load balancer gives requests to instances, so that shares are exact. Pure.

A table is a list of addresses that is gone through round and round. It is as short as exactness allows, so that
the split holds over short stretches too: weights 80/10/10 on three instances give a table of ten. Within the table
an address's turns are spread evenly (smooth weighted round-robin, as nginx does it).
"""

from collections.abc import Iterable, Mapping

from gennaker.interfaces import traffic
from gennaker.interfaces.traffic import Shares

LONGEST = 1000
"""A longer table would cost more than its last digit of exactness is worth; parts are rounded then."""


def table(shares: Shares, longest: int = LONGEST) -> tuple[str, ...]:
    """The order of addresses; empty where nothing can serve. No address with a positive weight is left out.

    Where an exact table would be longer than `longest` it has exactly that length, and the parts are rounded to it.
    """
    parts = traffic.turns(shares)
    if not parts:
        return ()
    if sum(parts.values()) > longest:
        parts = traffic.rounded(parts, longest)
    return _spread(parts)


def fitted(shares: Shares, sizes: Iterable[int]) -> tuple[str, ...] | None:
    """The best table that can be repeated to one of these sizes: exact if there is one, else rounded to the largest.

    None: there are more addresses than any size has room for, or no sizes.
    """
    exact, known = table(shares), sorted(sizes)
    if any(size % len(exact) == 0 for size in known):
        return exact
    if not known or known[-1] < len(set(exact)):
        return None
    # A hundred slots split percentages exactly, whatever the instances' parts are.
    best = 100 if 100 in known and len(set(exact)) <= 100 else known[-1]
    return _spread(traffic.rounded(traffic.turns(shares), best))


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
