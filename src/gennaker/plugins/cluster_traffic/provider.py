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

import msgspec

from gennaker.interfaces import load_balancer_problems, traffic
from gennaker.interfaces.api_servers import ApiServer
from gennaker.interfaces.routes import Routing
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Share, Shares
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, problems, records
from gennaker.plugins.cluster_traffic.backends import Backend
from gennaker.plugins.cluster_traffic.objects import Objects
from gennaker.plugins.cluster_traffic.records import RouteRecord
from gennaker.plugins.cluster_traffic.routes import RouteKind
from gennaker.settings import KubernetesAccountSettings
from gennaker.traffic_settings import LoadBalancerSettings

_ATTEMPTS = 10
_POLL_SECONDS = 0.1
_LOOKS = 300


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a load balancer's route is."""

    load_balancer: str
    settings: LoadBalancerSettings
    objects: Objects
    version: str
    """Of the route's API."""

    @property
    def route(self) -> str:
        """The route's name."""
        return self.settings.route or self.load_balancer


class RouteProvider:
    """Offers the port TrafficProvider."""

    def __init__(
        self,
        *,
        kind: RouteKind,
        configured: Mapping[str, LoadBalancerSettings],
        accounts: Mapping[str, KubernetesAccountSettings],
        servers: Callable[[str], ApiServer | None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`configured`: the load balancers of the settings; `servers`: the API server of an account, None: there is no such account."""
        self.name = kind.name
        self.routing: frozenset[Routing] = frozenset()
        self._kind = kind
        self._configured = {name: wish for name, wish in configured.items() if wish.provider == kind.name}
        self._accounts = accounts
        self._servers = servers
        self._sleep = sleep
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def of(cls, services: Services, kind: RouteKind) -> "RouteProvider":
        """The provider as the server has it."""
        settings = services.settings
        return cls(
            kind=kind,
            configured=settings.load_balancers,
            accounts=settings.kubernetes,
            # Asked for when it is needed: other plugins make them.
            servers=services.api_servers.get,
        )

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
        if load_balancer not in self._configured:
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
        if load_balancer not in self._configured:
            return
        async with self._locks[load_balancer]:
            place = await self._place(load_balancer)
            if await self._given_back(place):
                await self._sleep(place.settings.settle_seconds)
            await self._clear(place, frozenset())
        self._locks.pop(load_balancer, None)

    async def _switch(self, place: _Place, shares: Shares) -> JsonObject:
        """Returns the route as it is in force."""
        wanted = backends.of_shares(place.load_balancer, shares)
        is_new, is_other = await self._fill(place, wanted)
        if is_new:
            await self._sleep(place.settings.settle_seconds)
        is_written = await self._write(place, shares, wanted)
        route = await self._followed(place)
        if is_written or is_other:
            await self._sleep(place.settings.settle_seconds)
        await self._clear(place, frozenset(one.name for one in wanted))
        return route

    async def _fill(self, place: _Place, wanted: tuple[Backend, ...]) -> tuple[bool, bool]:
        """Makes what is to serve. Returns whether anything is new, and whether anything is other than it was."""
        objects, selector = place.objects, f"{backends.OWNER}={backends.owner(place.load_balancer)}"
        services = await objects.list("v1", "services", selector)
        there = await objects.list(backends.SLICES, "endpointslices", selector)
        known = {address for one in there.values() for address in _addresses(one)}
        hosts = {address.rpartition(":")[0].strip("[]") for one in wanted for address in one.addresses}
        pods = await objects.pods() if hosts - known else {}
        beside = await self._companions(place)
        is_new = is_other = False
        for backend in wanted:
            own = self._kind.companion_of(backend, place.load_balancer, place.version)
            if own is not None and (backend.name not in beside or beside[backend.name].get("spec") != own["spec"]):
                await objects.apply(self._kind.companion, own)
                is_new = True
            if backend.name not in services:
                await objects.apply("services", backends.service(backend, place.load_balancer))
                is_new = True
            slices = backends.slices(backend, place.load_balancer, pods)
            for name, one in slices.items():
                if name not in there or _addresses(there[name]) != _addresses(one):
                    await objects.apply("endpointslices", one)
                    is_new, is_other = is_new or name not in there, True
            # Only now, so that it is never without anybody who serves.
            for name, one in there.items():
                if _service_of(one) == backend.name and name not in slices:
                    await objects.delete(backends.SLICES, "endpointslices", name)
                    is_other = True
        return is_new, is_new or is_other

    async def _write(self, place: _Place, shares: Shares, wanted: tuple[Backend, ...]) -> bool:
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

    async def _given_back(self, place: _Place) -> bool:
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

    async def _followed(self, place: _Place) -> JsonObject:
        """The route, once its controller has seen it. Raises Refused where none does."""
        for _ in range(_LOOKS):
            route = await self._route(place)
            if self._kind.is_followed(route):
                return route
            await self._sleep(_POLL_SECONDS)
        raise Refused(problems.not_followed(place.route, _LOOKS * _POLL_SECONDS), status=502)

    async def _clear(self, place: _Place, staying: frozenset[str]) -> None:
        """Deletes what the route names no longer."""
        objects, selector = place.objects, f"{backends.OWNER}={backends.owner(place.load_balancer)}"
        for name, one in (await objects.list(backends.SLICES, "endpointslices", selector)).items():
            if _service_of(one) not in staying:
                await objects.delete(backends.SLICES, "endpointslices", name)
        for name in await objects.list("v1", "services", selector):
            if name not in staying:
                await objects.delete("v1", "services", name)
        for name in await self._companions(place):
            if name not in staying:
                await objects.delete(place.version, self._kind.companion, name)

    async def _companions(self, place: _Place) -> Mapping[str, JsonObject]:
        if not self._kind.companion:
            return {}
        selector = f"{backends.OWNER}={backends.owner(place.load_balancer)}"
        return await place.objects.list(place.version, self._kind.companion, selector)

    async def _known(self, load_balancer: str) -> tuple[_Place, JsonObject, RouteRecord]:
        if load_balancer not in self._configured:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        place = await self._place(load_balancer)
        route = await self._route(place)
        record = self._own(place, route)
        if record is None:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        return place, route, record

    def _own(self, place: _Place, route: JsonObject) -> RouteRecord | None:
        """What the route remembers; None: it is nobody's. Raises Refused where it is another load balancer's."""
        record = records.read(route)
        if record is not None and record.load_balancer != place.load_balancer:
            raise Refused(
                problems.taken(place.load_balancer, self._kind.kind, place.route, record.load_balancer), status=409
            )
        return record

    async def _route(self, place: _Place) -> JsonObject:
        route = await place.objects.get(place.version, self._kind.plural, place.route)
        if route is None:
            namespace = place.objects.namespace
            raise Refused(problems.no_route(place.load_balancer, self._kind.kind, place.route, namespace), status=404)
        return route

    async def _address(self, place: _Place, route: JsonObject) -> str:
        return place.settings.address or await self._kind.address(place.objects, route)

    async def _place(self, load_balancer: str) -> _Place:
        settings = self._configured.get(load_balancer)
        if settings is None:
            raise Refused(problems.not_configured(load_balancer, self.name))
        server, account = self._servers(settings.account), self._accounts.get(settings.account)
        if server is None or account is None:
            raise Refused(problems.no_server(load_balancer, settings.account))
        objects = Objects(server, settings.namespace)
        if not account.allows(objects.namespace):
            raise Refused(problems.forbidden(load_balancer, settings.account, objects.namespace), status=403)
        version = await objects.version(self._kind.group)
        if not version:
            raise Refused(problems.no_api(settings.account, self._kind.title, self._kind.group), status=501)
        return _Place(load_balancer=load_balancer, settings=settings, objects=objects, version=version)


def _addresses(one: JsonObject) -> list[str]:
    return [
        foreign.text(address)
        for endpoint in foreign.mappings_at(one, "endpoints")
        for address in foreign.items(endpoint.get("addresses"))
    ]


def _service_of(one: JsonObject) -> str:
    labels = foreign.mapping(foreign.mapping(one.get("metadata")).get("labels"))
    return foreign.text_at(labels, backends.SERVICE_OF_SLICE)
