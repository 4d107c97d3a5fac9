"""Traffic providers over routes in a Kubernetes cluster.

Theory of operation. The route is the user's, and so are its hosts and matches; its rules without backends are handed to Gennaker.
First the Services and slices of all that will serve are made, and the controller is given time to see them. Then one
update of the route is the switch: the backends of all rules, and what is remembered, in an annotation. When the controller
says that it has seen it, and has had time to act, what the route names no longer is deleted. Whatever is cut off is completed by
repeating the call: each step compares what is there with what should be.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from gennaker.interfaces import load_balancer_problems, traffic
from gennaker.interfaces.routes import Routing
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Share, Shares
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, filling, problems, records
from gennaker.plugins.cluster_traffic.backends import Backend
from gennaker.plugins.cluster_traffic.filling import Filled
from gennaker.plugins.cluster_traffic.places import Place, Places
from gennaker.plugins.cluster_traffic.records import RouteRecord
from gennaker.plugins.cluster_traffic.routes import RouteKind

_ATTEMPTS = 10
_POLL_SECONDS = 0.1
_LOOKS = 300


class RouteProvider:
    """Offers the port TrafficProvider."""

    def __init__(
        self, *, kind: RouteKind, places: Places, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`places`: where the routes of the settings' load balancers are."""
        self.name = kind.name
        self.routing: frozenset[Routing] = frozenset()
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
            record = self._own(place, route := await self._route(place))
            if record is None:
                route = await self._switch(place, {})
            found = await self._address(place, route)
            if not found:
                raise Refused(problems.no_address(load_balancer), status=409)
            if address and address != found:
                raise Refused(problems.other_address(load_balancer, found, address), status=409)
            return LoadBalancer(name=load_balancer, address=found, shares=record.shares if record else {})

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        """Replaces all shares by one update of the route; returns when its controller serves by them."""
        async with self._locks[load_balancer]:
            place, _, _ = await self._known(load_balancer)
            traffic.refuse_unroutable(self, load_balancer, (share.routes for share in shares.values()))
            backends.refuse_names(shares)
            await self._switch(place, shares)

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        """What stands at the route. A route from which somebody took our backends has no shares: so they are set again."""
        if load_balancer not in self._places:
            return None
        place = await self._place(load_balancer)
        route = await place.objects.get(place.version, self._kind.plural, place.route)
        record = None if route is None else records.read(route)
        if route is None or record is None or record.load_balancer != load_balancer:
            return None
        shares: dict[str, Share] = record.shares if self._kind.is_serving(route, frozenset(record.backends)) else {}
        return LoadBalancer(name=load_balancer, address=await self._address(place, route), shares=shares)

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        """All that have a share or have lately lost one; how many requests they have is not known."""
        _, _, record = await self._known(load_balancer)
        return dict.fromkeys((*record.addresses, *record.left))

    async def remove(self, load_balancer: str) -> None:
        """Gives the route back without backends, and deletes what was made for it."""
        if load_balancer not in self._places:
            return
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            if await self._given_back(place):
                await self._sleep(place.settings.settle_seconds)
            await self._clear(place, frozenset())
        self._locks.pop(load_balancer, None)

    async def _switch(self, place: Place, shares: Shares) -> JsonObject:
        """Returns the route as it is in force."""
        wanted = backends.of_shares(place.load_balancer, shares)
        filled = await self._fill(place, wanted)
        if filled.is_new:
            await self._sleep(place.settings.settle_seconds)
        is_written = await self._write(place, shares, wanted)
        route = await self._followed(place)
        if is_written or filled.is_other:
            await self._sleep(place.settings.settle_seconds)
        await self._clear(place, frozenset(one.name for one in wanted))
        return route

    async def _fill(self, place: Place, wanted: tuple[Backend, ...]) -> Filled:
        """Makes what is to serve."""
        found = await filling.there(place)
        references = await filling.pods(place.objects, wanted, found)
        beside = await self._companions(place)
        filled = Filled()
        for backend in wanted:
            own = self._kind.companion_of(backend, place.load_balancer, place.version)
            if own is not None and (backend.name not in beside or beside[backend.name].get("spec") != own["spec"]):
                await place.objects.apply(self._kind.companion, own)
                filled |= Filled(is_new=True, is_other=True)
            filled |= await filling.fill(place, backend, found, references)
        return filled

    async def _write(self, place: Place, shares: Shares, wanted: tuple[Backend, ...]) -> bool:
        """The switch. Returns whether there was anything to change."""
        names = tuple(one.name for one in wanted)
        for _ in range(_ATTEMPTS):
            route = await self._route(place)
            record = self._own(place, route) or RouteRecord(load_balancer=place.load_balancer)
            served = self._kind.with_backends(route, wanted, frozenset(record.backends))
            changed = records.written(served, record.with_shares(shares, names))
            if changed == route:
                return False
            if await place.objects.replace(self._kind.plural, changed) is not None:
                return True
        raise Refused(problems.busy(place.route), status=409)

    async def _given_back(self, place: Place) -> bool:
        """Whether there was anything to give back."""
        for _ in range(_ATTEMPTS):
            route = await place.objects.get(place.version, self._kind.plural, place.route)
            record = None if route is None else records.read(route)
            if route is None or record is None or record.load_balancer != place.load_balancer:
                return False
            bare = self._kind.without_backends(route, frozenset(record.backends))
            if await place.objects.replace(self._kind.plural, records.written(bare, None)) is not None:
                return True
        raise Refused(problems.busy(place.route), status=409)

    async def _followed(self, place: Place) -> JsonObject:
        """The route, once its controller has seen it. Raises Refused where none does."""
        for _ in range(_LOOKS):
            route = await self._route(place)
            if self._kind.is_followed(route):
                return route
            await self._sleep(_POLL_SECONDS)
        raise Refused(problems.not_followed(place.route, _LOOKS * _POLL_SECONDS), status=502)

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

    async def _known(self, load_balancer: str) -> tuple[Place, JsonObject, RouteRecord]:
        if load_balancer not in self._places:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        place = await self._place(load_balancer)
        route = await self._route(place)
        record = self._own(place, route)
        if record is None:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        return place, route, record

    def _own(self, place: Place, route: JsonObject) -> RouteRecord | None:
        """What the route remembers; None: it is nobody's. Raises Refused where it is another load balancer's."""
        record = records.read(route)
        if record is not None and record.load_balancer != place.load_balancer:
            raise Refused(
                problems.taken(place.load_balancer, self._kind.kind, place.route, record.load_balancer), status=409
            )
        return record

    async def _route(self, place: Place) -> JsonObject:
        route = await place.objects.get(place.version, self._kind.plural, place.route)
        if route is None:
            namespace = place.objects.namespace
            raise Refused(problems.no_route(place.load_balancer, self._kind.kind, place.route, namespace), status=404)
        return route

    async def _address(self, place: Place, route: JsonObject) -> str:
        return place.settings.address or await self._kind.address(place.objects, route)

    async def _place(self, load_balancer: str) -> Place:
        return await self._places.find(load_balancer, title=self._kind.title, group=self._kind.group)
