"""Traffic providers over routes in a Kubernetes cluster.

Theory of operation. The route is the user's, and so are its hosts and matches; its rules without backends are handed to Gennaker.
First the Services and slices of all that will serve are made, and the controller is given time to see them. Then one
update of the route is the switch: the backends of all rules, and what is remembered, in an annotation. When the controller
says that it has seen it, and has had time to act, what the route names no longer is deleted. Whatever is cut off is completed by
repeating the call: each step compares what is there with what should be.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from gennaker.interfaces.routes import Routes, Routing, unable
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Share, Shares
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, filling, problems, records
from gennaker.plugins.cluster_traffic.backends import Names, Served
from gennaker.plugins.cluster_traffic.filling import Filled
from gennaker.plugins.cluster_traffic.places import Place, Places
from gennaker.plugins.cluster_traffic.records import RouteRecord
from gennaker.plugins.cluster_traffic.routes import RouteKind

_POLL_SECONDS = 0.1
_LOOKS = 300


class RouteProvider:
    """Offers the port TrafficProvider."""

    def __init__(
        self, *, kind: RouteKind, places: Places, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`places`: where the routes of the settings' load balancers are."""
        self.name = kind.name
        self.routing = frozenset(Routing)
        self._kind = kind
        self._places = places
        self._sleep = sleep
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def of(cls, services: Services, kind: RouteKind) -> "RouteProvider":
        """The provider as the server has it."""
        return cls(kind=kind, places=Places.of(services, kind.name))

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        """Takes the route that is there over, answering 503 until somebody serves. Raises Refused where there is none."""
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            record = place.remembered(route := await place.read())
            if record is None:
                route = await self._switch(place, {})
            found = await self._address(place, route)
            if not found:
                raise Refused(problems.no_address(load_balancer), status=409)
            if address and address != found:
                raise Refused(problems.other_address(load_balancer, found, address), status=409)
            return LoadBalancer(name=load_balancer, address=found, shares=record.shares if record else {})

    async def check_routes(self, load_balancer: str, wanted: Sequence[Routes]) -> None:
        """Raises Refused where the route's controller can't do what they need."""
        needed = frozenset[Routing]().union(*(one.needs for one in wanted))
        if needed:
            place = await self._place(load_balancer)
            lacking = needed & await self._kind.lacking(place.objects, await place.read())
            if lacking:
                raise Refused(unable(load_balancer, f"a controller of {self._kind.api.title}", lacking))

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        """Replaces all shares by one update of the route; returns when its controller serves by them."""
        async with self._locks[load_balancer]:
            place, _ = await self._places.known(load_balancer, self._kind.api)
            await self.check_routes(load_balancer, [share.routes for share in shares.values()])
            backends.refuse_names(shares)
            await self._switch(place, shares)

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        """What stands at the route. A route from which somebody took our backends has no shares: so they are set again."""
        if load_balancer not in self._places:
            return None
        place = await self._place(load_balancer)
        own = await place.own()
        if own is None:
            return None
        shares: dict[str, Share] = own.record.shares if self._kind.is_serving(own.route, own.record.names) else {}
        return LoadBalancer(name=load_balancer, address=await self._address(place, own.route), shares=shares)

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        """All that have a share or have lately lost one; how many requests they have is not known."""
        _, own = await self._places.known(load_balancer, self._kind.api)
        return dict.fromkeys((*own.record.addresses, *own.record.left))

    async def remove(self, load_balancer: str) -> None:
        """Gives the route back without backends, and deletes what was made for it."""
        if load_balancer not in self._places:
            return
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            if await place.own() is not None and await place.change(partial(self._given_back, place)):
                await self._sleep(place.settings.settle_seconds)
            await self._clear(place, Names())
        self._locks.pop(load_balancer, None)

    async def _switch(self, place: Place, shares: Shares) -> JsonObject:
        """Returns the route as it is in force."""
        served = backends.served(place.load_balancer, shares)
        filled = await self._fill(place, served)
        if filled.is_new:
            await self._sleep(place.settings.settle_seconds)
        is_written = await place.change(partial(self._with, place, shares, served))
        route = await self._followed(place)
        if is_written or filled.is_other:
            await self._sleep(place.settings.settle_seconds)
        await self._clear(place, served.names)
        return route

    async def _fill(self, place: Place, served: Served) -> Filled:
        """Makes what is to serve."""
        found = await filling.there(place)
        references = await filling.pods(place.objects, served.all, found)
        beside = await self._companions(place)
        filled = Filled()
        for backend in served.all:
            own = self._kind.companion_of(backend, place.load_balancer, place.version)
            if own is not None and (backend.name not in beside or beside[backend.name].get("spec") != own["spec"]):
                await place.objects.apply(self._kind.companion, own)
                filled |= Filled(is_new=True, is_other=True)
            filled |= await filling.fill(place, backend, found, references)
        return filled

    def _with(self, place: Place, shares: Shares, served: Served, route: JsonObject) -> JsonObject:
        """The switch."""
        record = place.remembered(route) or RouteRecord(load_balancer=place.load_balancer)
        changed = self._kind.with_backends(route, served, record.names)
        return records.written(changed, record.with_shares(shares, served.names))

    def _given_back(self, place: Place, route: JsonObject) -> JsonObject:
        record = place.remembered(route)
        return route if record is None else records.written(self._kind.without_backends(route, record.names), None)

    async def _followed(self, place: Place) -> JsonObject:
        """The route, once its controller has seen it. Raises Refused where none does."""
        for _ in range(_LOOKS):
            route = await place.read()
            if self._kind.is_followed(route):
                return route
            await self._sleep(_POLL_SECONDS)
        raise Refused(problems.not_followed(place.route, _LOOKS * _POLL_SECONDS), status=502)

    async def _clear(self, place: Place, staying: Names) -> None:
        """Deletes what the route names no longer."""
        await filling.clear(place, staying.all)
        for name in await self._companions(place):
            if name not in staying.all:
                await place.objects.delete(place.version, self._kind.companion, name)

    async def _companions(self, place: Place) -> Mapping[str, JsonObject]:
        if not self._kind.companion:
            return {}
        return await place.objects.list(place.version, self._kind.companion, place.selector)

    async def _address(self, place: Place, route: JsonObject) -> str:
        return place.settings.address or await self._kind.address(place.objects, route)

    async def _place(self, load_balancer: str) -> Place:
        return await self._places.find(load_balancer, self._kind.api)
