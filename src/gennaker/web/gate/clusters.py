"""Gate's (Clouddriver's) routes to what runs: clusters, server groups, instances and load balancers, as they are now."""

from collections.abc import Iterable
from typing import Annotated

from litestar import Controller, get
from litestar.params import FromPath, FromQuery, QueryParameter

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Instance, Place, ServerGroup
from gennaker.interfaces.traffic import LoadBalancer
from gennaker.model import moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import visible
from gennaker.web.gate import applications, live
from gennaker.web.ports import Asking, Ports, WebPorts

OnlyEnabled = Annotated[bool, QueryParameter(name="onlyEnabled")]
ValidateOldest = Annotated[bool, QueryParameter(name="validateOldest")]
_CONSOLE_LINES = 500
_ALIASES = {"newest": "current", "ancestor": "previous"}


class GateClustersController(Controller):
    """Routes under /applications, by application."""

    path = "/applications/{application:str}"

    @get("/clusters")
    async def names(self, ports: Ports, principal: Asking, application: FromPath[str]) -> JsonObject:
        """Names of the clusters by account."""
        found: dict[str, Json] = {}
        for account, name in live.clusters(await live.server_groups(ports, application)):
            listed = found.setdefault(account, [])
            assert isinstance(listed, list)
            listed.append(name)
        return found

    @get("/clusters/{account:str}")
    async def of_account(
        self, ports: Ports, principal: Asking, application: FromPath[str], account: FromPath[str]
    ) -> list[JsonObject]:
        """The clusters of an account."""
        found = live.clusters(await live.server_groups(ports, application))
        return [
            live.cluster(account, name, groups, expands=False)
            for (its_account, name), groups in found.items()
            if its_account == account
        ]

    @get(["/clusters/{account:str}/{cluster:str}", "/clusters/{account:str}/{cluster:str}/{provider:str}"])
    async def cluster(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        account: FromPath[str],
        cluster: FromPath[str],
        expand: FromQuery[bool] = True,
    ) -> JsonObject:
        """One cluster with its server groups."""
        groups = await _cluster(ports, application, account, cluster)
        return live.cluster(account, cluster, groups, expands=expand)

    @get("/clusters/{account:str}/{cluster:str}/{provider:str}/serverGroups")
    async def of_cluster(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        account: FromPath[str],
        cluster: FromPath[str],
        provider: FromPath[str],
        region: FromQuery[str] = "",
    ) -> list[JsonObject]:
        """The server groups of a cluster, in all regions or in one, oldest first."""
        groups = await _cluster(ports, application, account, cluster)
        return [live.server_group(one) for one in _of_provider(groups, provider) if region in ("", one.place.region)]

    @get("/clusters/{account:str}/{cluster:str}/{provider:str}/serverGroups/{name:str}")
    async def of_name(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        account: FromPath[str],
        cluster: FromPath[str],
        provider: FromPath[str],
        name: FromPath[str],
        region: FromQuery[str] = "",
    ) -> list[JsonObject] | JsonObject:
        """The server groups of a cluster that have a name, or the one in a region."""
        groups = _of_provider(await _cluster(ports, application, account, cluster), provider)
        if region:
            return live.server_group(_only(groups, Place(account=account, region=region), name))
        return [live.server_group(one) for one in groups if one.name == name]

    @get("/clusters/{account:str}/{cluster:str}/{provider:str}/{region:str}/serverGroups/target/{target:str}")
    async def target(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        account: FromPath[str],
        cluster: FromPath[str],
        provider: FromPath[str],
        region: FromPath[str],
        target: FromPath[str],
        only_enabled: OnlyEnabled = False,
        validate_oldest: ValidateOldest = True,
    ) -> JsonObject:
        """The server group of a cluster that is newest, oldest, largest, the one before the newest, or the only one."""
        groups = _of_provider(await _cluster(ports, application, account, cluster), provider)
        here = [one for one in groups if one.place.region == region and not (only_enabled and one.is_disabled)]
        return live.server_group(_targeted(here, target, cluster, least_of_oldest=2 if validate_oldest else 1))

    @get("/serverGroups")
    async def server_groups(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        expand: FromQuery[bool] = True,
        clusters: FromQuery[str] = "",
    ) -> list[JsonObject]:
        """All server groups, or those of the clusters `account:cluster,account:cluster`."""
        wanted = {tuple(one.split(":", 1)) for one in clusters.split(",") if one}
        return [
            live.server_group(group, expands=expand)
            for key, groups in live.clusters(await live.server_groups(ports, application)).items()
            for group in groups
            if not wanted or key in wanted
        ]

    @get("/serverGroups/{account:str}/{region:str}/{name:str}")
    async def server_group(
        self,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        account: FromPath[str],
        region: FromPath[str],
        name: FromPath[str],
    ) -> JsonObject:
        """One server group."""
        return live.server_group(
            _only(await live.server_groups(ports, application), Place(account=account, region=region), name)
        )

    @get("/loadBalancers")
    async def load_balancers(self, ports: Ports, principal: Asking, application: FromPath[str]) -> list[JsonObject]:
        """The load balancers that its server groups are behind."""
        groups = await live.server_groups(ports, application)
        names = [name for one in groups for name in one.load_balancers]
        return [
            live.load_balancer(provider, balancer, groups)
            for provider, balancer in await live.load_balancers(ports, names)
        ]

    @get(["/serverGroupManagers", "/functions", "/rawResources"])
    async def none(self, principal: Asking, application: FromPath[str]) -> list[JsonObject]:
        """There is none of these on any provider."""
        return []


class GateInstancesController(Controller):
    """Routes by account and region."""

    @get("/serverGroups")
    async def server_groups(
        self, ports: Ports, principal: Asking, wanted: Annotated[str, QueryParameter(name="applications")] = ""
    ) -> list[JsonObject]:
        """The server groups of several applications."""
        named = dict.fromkeys(one for one in wanted.split(",") if one)
        names = await visible.of(ports, principal, named, str)
        return [live.server_group(one) for name in names for one in await live.server_groups(ports, name)]

    @get("/serverGroups/{account:str}/{region:str}/{name:str}")
    async def server_group(
        self, ports: Ports, principal: Asking, account: FromPath[str], region: FromPath[str], name: FromPath[str]
    ) -> JsonObject:
        """One server group; its application is what its name begins with."""
        groups = await live.server_groups(ports, moniker.parse(name).app or name)
        return live.server_group(_only(groups, Place(account=account, region=region), name))

    @get("/instances/{account:str}/{region:str}/{instance_id:str}")
    async def instance(
        self, ports: Ports, principal: Asking, account: FromPath[str], region: FromPath[str], instance_id: FromPath[str]
    ) -> JsonObject:
        """One instance."""
        group, one = await _instance(ports, principal, Place(account=account, region=region), instance_id)
        balancers: list[Json] = list(group.load_balancers)
        return {
            **live.instance(group, one),
            "account": account,
            "region": region,
            "cloudProvider": group.cloud_provider,
            "provider": group.cloud_provider,
            "serverGroup": group.name,
            "cluster": group.moniker.cluster,
            "application": group.moniker.app,
            "loadBalancers": balancers,
        }

    @get("/instances/{account:str}/{region:str}/{instance_id:str}/console")
    async def console(
        self, ports: Ports, principal: Asking, account: FromPath[str], region: FromPath[str], instance_id: FromPath[str]
    ) -> JsonObject:
        """The end of an instance's log."""
        group, one = await _instance(ports, principal, Place(account=account, region=region), instance_id)
        provider = ports.services.clouds[group.cloud_provider]
        return {"output": await provider.logs(group.place, group.name, one.id, _CONSOLE_LINES)}

    @get("/loadBalancers")
    async def load_balancers(self, ports: Ports, principal: Asking, provider: FromQuery[str] = "") -> list[JsonObject]:
        """Load balancers that the settings name or a server group is behind; not those that only serve what can't be read."""
        names, groups = await _all(ports, principal)
        return [
            live.load_balancer(kind, balancer, groups)
            for kind, balancer in await live.load_balancers(ports, names)
            if provider in ("", kind)
            and (not balancer.shares or await visible.of(ports, principal, _applications_behind(balancer), str))
        ]

    @get("/loadBalancers/{account:str}/{region:str}/{name:str}")
    async def load_balancer(
        self, ports: Ports, principal: Asking, account: FromPath[str], region: FromPath[str], name: FromPath[str]
    ) -> list[JsonObject]:
        """One load balancer, in a list, as clients want it; none where there is none."""
        found = await live.load_balancers(ports, [name])
        groups: list[ServerGroup] = []
        seen: list[JsonObject] = []
        for kind, balancer in found:
            apps = await visible.of(ports, principal, _applications_behind(balancer), str)
            if apps or not balancer.shares:
                groups += [one for app in apps for one in await live.server_groups(ports, app)]
                groups = await visible.accounts(ports, principal, groups, lambda one: one.place.account)
                seen.append(live.load_balancer(kind, balancer, groups))
        return seen


async def everything(ports: WebPorts, principal: Principal) -> list[ServerGroup]:
    """All server groups of all applications that are known and may be read."""
    names = await visible.of(ports, principal, await applications.known(ports), str)
    found = await visible.server_groups(ports, names)
    return await visible.accounts(ports, principal, found, lambda one: one.place.account)


async def _all(ports: WebPorts, principal: Principal) -> tuple[list[str], list[ServerGroup]]:
    groups = await everything(ports, principal)
    return [*ports.services.settings.load_balancers, *(name for one in groups for name in one.load_balancers)], groups


def _applications_behind(balancer: LoadBalancer) -> list[str]:
    groups = map(traffic.name_of, balancer.shares)
    return list(dict.fromkeys(moniker.parse(group).app or group for group in groups))


async def _cluster(ports: WebPorts, application: str, account: str, name: str) -> list[ServerGroup]:
    found = live.clusters(await live.server_groups(ports, application)).get((account, name))
    if not found:
        raise Refused(
            Problem(code="cluster.unknown", message=f"{application} has no cluster {name!r} in {account!r}."),
            status=404,
        )
    return found


async def _instance(
    ports: WebPorts, principal: Principal, place: Place, instance_id: str
) -> tuple[ServerGroup, Instance]:
    for group in await everything(ports, principal):
        for one in group.instances:
            if one.id == instance_id and group.place == place:
                return group, one
    raise Refused(
        Problem(
            code="instance.unknown",
            message=f"There is no instance {instance_id!r} in {place.account}/{place.region}.",
        ),
        status=404,
    )


def _only(groups: Iterable[ServerGroup], place: Place, name: str) -> ServerGroup:
    for one in groups:
        if one.name == name and one.place == place:
            return one
    raise Refused(
        Problem(
            code="server_group.unknown", message=f"There is no server group {name!r} in {place.account}/{place.region}."
        ),
        status=404,
    )


def _of_provider(groups: Iterable[ServerGroup], provider: str) -> list[ServerGroup]:
    return [one for one in groups if one.cloud_provider == provider]


def _targeted(groups: list[ServerGroup], target: str, cluster: str, *, least_of_oldest: int) -> ServerGroup:
    """`groups` oldest first."""
    word = target.lower().removesuffix("_dynamic").removesuffix("_asg")
    match _ALIASES.get(word, word):
        case "current" if groups:
            return groups[-1]
        case "previous" if len(groups) > 1:
            return groups[-2]
        case "oldest" if len(groups) >= least_of_oldest:
            return groups[0]
        case "largest" if groups:
            return max(reversed(groups), key=lambda one: len(one.instances))
        case "fail" if len(groups) == 1:
            return groups[0]
        case "fail" if groups:
            names = ", ".join(one.name for one in groups)
            message = (
                f"The cluster {cluster!r} has several server groups ({names}), which target.fail.strategy forbids."
            )
            raise Refused(Problem(code="server_group.not_the_only_one", message=message), status=404)
        case _:
            raise Refused(
                Problem(
                    code="server_group.no_target",
                    message=f"The cluster {cluster!r} has no server group that is {target!r}.",
                    remedy="Targets are current, previous, oldest (of at least two, unless validateOldest=false), largest and fail.",
                ),
                status=404,
            )
