"""Places: where the route of a load balancer is, by the settings."""

from collections.abc import Callable, Mapping

import msgspec

from gennaker.interfaces.api_servers import ApiServer
from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, problems
from gennaker.plugins.cluster_traffic.objects import Objects
from gennaker.settings import KubernetesAccountSettings
from gennaker.traffic_settings import LoadBalancerSettings


class Place(msgspec.Struct, frozen=True, kw_only=True):
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

    @property
    def selector(self) -> str:
        """Of what is made for the load balancer."""
        return f"{backends.OWNER}={backends.owner(self.load_balancer)}"


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

    async def find(self, load_balancer: str, *, title: str, group: str) -> Place:
        """`title` and `group`: of the API that the cluster must have. Raises Refused."""
        settings = self._configured.get(load_balancer)
        if settings is None:
            raise Refused(problems.not_configured(load_balancer, self._provider))
        server, account = self._servers(settings.account), self._accounts.get(settings.account)
        if server is None or account is None:
            raise Refused(problems.no_server(load_balancer, settings.account))
        objects = Objects(server, settings.namespace)
        if not account.allows(objects.namespace):
            raise Refused(problems.forbidden(load_balancer, settings.account, objects.namespace), status=403)
        version = await objects.version(group)
        if not version:
            raise Refused(problems.no_api(settings.account, title, group), status=501)
        return Place(load_balancer=load_balancer, settings=settings, objects=objects, version=version)
