"""Places: where the route of a load balancer is by the settings, and what it remembers."""

from collections.abc import Callable, Mapping

import msgspec

from gennaker.interfaces import load_balancer_problems
from gennaker.interfaces.api_servers import ApiServer
from gennaker.interfaces.services import Services
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, problems, records
from gennaker.plugins.cluster_traffic.objects import Objects
from gennaker.plugins.cluster_traffic.records import RouteRecord
from gennaker.plugins.cluster_traffic.routes import Api
from gennaker.traffic_settings import LoadBalancerSettings

_ATTEMPTS = 10
_ALWAYS = (("service", "svc"), ("endpointslice.discovery.k8s.io",))
"""Kinds of what a load balancer consists of beside its route, as `permitted_as`."""


class Own(msgspec.Struct, frozen=True):
    """A route that is the load balancer's."""

    route: JsonObject
    record: RouteRecord


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a load balancer's route is."""

    load_balancer: str
    settings: LoadBalancerSettings
    objects: Objects
    api: Api
    version: str
    """Of the route's API."""

    @property
    def route(self) -> str:
        """The route's name."""
        return self.settings.route or self.load_balancer

    @property
    def selector(self) -> str:
        """Of what is made for the load balancer."""
        return f"{backends.OWNER}={backends.owner(self.load_balancer)}"

    async def read(self) -> JsonObject:
        """The route. Raises Refused where there is none."""
        found = await self.objects.get(self.version, self.api.plural, self.route)
        if found is None:
            namespace = self.objects.namespace
            raise Refused(problems.no_route(self.load_balancer, self.api.kind, self.route, namespace), status=404)
        return found

    def remembered(self, route: JsonObject) -> RouteRecord | None:
        """What the route remembers; None: it is nobody's. Raises Refused where it is another load balancer's."""
        record = records.read(route)
        if record is not None and record.load_balancer != self.load_balancer:
            taken = problems.taken(self.load_balancer, self.api.kind, self.route, record.load_balancer)
            raise Refused(taken, status=409)
        return record

    async def own(self) -> Own | None:
        """The route and what it remembers; None: there is none, or it is nobody's or another's."""
        route = await self.objects.get(self.version, self.api.plural, self.route)
        record = None if route is None else records.read(route)
        if route is None or record is None or record.load_balancer != self.load_balancer:
            return None
        return Own(route, record)

    async def change(self, change: Callable[[JsonObject], JsonObject]) -> bool:
        """Writes the route changed, whoever else writes to it. Returns whether there was anything to change. Raises Refused."""
        for _ in range(_ATTEMPTS):
            route = await self.read()
            changed = change(route)
            if changed == route:
                return False
            if await self.objects.replace(self.api.plural, changed) is not None:
                return True
        raise Refused(problems.busy(self.route), status=409)


class Places:
    """The load balancers of the settings that are a provider's."""

    def __init__(
        self,
        provider: str,
        *,
        configured: Mapping[str, LoadBalancerSettings],
        accounts: Mapping[str, KubernetesAccountSettings],
        servers: Callable[[str], ApiServer | None],
    ) -> None:
        """`servers`: the API server of an account, None: there is no such account."""
        self._provider = provider
        self._configured = {name: wish for name, wish in configured.items() if wish.provider == provider}
        self._accounts = accounts
        self._servers = servers

    @classmethod
    def of(cls, services: Services, provider: str) -> "Places":
        """As the server has them."""
        settings = services.settings
        return cls(
            provider,
            configured=settings.load_balancers,
            accounts=settings.kubernetes,
            # Asked for when it is needed: other plugins make them.
            servers=services.api_servers.get,
        )

    def __contains__(self, load_balancer: object) -> bool:
        """Whether the settings have it."""
        return load_balancer in self._configured

    async def find(self, load_balancer: str, api: Api) -> Place:
        """`api`: the cluster must have it. Raises Refused."""
        settings = self._configured.get(load_balancer)
        if settings is None:
            raise Refused(problems.not_configured(load_balancer, self._provider))
        server, account = self._servers(settings.account), self._accounts.get(settings.account)
        if server is None or account is None:
            raise Refused(problems.no_server(load_balancer, settings.account))
        objects = Objects(server, settings.namespace)
        if not account.allows(objects.namespace):
            raise Refused(problems.forbidden(load_balancer, settings.account, objects.namespace), status=403)
        for spellings in (*_ALWAYS, *api.permitted_as):
            if not _may_use(account, spellings):
                raise Refused(problems.forbidden_kind(load_balancer, settings.account, spellings[0]), status=403)
        version = await objects.version(api.group)
        if not version:
            raise Refused(problems.no_api(settings.account, api.title, api.group), status=501)
        return Place(load_balancer=load_balancer, settings=settings, objects=objects, api=api, version=version)

    async def known(self, load_balancer: str, api: Api) -> tuple[Place, Own]:
        """One whose route is there and remembers it. Raises Refused."""
        if load_balancer not in self:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        place = await self.find(load_balancer, api)
        route = await place.read()
        record = place.remembered(route)
        if record is None:
            raise Refused(load_balancer_problems.unknown(load_balancer), status=404)
        return place, Own(route, record)


def _may_use(account: KubernetesAccountSettings, spellings: tuple[str, ...]) -> bool:
    """By the account's `kinds` and `omit-kinds`, as stages of manifests are held to them."""
    only, but = ({one.lower() for one in listed} for listed in (account.kinds, account.omit_kinds))
    return but.isdisjoint(spellings) and (not only or not only.isdisjoint(spellings))
