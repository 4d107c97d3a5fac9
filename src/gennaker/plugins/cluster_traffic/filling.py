"""Filling: makes Services and slices so that they hold what they should, and sees whether they still do."""

import asyncio
from collections.abc import Mapping

import msgspec

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.traffic import Shares
from gennaker.model.codec import JsonObject
from gennaker.plugins.cluster_traffic import backends
from gennaker.plugins.cluster_traffic.backends import Backend
from gennaker.plugins.cluster_traffic.objects import Objects
from gennaker.plugins.cluster_traffic.places import Place

_LOOKS_EVERY_SECONDS = 10.0


class There(msgspec.Struct, frozen=True, kw_only=True):
    """What a load balancer has."""

    services: Mapping[str, JsonObject]
    slices: Mapping[str, JsonObject]

    def hosts(self, service: str) -> frozenset[str]:
        """Addresses behind a Service."""
        return frozenset(
            host for one in self.slices.values() if backends.service_of(one) == service for host in backends.hosts(one)
        )


class Filled(msgspec.Struct, frozen=True):
    """What has been done."""

    is_new: bool = False
    """A Service or slice is there that wasn't."""
    is_other: bool = False
    """Anything is other than it was."""

    def __or__(self, other: "Filled") -> "Filled":
        """Both together."""
        return Filled(self.is_new or other.is_new, self.is_other or other.is_other)


async def there(place: Place) -> There:
    """Raises Refused."""
    return There(
        services=await place.objects.list("v1", "services", place.selector),
        slices=await place.objects.list(backends.SLICES, "endpointslices", place.selector),
    )


def health(found: There, shares: Shares) -> dict[str, Health]:
    """By address of those with a share that stand in a slice: whether the cluster sends requests there."""
    routed = {
        address for share in shares.values() if share.weight or share.routes.has_matches for address in share.addresses
    }
    states = {address: state for one in found.slices.values() for address, state in backends.states(one).items()}
    return {address: state for address, state in states.items() if address in routed}


async def pods(objects: Objects, wanted: tuple[Backend, ...], found: There) -> Mapping[str, JsonObject]:
    """References to pods by address, where any address has no slice yet. Raises Refused."""
    known = {host for one in found.slices.values() for host in backends.hosts(one)}
    hosts = {address.rpartition(":")[0].strip("[]") for one in wanted for address in one.addresses}
    return await objects.pods() if hosts - known else {}


async def fill(place: Place, backend: Backend, found: There, references: Mapping[str, JsonObject]) -> Filled:
    """Makes one backend what it should be; it is never without anybody who serves. Raises Refused."""
    is_new = is_other = False
    if backend.name not in found.services:
        await place.objects.apply("services", backends.service(backend, place.load_balancer))
        is_new = True
    wanted = backends.slices(backend, place.load_balancer, references)
    for name, one in wanted.items():
        if _is_other(found.slices.get(name), one):
            await place.objects.apply("endpointslices", one)
            is_new, is_other = is_new or name not in found.slices, True
    for name, one in found.slices.items():
        if backends.service_of(one) == backend.name and name not in wanted:
            await place.objects.delete(backends.SLICES, "endpointslices", name)
            is_other = True
    return Filled(is_new, is_new or is_other)


class Looks:
    """When load balancers' parts were last found well: now and then is enough, as only somebody from outside takes them away."""

    def __init__(self) -> None:
        """None were."""
        self._well_at: dict[str, float] = {}

    def is_due(self, load_balancer: str) -> bool:
        """Whether it is time to look; until they are well it always is."""
        last = self._well_at.get(load_balancer)
        return last is None or asyncio.get_running_loop().time() - last >= _LOOKS_EVERY_SECONDS

    def are_well(self, load_balancer: str) -> None:
        """All parts were there."""
        self._well_at[load_balancer] = asyncio.get_running_loop().time()

    def forget(self, load_balancer: str) -> None:
        """They were taken away."""
        self._well_at.pop(load_balancer, None)


def lacks(place: Place, wanted: tuple[Backend, ...], found: There) -> bool:
    """Whether a Service or slice of these isn't there or holds others."""
    for backend in wanted:
        slices = backends.slices(backend, place.load_balancer, {})
        if backend.name not in found.services or any(
            _is_other(found.slices.get(name), one) for name, one in slices.items()
        ):
            return True
    return False


def _is_other(found: JsonObject | None, wanted: JsonObject) -> bool:
    """Whether a slice isn't there, or has other hosts or another port."""
    if found is None:
        return True
    return backends.hosts(found) != backends.hosts(wanted) or backends.ports(found) != backends.ports(wanted)


async def clear(place: Place, staying: frozenset[str]) -> None:
    """Deletes all Services of the load balancer but these, and their slices. Raises Refused."""
    found = await there(place)
    for name, one in found.slices.items():
        if backends.service_of(one) not in staying:
            await place.objects.delete(backends.SLICES, "endpointslices", name)
    for name in found.services:
        if name not in staying:
            await place.objects.delete("v1", "services", name)
