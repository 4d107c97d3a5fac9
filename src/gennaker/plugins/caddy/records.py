"""Records: what is kept about Caddy and its load balancers in Documents."""

import msgspec

from gennaker.interfaces.traffic import LoadBalancer, Share

FIRST_BANKS = (60, 60, 60, 120, 120, 100, 100, 100, 100)
"""Sizes that most tables fit into a whole number of times."""


class BalancerRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A load balancer as it should be."""

    name: str
    address: str
    shares: dict[str, Share] = {}
    banks: tuple[int, ...] = FIRST_BANKS
    """Number of slots of each bank."""
    bank: int | None = None
    """The bank in use; None: nothing can serve."""
    routed: dict[str, int] = {}
    """By key of the server group: the bank for what comes to it by header or cookie."""
    tables: dict[str, tuple[str, ...]] = {}
    """By bank number: the table that its slots were filled with last (repeated until the bank is full)."""

    @property
    def port(self) -> int:
        """The port of its address."""
        return int(self.address.rpartition(":")[2])

    @property
    def banks_in_use(self) -> frozenset[int]:
        """All that requests are sent to."""
        return frozenset((*self.routed.values(), *(() if self.bank is None else (self.bank,))))

    def addresses(self, bank: int) -> tuple[str, ...]:
        """What the bank's slots hold."""
        table = self.tables[str(bank)]
        return table * (self.banks[bank] // len(table))

    def as_seen(self) -> LoadBalancer:
        """As the port shows it."""
        return LoadBalancer(name=self.name, address=self.address, shares=self.shares)


class ProgramRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The Caddy process."""

    admin_port: int
    run: int
    """Number of the folder of its present run; raised before each new start."""
