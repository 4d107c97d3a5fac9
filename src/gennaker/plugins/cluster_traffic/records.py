"""Records: what a route remembers about the load balancer that it is, in an annotation of its own."""

import msgspec

from gennaker.interfaces.traffic import Share, Shares
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode, encode
from gennaker.plugins.cluster_traffic.backends import Names

ANNOTATION = "gennaker.io/traffic"
_MOST_LEFT = 1000
"""Addresses that have lost their share, the newest first: nobody can tell when their requests have ended."""


class RouteRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A load balancer as it should be."""

    load_balancer: str
    shares: dict[str, Share] = {}
    backends: tuple[str, ...] = ()
    """Names of the Services among which the route splits."""
    routed: tuple[str, ...] = ()
    """Of those that get requests or copies beside the weights."""
    left: tuple[str, ...] = ()
    """Addresses that had a share and may still have requests under way."""
    is_switching: bool = False
    """Whether a switch of several steps has begun: shares are those before it."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of all instances that have a share, also one of weight 0."""
        return tuple(dict.fromkeys(address for share in self.shares.values() for address in share.addresses))

    @property
    def names(self) -> Names:
        """Of the Services that the route has from us."""
        return Names(split=self.backends, routed=self.routed)

    def with_shares(self, shares: Shares, names: Names) -> "RouteRecord":
        """With others, remembering who has lost one."""
        after = msgspec.structs.replace(
            self, shares=dict(shares), backends=names.split, routed=names.routed, is_switching=False
        )
        there = set(after.addresses)
        left = tuple(one for one in dict.fromkeys((*self.addresses, *self.left)) if one not in there)
        return msgspec.structs.replace(after, left=left[:_MOST_LEFT])

    def switching_to(self, shares: Shares) -> "RouteRecord":
        """While a switch of several steps is made: whoever gets a share may have requests already."""
        coming = dict.fromkeys(address for share in shares.values() for address in share.addresses)
        left = dict.fromkeys((*(one for one in coming if one not in set(self.addresses)), *self.left))
        return msgspec.structs.replace(self, left=tuple(left), is_switching=True)


def read(route: JsonObject) -> RouteRecord | None:
    """What stands at the route; None: nothing that could be read."""
    annotations = foreign.mapping(foreign.mapping(route.get("metadata")).get("annotations"))
    try:
        return decode(foreign.text_at(annotations, ANNOTATION), RouteRecord)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def written(route: JsonObject, record: RouteRecord | None) -> JsonObject:
    """The route with the record, or without any."""
    metadata = foreign.mapping(route.get("metadata"))
    annotations = dict(foreign.mapping(metadata.get("annotations")))
    if record is None:
        annotations.pop(ANNOTATION, None)
    else:
        annotations[ANNOTATION] = encode(record).decode()
    return {**route, "metadata": {**metadata, "annotations": annotations}}
