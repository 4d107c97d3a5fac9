"""Traffic provider over an Ingress of ingress-nginx and its canary.

Theory of operation. The user's Ingress names a Service that is called as the load balancer; that Service, the canary's, and the
canary's Ingress are Gennaker's. Who is behind a Service stands in its slices. A switch has up to three steps: slices of the
main Service, slices of the canary's, the canary's weight. Each is one update, and in between requests go only to those
who have a share before or after. So what the route remembers says meanwhile that a switch has begun: cut off, it is made again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routes, Routing
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Shares
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, counting, filling, ingress_nginx, problems, records
from gennaker.plugins.cluster_traffic.backends import Backend, Names
from gennaker.plugins.cluster_traffic.filling import Filled
from gennaker.plugins.cluster_traffic.ingress_nginx import API, PLURAL, VERSION, Split
from gennaker.plugins.cluster_traffic.places import Own, Place, Places
from gennaker.plugins.cluster_traffic.records import RouteRecord

NAME = "ingress-nginx"


class IngressProvider:
    """Offers the port TrafficProvider."""

    def __init__(self, *, places: Places, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """`places`: where the Ingresses of the settings' load balancers are."""
        self.name = NAME
        self.routing = frozenset({Routing.HEADER, Routing.COOKIE})
        self._places = places
        self._sleep = sleep
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._looks = filling.Looks()

    @classmethod
    def of(cls, services: Services) -> "IngressProvider":
        """The provider as the server has it."""
        return cls(places=Places.of(services, NAME))

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        """Makes the Service that the Ingress names, answering 503 until somebody serves. Raises Refused where there is no Ingress."""
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            record = place.remembered(ingress := await place.read())
            found = place.settings.address or ingress_nginx.address(ingress)
            if not found:
                raise Refused(problems.no_address(load_balancer), status=409)
            problems.refuse_other_address(load_balancer, found, address)
            if record is None:
                ingress_nginx.refuse_without_path(ingress, load_balancer)
                await self._switch(place, ingress, {})
            return LoadBalancer(name=load_balancer, address=found, shares=record.shares if record else {})

    async def check_routes(self, load_balancer: str, wanted: Sequence[Routes]) -> None:
        """Raises Refused where the canary's annotations can't say what they need."""
        traffic.refuse_unroutable(self, load_balancer, wanted)
        ingress_nginx.check(load_balancer, wanted)

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        """Replaces all shares; returns when the controller has had time to serve by them. Raises Refused for more than two weights."""
        async with self._locks[load_balancer]:
            place, own = await self._places.known(load_balancer, API)
            # Whoever has no instances is not routed to.
            await self.check_routes(load_balancer, [share.routes for share in shares.values() if share.addresses])
            backends.refuse_names(shares)
            await self._switch(place, own.route, shares)

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        """What stands at the Ingress. While a switch isn't completed, or a part is gone, there are no shares: so it is made again."""
        if load_balancer not in self._places:
            return None
        place = await self._place(load_balancer)
        own = await place.own()
        if own is None:
            return None
        address = place.settings.address or ingress_nginx.address(own.route)
        shares = own.record.shares if await self._is_serving(place, own) else {}
        return LoadBalancer(name=load_balancer, address=address, shares=shares)

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        """All that have a share or have lately lost one, as far as they tell."""
        place, own = await self._places.known(load_balancer, API)
        return await counting.under_way((*own.record.addresses, *own.record.left), place.settings.in_flight_metric)

    async def health(self, load_balancer: str) -> Mapping[str, Health]:
        """What the slices of its Services say; its controller's own view isn't to be had."""
        place, own = await self._places.known(load_balancer, API)
        return filling.health(await filling.there(place), own.record.shares)

    async def remove(self, load_balancer: str) -> None:
        """Deletes what was made; the Ingress stays, and names a Service that isn't there."""
        if load_balancer not in self._places:
            return
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            for name in await place.objects.list(VERSION, PLURAL, place.selector):
                await place.objects.delete(VERSION, PLURAL, name)
            if await place.own() is not None:
                await self._remember(place, None)
            await filling.clear(place, frozenset())
            self._looks.forget(load_balancer)
        self._locks.pop(load_balancer, None)

    async def _is_serving(self, place: Place, own: Own) -> bool:
        if own.record.is_switching:
            return False
        if self._locks[place.load_balancer].locked():
            return True  # in the middle of a switch
        if self._looks.is_due(place.load_balancer):
            found = await filling.there(place)
            name = ingress_nginx.service_name(place.load_balancer)
            split = ingress_nginx.split(place.load_balancer, own.record.shares, found.hosts(name))
            if filling.lacks(place, _backends(place, split), found) or not await self._has_canary(place, own, split):
                return False
            self._looks.are_well(place.load_balancer)
        return True

    async def _has_canary(self, place: Place, own: Own, split: Split) -> bool:
        """Whether the canary's Ingress is there as it should be, or none is needed."""
        if not split.canary:
            return True
        there = await place.objects.get(VERSION, PLURAL, ingress_nginx.canary_name(place.route))
        return there is not None and ingress_nginx.is_so(
            there, ingress_nginx.canary(own.route, place.load_balancer, split)
        )

    async def _switch(self, place: Place, ingress: JsonObject, shares: Shares) -> None:
        name = ingress_nginx.service_name(place.load_balancer)
        await self._refuse_foreign(place, name)
        found = await filling.there(place)
        wanted = ingress_nginx.split(place.load_balancer, shares, found.hosts(name))
        main, *_ = _backends(place, wanted)
        record = place.remembered(ingress) or RouteRecord(load_balancer=place.load_balancer)
        after = record.with_shares(shares, Names(split=(name,)))
        if after != record:
            await self._remember(place, record.switching_to(shares))
        if wanted.canary:
            is_other = await self._canary(place, ingress, wanted, found)
            filled = await self._fill(place, main, found)
        else:
            filled = await self._fill(place, main, found)
            is_other = await self._without_canary(place)
        if filled.is_other or is_other:
            await self._sleep(place.settings.settled_within)
        canary = (ingress_nginx.canary_service(place.load_balancer),) if wanted.canary else ()
        await filling.clear(place, frozenset((name, *canary)))
        if after != record:
            await self._remember(place, after)

    async def _canary(self, place: Place, ingress: JsonObject, wanted: Split, found: filling.There) -> bool:
        """Returns whether anything is other than it was."""
        _, backend = _backends(place, wanted)
        filled = await self._fill(place, backend, found)
        if filled.is_new:
            await self._sleep(place.settings.settled_within)
        canary = ingress_nginx.canary(ingress, place.load_balancer, wanted)
        there = await place.objects.get(VERSION, PLURAL, ingress_nginx.canary_name(place.route))
        if there is not None and ingress_nginx.is_so(there, canary):
            return filled.is_other
        await place.objects.apply(PLURAL, canary)
        return True

    async def _without_canary(self, place: Place) -> bool:
        """Returns whether there was one."""
        there = await place.objects.list(VERSION, PLURAL, place.selector)
        for name in there:
            await place.objects.delete(VERSION, PLURAL, name)
        return bool(there)

    async def _fill(self, place: Place, backend: Backend, found: filling.There) -> Filled:
        references = await filling.pods(place.objects, (backend,), found)
        return await filling.fill(place, backend, found, references)

    async def _refuse_foreign(self, place: Place, service: str) -> None:
        """Raises Refused where something of a name that we need is somebody else's."""
        canary = ingress_nginx.canary_name(place.route)
        for kind, version, plural, name in (
            ("Service", "v1", "services", service),
            (API.kind, VERSION, PLURAL, canary),
        ):
            there = await place.objects.get(version, plural, name)
            labels = {} if there is None else foreign.mapping(foreign.mapping(there["metadata"]).get("labels"))
            if there is not None and labels.get(backends.OWNER) != backends.owner(place.load_balancer):
                raise Refused(problems.not_ours(kind, name, place.load_balancer), status=409)

    async def _remember(self, place: Place, record: RouteRecord | None) -> None:
        await place.change(lambda ingress: records.written(ingress, record))

    async def _place(self, load_balancer: str) -> Place:
        return await self._places.find(load_balancer, API)


def _backends(place: Place, wanted: Split) -> tuple[Backend, ...]:
    """The main Service, and the canary's if there is one."""
    main = Backend(name=ingress_nginx.service_name(place.load_balancer), key="", weight=1, addresses=wanted.main)
    if not wanted.canary:
        return (main,)
    canary = ingress_nginx.canary_service(place.load_balancer)
    return (main, Backend(name=canary, key="", weight=1, addresses=wanted.canary))
