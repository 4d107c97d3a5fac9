"""Gate's (Clouddriver's) routes to what runs: clusters, server groups, instances and load balancers, as they are now."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from litestar import Controller, get
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec.structs import replace

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Described, Instance, Place, ServerGroup
from gennaker.interfaces.manifests import LiveManifests
from gennaker.interfaces.traffic import LoadBalancer
from gennaker.model import moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.permissions import Right
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import visible
from gennaker.web.gate import applications, live, manifests, surroundings
from gennaker.web.ports import Asking, Ports, WebPorts

OnlyEnabled = Annotated[bool, QueryParameter(name="onlyEnabled")]
ValidateOldest = Annotated[bool, QueryParameter(name="validateOldest")]
_CONSOLE_LINES = 500
_POD = "pod "
"""With which Clouddriver's names of instances on Kubernetes begin."""
_NOTHING: Mapping[str, Problem] = {}
_ALIASES = {"newest": "current", "ancestor": "previous"}


class GateClustersController(Controller):
    """Routes under /applications, by application."""

    path = "/applications/{application:str}"

    @get("/clusters")
    async def names(self, ports: Ports, principal: Asking, application: FromPath[str]) -> JsonObject:
        """Names of the clusters by account."""
        found: dict[str, Json] = {}
        for account, name in live.clusters(await live.server_groups(ports, principal, application)):
            listed = found.setdefault(account, [])
            assert isinstance(listed, list)
            listed.append(name)
        return found

    @get("/clusters/{account:str}")
    async def of_account(
        self, ports: Ports, principal: Asking, application: FromPath[str], account: FromPath[str]
    ) -> list[JsonObject]:
        """The clusters of an account."""
        found = live.clusters(await live.server_groups(ports, principal, application))
        return [
            live.cluster(account, name, groups, listed=[live.name_of(one) for one in groups])
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
        """One cluster with its server groups, without `expand` those without their instances."""
        groups = await _cluster(ports, application, account, cluster)
        whole = await _shown(ports, groups)
        listed: list[Json] = [one if expand else one | {"instances": []} for one in whole]
        return live.cluster(account, cluster, groups, listed=listed)

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
        groups = _of_provider(await _cluster(ports, application, account, cluster), provider)
        here = [one for one in groups if region in ("", one.place.region)]
        return await _shown(ports, here)

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
            return await _one(ports, _only(groups, Place(account=account, region=region), name))
        return await _shown(ports, [one for one in groups if live.has_name(one, name)])

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
        return await _one(ports, _targeted(here, target, cluster, least_of_oldest=2 if validate_oldest else 1))

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
        found = [
            group
            for key, groups in live.clusters(await live.server_groups(ports, principal, application)).items()
            for group in groups
            if not wanted or key in wanted
        ]
        return await _shown(ports, found, expands=expand)

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
        place = Place(account=account, region=region)
        seen = await live.described(ports, application)
        return await _one(ports, _only(seen.groups, place, name, missing=seen.missing))

    @get("/loadBalancers")
    async def load_balancers(self, ports: Ports, principal: Asking, application: FromPath[str]) -> list[JsonObject]:
        """The load balancers that its server groups are behind."""
        groups = await live.server_groups(ports, principal, application)
        names = [name for one in groups for name in one.load_balancers]
        balancers = await live.load_balancers(ports, names)
        own = live.own_load_balancers(groups, await surroundings.load_balancers(ports, principal, application))
        return [*(live.load_balancer(provider, one, groups) for provider, one in balancers), *own]

    @get(["/functions", "/rawResources"])
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
        return await _shown(ports, [one for name in names for one in await live.server_groups(ports, principal, name)])

    @get("/serverGroups/{account:str}/{region:str}/{name:str}")
    async def server_group(
        self, ports: Ports, principal: Asking, account: FromPath[str], region: FromPath[str], name: FromPath[str]
    ) -> JsonObject:
        """One server group, of whatever application."""
        place = Place(account=account, region=region)
        [app] = await visible.of(ports, principal, [moniker.parse(name).app or name], str) or [""]
        seen = await live.described(ports, app)
        own = [one for one in seen.groups if one.place == place and live.has_name(one, name)]
        return await _one(ports, _only(own or await everything(ports, principal), place, name, missing=seen.missing))

    @get("/instances/{account:str}/{region:str}/{instance_id:str}")
    async def instance(
        self, ports: Ports, principal: Asking, account: FromPath[str], region: FromPath[str], instance_id: FromPath[str]
    ) -> JsonObject:
        """One instance."""
        found, named = await _instance(ports, principal, Place(account=account, region=region), instance_id)
        [group] = await live.with_load_balancers(ports, [replace(found, instances=(named,))])
        [one] = group.instances
        balancers: list[Json] = list(group.load_balancers)
        return {
            **live.instance(group, one),
            "account": account,
            "region": region,
            "cloudProvider": group.cloud_provider,
            "provider": group.cloud_provider,
            "serverGroup": live.name_of(group),
            "cluster": group.moniker.cluster,
            "application": group.moniker.app,
            "loadBalancers": balancers,
        }

    @get("/instances/{account:str}/{region:str}/{instance_id:str}/console")
    async def console(
        self, ports: Ports, principal: Asking, account: FromPath[str], region: FromPath[str], instance_id: FromPath[str]
    ) -> JsonObject:
        """The end of an instance's log; of a pod, which may be a job's, that of each of its containers."""
        place = Place(account=account, region=region)
        objects = manifests.of_account(ports, account)
        if objects is not None and instance_id.startswith(_POD):
            return {"output": await _of_pod(ports, principal, objects, place, instance_id.removeprefix(_POD))}
        group, one = await _instance(ports, principal, place, instance_id)
        if objects is not None:
            return {"output": await _of_pod(ports, principal, objects, place, one.id)}
        provider = ports.services.clouds[group.cloud_provider]
        return {"output": await provider.logs(group.place, group.name, one.id, _CONSOLE_LINES)}

    @get("/loadBalancers")
    async def load_balancers(self, ports: Ports, principal: Asking, provider: FromQuery[str] = "") -> list[JsonObject]:
        """Load balancers that the settings name or a server group is behind; not those that only serve what can't be read."""
        names, groups = await _all(ports, principal)
        balancers = [
            live.load_balancer(kind, balancer, groups)
            for kind, balancer in await live.load_balancers(ports, names)
            if provider in ("", kind)
            and (not balancer.shares or await visible.of(ports, principal, _applications_behind(balancer), str))
        ]
        seen = await surroundings.networking(ports, principal)
        own = live.own_load_balancers(groups, seen.load_balancers)
        return [*balancers, *(one for one in own if provider in ("", one["provider"]))]

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
                groups += [one for app in apps for one in await live.server_groups(ports, principal, app)]
                seen.append(live.load_balancer(kind, balancer, groups))
        place = {"account": account, "region": region, "name": name}
        if " " not in name:
            return seen
        networking = await surroundings.networking(ports, principal)
        every = live.own_load_balancers(await everything(ports, principal), networking.load_balancers)
        own = [one for one in every if place.items() <= one.items()]
        if not own:
            live.refuse_unseen(networking.missing, account)
        return [*seen, *own]


async def everything(ports: WebPorts, principal: Principal) -> list[ServerGroup]:
    """All server groups of all applications that are known and may be read."""
    return [*(await _described(ports, principal)).groups]


async def _described(ports: WebPorts, principal: Principal) -> Described:
    """As `everything`, with the accounts that don't answer."""
    names = await visible.of(ports, principal, await applications.known(ports), str)
    seen = await surroundings.workloads(ports, names)
    found = live.as_clouddriver(await visible.server_groups(ports, names), seen)
    readable = await visible.accounts(ports, principal, found, lambda one: one.place.account)
    missing = {account: problem for one in seen for account, problem in one.missing.items()}
    return Described(groups=tuple(readable), missing=missing)


async def _all(ports: WebPorts, principal: Principal) -> tuple[list[str], list[ServerGroup]]:
    groups = await everything(ports, principal)
    return [*ports.services.settings.load_balancers, *(name for one in groups for name in one.load_balancers)], groups


def _applications_behind(balancer: LoadBalancer) -> list[str]:
    groups = map(traffic.name_of, balancer.shares)
    return list(dict.fromkeys(moniker.parse(group).app or group for group in groups))


async def _shown(ports: WebPorts, groups: Iterable[ServerGroup], *, expands: bool = True) -> list[JsonObject]:
    judged = await live.with_load_balancers(ports, groups)
    return [live.server_group(one, expands=expands) for one in judged]


async def _one(ports: WebPorts, group: ServerGroup) -> JsonObject:
    [shown] = await _shown(ports, [group])
    return shown


async def _cluster(ports: WebPorts, application: str, account: str, name: str) -> list[ServerGroup]:
    seen = await live.described(ports, application)
    found = live.clusters(seen.groups).get((account, name))
    if not found:
        live.refuse_unseen(seen.missing, account)
        raise Refused(
            Problem(code="cluster.unknown", message=f"{application} has no cluster {name!r} in {account!r}."),
            status=404,
        )
    return found


async def _instance(
    ports: WebPorts, principal: Principal, place: Place, instance_id: str
) -> tuple[ServerGroup, Instance]:
    seen = await _described(ports, principal)
    for group in seen.groups:
        for one in group.instances:
            if live.is_instance(one, instance_id) and group.place == place:
                return group, one
    live.refuse_unseen(seen.missing, place.account)
    raise Refused(
        Problem(
            code="instance.unknown",
            message=f"There is no instance {instance_id!r} in {place.account}/{place.region}.",
        ),
        status=404,
    )


async def _of_pod(ports: WebPorts, principal: Principal, objects: LiveManifests, place: Place, name: str) -> list[Json]:
    """As Deck's job and instance pages want it; that there is no such pod is said as Clouddriver says it."""
    found = await objects.logs(place.account, place.region, name, lines=_CONSOLE_LINES)
    if found is None:
        return [{"name": "Error", "output": "Failed to retrieve pod data; pod may have been deleted."}]
    if found.application:
        await visible.refuse(ports, principal, Right.READ, found.application)
    return [{"name": one.name, "output": one.output} for one in found.containers]


def _only(
    groups: Iterable[ServerGroup], place: Place, name: str, *, missing: Mapping[str, Problem] = _NOTHING
) -> ServerGroup:
    for one in groups:
        if live.has_name(one, name) and one.place == place:
            return one
    live.refuse_unseen(missing, place.account)
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
