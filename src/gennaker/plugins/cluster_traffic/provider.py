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

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routes, Routing, unable
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Share, Shares
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, counting, filling, problems, records, routes
from gennaker.plugins.cluster_traffic.backends import Backend, Served
from gennaker.plugins.cluster_traffic.filling import Filled
from gennaker.plugins.cluster_traffic.places import Own, Place, Places
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
        self._looks = filling.Looks()

    @classmethod
    def of(cls, services: Services, kind: RouteKind) -> "RouteProvider":
        """The provider as the server has it."""
        return cls(kind=kind, places=Places.of(services, kind.name))

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        """Takes the route that is there over, answering 503 until somebody serves. Raises Refused where there is none."""
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            record = place.remembered(route := await place.read())
            found = await self._address(place, route)
            problems.refuse_other_address(load_balancer, found, address)
            if record is None:
                # Some controllers give a Gateway its address only once there is a route that they follow.
                found = await self._address(place, await self._switch(place, {}))
                if problems.is_elsewhere(found, address):
                    await self._let_go(place)
            problems.refuse_other_address(load_balancer, found, address)
            if not found:
                raise Refused(problems.no_address(load_balancer), status=409)
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
        """What stands at the route. Where somebody took away what is ours there are no shares: so they are set again."""
        if load_balancer not in self._places:
            return None
        place = await self._place(load_balancer)
        own = await place.own()
        if own is None:
            return None
        shares: dict[str, Share] = own.record.shares if await self._is_serving(place, own) else {}
        return LoadBalancer(name=load_balancer, address=await self._address(place, own.route), shares=shares)

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        """All that have a share or have lately lost one, as far as they tell."""
        place, own = await self._places.known(load_balancer, self._kind.api)
        return await counting.under_way((*own.record.addresses, *own.record.left), place.settings.in_flight_metric)

    async def health(self, load_balancer: str) -> Mapping[str, Health]:
        """What the slices of its Services say; its controller's own view isn't to be had."""
        place, own = await self._places.known(load_balancer, self._kind.api)
        return filling.health(await filling.there(place), own.record.shares)

    async def remove(self, load_balancer: str) -> None:
        """Gives the route back without backends, and deletes what was made for it."""
        if load_balancer not in self._places:
            return
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            if await place.own() is not None and await place.change(partial(self._given_back, place)):
                await self._sleep(place.settings.settled_within)
            await self._clear(place, frozenset())
            self._looks.forget(load_balancer)
        self._locks.pop(load_balancer, None)

    async def _is_serving(self, place: Place, own: Own) -> bool:
        if not self._kind.is_serving(own.route, own.record.names):
            return False
        if self._locks[place.load_balancer].locked():
            return True  # in the middle of a switch Services may be ahead of the route
        if self._looks.is_due(place.load_balancer):
            wanted = backends.served(place.load_balancer, own.record.shares).all
            if filling.lacks(place, wanted, await filling.there(place)) or await self._companions_to_make(
                place, wanted
            ):
                return False
            self._looks.are_well(place.load_balancer)
        return True

    async def _switch(self, place: Place, shares: Shares) -> JsonObject:
        """Returns the route as it is in force."""
        served = backends.served(place.load_balancer, shares)
        filled = await self._fill(place, served)
        if filled.is_new:
            await self._sleep(place.settings.settled_within)
        is_written = await place.change(partial(self._with, place, shares, served))
        route = await self._followed(place)
        if is_written or filled.is_other:
            await self._sleep(place.settings.settled_within)
        # Another server may have switched meanwhile: what the route names by now is its.
        newest = place.remembered(await place.read())
        await self._clear(place, served.names.all | (newest.names.all if newest else frozenset()))
        return route

    async def _fill(self, place: Place, served: Served) -> Filled:
        """Makes what is to serve."""
        found = await filling.there(place)
        references = await filling.pods(place.objects, served.all, found)
        filled = Filled()
        for own in await self._companions_to_make(place, served.all):
            await place.objects.apply(self._kind.companion, own)
            filled |= Filled(is_new=True, is_other=True)
        for backend in served.all:
            filled |= await filling.fill(place, backend, found, references)
        return filled

    async def _companions_to_make(self, place: Place, served: Sequence[Backend]) -> list[JsonObject]:
        """Those that aren't there as they should be."""
        there = await self._companions(place)
        wanted = [self._kind.companion_of(one, place.load_balancer, place.version) for one in served]
        own = {routes.named(one): one for one in wanted if one is not None}
        return [one for name, one in own.items() if name not in there or there[name].get("spec") != one["spec"]]

    def _with(self, place: Place, shares: Shares, served: Served, route: JsonObject) -> JsonObject:
        """The switch."""
        record = place.remembered(route) or RouteRecord(load_balancer=place.load_balancer)
        changed = self._kind.with_backends(route, served, record.names)
        return records.written(changed, record.with_shares(shares, served.names))

    async def _let_go(self, place: Place) -> None:
        """Gives a route back that was taken over in vain, unless another server has given it somebody to serve meanwhile."""
        if await place.change(partial(self._given_back_unused, place)):
            await self._sleep(place.settings.settled_within)
        newest = place.remembered(await place.read())
        await self._clear(place, newest.names.all if newest else frozenset())

    def _given_back_unused(self, place: Place, route: JsonObject) -> JsonObject:
        record = place.remembered(route)
        return route if record is not None and record.shares else self._given_back(place, route)

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
        is_reachable = bool(await self._kind.address(place.objects, route))
        raise Refused(problems.not_followed(place.route, _LOOKS * _POLL_SECONDS, is_reachable=is_reachable), status=502)

    async def _clear(self, place: Place, staying: frozenset[str]) -> None:
        """Deletes what the route names no longer."""
        await filling.clear(place, staying)
        for name in await self._companions(place):
            if name not in staying:
                await place.objects.delete(place.version, self._kind.companion, name)

    async def _companions(self, place: Place) -> Mapping[str, JsonObject]:
        if not self._kind.companion:
            return {}
        return await place.objects.list(place.version, self._kind.companion, place.selector)

    async def _address(self, place: Place, route: JsonObject) -> str:
        return place.settings.address or await self._kind.address(place.objects, route)

    async def _place(self, load_balancer: str) -> Place:
        return await self._places.find(load_balancer, self._kind.api)
