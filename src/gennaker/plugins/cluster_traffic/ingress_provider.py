"""Traffic provider over an Ingress of ingress-nginx and its canary.

Theory of operation. The user's Ingress names a Service that is called as the load balancer; that Service, the canary's, and the
canary's Ingress are Gennaker's. Who is behind a Service stands in its slices. A switch has up to three steps: slices of the
main Service, slices of the canary's, the canary's weight. Each is one update, and in between requests go only to those
who have a share before or after. So what the route remembers says meanwhile that a switch has begun: cut off, it is made again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from gennaker.interfaces import load_balancer_problems, traffic
from gennaker.interfaces.routes import Routing
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Shares
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, filling, ingress_nginx, problems, records
from gennaker.plugins.cluster_traffic.backends import Backend
from gennaker.plugins.cluster_traffic.filling import Filled
from gennaker.plugins.cluster_traffic.ingress_nginx import PLURAL, VERSION, Split
from gennaker.plugins.cluster_traffic.places import Place, Places
from gennaker.plugins.cluster_traffic.records import RouteRecord

NAME = "ingress-nginx"
_ATTEMPTS = 10
_KIND = "Ingress"


class IngressProvider:
    """Offers the port TrafficProvider."""

    def __init__(self, *, places: Places, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """`places`: where the Ingresses of the settings' load balancers are."""
        self.name = NAME
        self.routing: frozenset[Routing] = frozenset()
        self._places = places
        self._sleep = sleep
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def of(cls, services: Services) -> "IngressProvider":
        """The provider as the server has it."""
        return cls(places=Places.of(services, NAME))

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        """Makes the Service that the Ingress names, answering 503 until somebody serves. Raises Refused where there is no Ingress."""
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            ingress = await self._ingress(place)
            record = self._own(place, ingress)
            if record is None:
                ingress_nginx.refuse_without_path(ingress, load_balancer)
                await self._switch(place, ingress, {})
            found = place.settings.address or ingress_nginx.address(ingress)
            if not found:
                raise Refused(problems.no_address(load_balancer), status=409)
            if address and address != found:
                raise Refused(problems.other_address(load_balancer, found, address), status=409)
            return LoadBalancer(name=load_balancer, address=found, shares=record.shares if record else {})

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        """Replaces all shares; returns when the controller has had time to serve by them. Raises Refused for more than two weights."""
        async with self._locks[load_balancer]:
            place, ingress, _ = await self._known(load_balancer)
            traffic.refuse_unroutable(self, load_balancer, (share.routes for share in shares.values()))
            backends.refuse_names(shares)
            await self._switch(place, ingress, shares)

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        """What stands at the Ingress. While a switch isn't completed there are no shares: so it is made again."""
        if load_balancer not in self._places:
            return None
        place = await self._place(load_balancer)
        ingress = await place.objects.get(VERSION, PLURAL, place.route)
        record = None if ingress is None else records.read(ingress)
        if ingress is None or record is None or record.load_balancer != load_balancer:
            return None
        address = place.settings.address or ingress_nginx.address(ingress)
        return LoadBalancer(name=load_balancer, address=address, shares={} if record.is_switching else record.shares)

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        """All that have a share or have lately lost one; how many requests they have is not known."""
        _, _, record = await self._known(load_balancer)
        return dict.fromkeys((*record.addresses, *record.left))

    async def remove(self, load_balancer: str) -> None:
        """Deletes what was made; the Ingress stays, and names a Service that isn't there."""
        if load_balancer not in self._places:
            return
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            for name in await place.objects.list(VERSION, PLURAL, place.selector):
                await place.objects.delete(VERSION, PLURAL, name)
            ingress = await place.objects.get(VERSION, PLURAL, place.route)
            if ingress is not None and self._is_own(place, ingress):
                await self._remember(place, None)
            await filling.clear(place, frozenset())
        self._locks.pop(load_balancer, None)

    async def _switch(self, place: Place, ingress: JsonObject, shares: Shares) -> None:
        name = ingress_nginx.service_name(place.load_balancer)
        await self._refuse_foreign(place, name)
        found = await filling.there(place)
        wanted = ingress_nginx.split(place.load_balancer, shares, found.hosts(name))
        main = Backend(name=name, key="", weight=1, addresses=wanted.main)
        record = self._own(place, ingress) or RouteRecord(load_balancer=place.load_balancer)
        after = record.with_shares(shares, (name,))
        if after != record:
            await self._remember(place, record.switching_to(shares))
        if wanted.canary:
            is_other = await self._canary(place, ingress, wanted, found)
            filled = await self._fill(place, main, found)
        else:
            filled = await self._fill(place, main, found)
            is_other = await self._without_canary(place)
        if filled.is_other or is_other:
            await self._sleep(place.settings.settle_seconds)
        canary = (ingress_nginx.canary_service(place.load_balancer),) if wanted.canary else ()
        await filling.clear(place, frozenset((name, *canary)))
        if after != record:
            await self._remember(place, after)

    async def _canary(self, place: Place, ingress: JsonObject, wanted: Split, found: filling.There) -> bool:
        """Returns whether anything is other than it was."""
        name = ingress_nginx.canary_service(place.load_balancer)
        backend = Backend(name=name, key="", weight=1, addresses=wanted.canary)
        filled = await self._fill(place, backend, found)
        if filled.is_new:
            await self._sleep(place.settings.settle_seconds)
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
        for kind, version, plural, name in (("Service", "v1", "services", service), (_KIND, VERSION, PLURAL, canary)):
            there = await place.objects.get(version, plural, name)
            labels = {} if there is None else foreign.mapping(foreign.mapping(there["metadata"]).get("labels"))
            if there is not None and labels.get(backends.OWNER) != backends.owner(place.load_balancer):
                raise Refused(problems.not_ours(kind, name, place.load_balancer), status=409)

    async def _remember(self, place: Place, record: RouteRecord | None) -> None:
        for _ in range(_ATTEMPTS):
            changed = records.written(await self._ingress(place), record)
            if await place.objects.replace(PLURAL, changed) is not None:
                return
        raise Refused(problems.busy(place.route), status=409)

    async def _known(self, load_balancer: str) -> tuple[Place, JsonObject, RouteRecord]:
        if load_balancer not in self._places:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        place = await self._place(load_balancer)
        ingress = await self._ingress(place)
        record = self._own(place, ingress)
        if record is None:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        return place, ingress, record

    def _own(self, place: Place, ingress: JsonObject) -> RouteRecord | None:
        """What the Ingress remembers; None: it is nobody's. Raises Refused where it is another load balancer's."""
        record = records.read(ingress)
        if record is not None and record.load_balancer != place.load_balancer:
            raise Refused(problems.taken(place.load_balancer, _KIND, place.route, record.load_balancer), status=409)
        return record

    def _is_own(self, place: Place, ingress: JsonObject) -> bool:
        record = records.read(ingress)
        return record is not None and record.load_balancer == place.load_balancer

    async def _ingress(self, place: Place) -> JsonObject:
        ingress = await place.objects.get(VERSION, PLURAL, place.route)
        if ingress is None:
            namespace = place.objects.namespace
            raise Refused(problems.no_route(place.load_balancer, _KIND, place.route, namespace), status=404)
        return ingress

    async def _place(self, load_balancer: str) -> Place:
        return await self._places.find(load_balancer, title="Ingresses", group="networking.k8s.io")
