"""Records: what is kept about a load balancer and the process that serves it."""

import msgspec

from gennaker.interfaces import traffic
from gennaker.interfaces.traffic import LoadBalancer, Share


class ProxyRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A load balancer as it should be."""

    name: str
    address: str
    shares: dict[str, Share] = {}
    run: int = 1
    """Number of the folder of its process; raised before each new start."""
    leaving: tuple[str, ...] = ()
    """Addresses without a share any more that may still have requests under way."""

    @property
    def host(self) -> str:
        """The host of its address."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of its address."""
        return int(self.address.rpartition(":")[2])

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of all instances that have a share, also one of weight 0."""
        return tuple(dict.fromkeys(address for share in self.shares.values() for address in share.addresses))

    def as_seen(self) -> LoadBalancer:
        """As the port shows it."""
        return LoadBalancer(name=self.name, address=self.address, shares=self.shares)

    @property
    def routed(self) -> tuple[tuple[str, Share], ...]:
        """Server groups that get requests by header or cookie and can serve them, by key, in order."""
        return tuple(
            (key, share) for key, share in sorted(self.shares.items()) if share.routes.has_matches and share.addresses
        )

    @property
    def mirror(self) -> Share | None:
        """The server group that gets copies, if there is one that can serve."""
        return next((one for one in self.shares.values() if one.routes.mirror_percent and one.addresses), None)

    def weights(self, largest: int) -> dict[str, int]:
        """The weight of each address that is to get requests: exact where no weight has to be larger than that."""
        found = traffic.turns(self.shares)
        most = max(found.values(), default=0)
        return found if most <= largest else traffic.rounded(found, sum(found.values()) * largest // most)


def in_traffic(record: ProxyRecord) -> frozenset[str]:
    """Addresses that are to get new requests, by weight or by routes."""
    routed = (address for _, share in record.routed for address in share.addresses)
    return frozenset((*traffic.turns(record.shares), *routed))


def resting(record: ProxyRecord) -> tuple[str, ...]:
    """Addresses that get no new requests and may still have some under way."""
    serving = traffic.turns(record.shares)
    return tuple(dict.fromkeys(one for one in (*record.addresses, *record.leaving) if one not in serving))
