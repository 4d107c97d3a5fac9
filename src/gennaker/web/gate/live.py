"""Live state in Clouddriver's form: server groups, clusters, instances and load balancers as the providers tell it now."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from gennaker.interfaces import health, pools, traffic
from gennaker.interfaces.clouds import Described, Health, HealthSource, Instance, Place, ServerGroup
from gennaker.interfaces.surroundings import Resource, Surrounded, Workloads
from gennaker.interfaces.traffic import LoadBalancer
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.moniker import Moniker
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.transport import pools_asked
from gennaker.web import visible
from gennaker.web.ports import WebPorts

_COUNTED = {
    "up": Health.UP,
    "down": Health.DOWN,
    "starting": Health.STARTING,
    "succeeded": Health.SUCCEEDED,
    "failed": Health.FAILED,
    "unknown": Health.UNKNOWN,
    "outOfService": Health.OUT_OF_SERVICE,
}
Clusters: TypeAlias = dict[tuple[str, str], list[ServerGroup]]
"""By account and name."""


async def described(ports: WebPorts, application: str) -> Described:
    """As `visible.described`, in Clouddriver's view: what a server group manager has made, in the place of that manager."""
    found = await visible.described(ports, application)
    seen = await workloads(ports, application)
    missing = {account: problem for one in seen for account, problem in one.missing.items()}
    return Described(groups=as_clouddriver(found.groups, seen), missing={**missing, **found.missing})


async def server_groups(ports: WebPorts, principal: Principal, application: str) -> list[ServerGroup]:
    """As `described`, for lists that can't say what is missing: those of accounts that may be read."""
    found = (await described(ports, application)).groups
    return await visible.accounts(ports, principal, found, lambda one: one.place.account)


def refuse_unseen(missing: Mapping[str, Problem], account: str) -> None:
    """For whoever names one thing of an account: that it can't be seen doesn't mean that it isn't there. Raises Refused(503)."""
    if account in missing:
        raise Refused(missing[account], status=503)


async def workloads(ports: WebPorts, application: str) -> list[Workloads]:
    """What providers have of the application beside server groups that stages make."""
    return [await one.workloads(application) for one in surrounded(ports)]


def surrounded(ports: WebPorts) -> list[Surrounded]:
    """The cloud providers that have more than server groups."""
    return [one for one in ports.services.clouds.values() if isinstance(one, Surrounded)]


def as_clouddriver(groups: Iterable[ServerGroup], seen: Iterable[Workloads]) -> tuple[ServerGroup, ...]:
    """The server groups with those that managers have made in the place of the managers, and with those of other kinds."""
    workloads = [*seen]
    managers = [manager for one in workloads for manager in one.managers]
    managed = {(one.resource.place, one.resource.full_name) for one in managers}
    plain = (one for one in groups if (one.place, name_of(one)) not in managed)
    others = (group for one in workloads for group in one.others)
    return (*plain, *(group for one in managers for group in one.groups), *others)


def clusters(groups: Iterable[ServerGroup]) -> Clusters:
    """The clusters that the server groups are of, each with its own, oldest first."""
    found: Clusters = {}
    for group in sorted(groups, key=lambda one: (one.created_at, one.name)):
        found.setdefault((group.place.account, group.moniker.cluster or group.name), []).append(group)
    return found


def name_of(group: ServerGroup) -> str:
    """As Clouddriver names it: on Kubernetes with its kind before it."""
    return f"{group.kind} {group.name}" if group.kind else group.name


def has_name(group: ServerGroup, name: str) -> bool:
    """Whether it is meant: by Clouddriver's name, or by its own."""
    return name in (group.name, name_of(group))


def server_group(group: ServerGroup, *, expands: bool = True) -> JsonObject:
    """As lists and panes show it."""
    balancers: list[Json] = list(group.load_balancers)
    images: list[Json] = [group.image]
    shown: JsonObject = {
        "name": name_of(group),
        "account": group.place.account,
        "region": group.place.region,
        "cluster": group.moniker.cluster or group.name,
        "type": group.cloud_provider,
        "cloudProvider": group.cloud_provider,
        "moniker": moniker(group.moniker),
        "createdTime": milliseconds(group.created_at),
        "isDisabled": group.is_disabled,
        "disabled": group.is_disabled,
        "zones": [group.place.region],
        "instances": [instance(group, one, expands=expands) for one in group.instances],
        "instanceCounts": counts([group]),
        "capacity": {"min": group.capacity.min, "max": group.capacity.max, "desired": group.capacity.desired},
        "loadBalancers": balancers,
        "securityGroups": [],
        "launchConfig": {},
        "labels": {**group.labels},
        "tags": {},
        "image": {"reference": group.image, "version": group.version},
        "buildInfo": {"images": images, "version": group.version},
        "serverGroupManagers": [
            {"account": group.place.account, "location": group.place.region, "name": one} for one in group.managers
        ],
    }
    return shown | _of_kind(group)


def moniker(found: Moniker) -> JsonObject:
    """What a name says."""
    return {
        "app": found.app,
        "cluster": found.cluster,
        "stack": found.stack,
        "detail": found.detail,
        "sequence": found.sequence,
    }


def _of_kind(group: ServerGroup) -> JsonObject:
    """What Clouddriver shows of a workload of Kubernetes otherwise: no zones, and limits of its size only where it has them."""
    if not group.kind:
        return {}
    low, high, desired = group.capacity.min, group.capacity.max, group.capacity.desired
    images: list[Json] = [*group.images]
    balancers: list[Json] = [*group.services, *group.load_balancers]
    limits: JsonObject = {"min": low, "max": high} if (low, high) != (desired, desired) else {}
    return {
        "displayName": group.name,
        "kind": group.kind,
        "apiVersion": group.api_version,
        "namespace": group.place.region,
        "zones": [],
        "capacity": {**limits, "desired": desired},
        "loadBalancers": balancers,
        "buildInfo": {"images": images, "version": group.version},
    }


def instance(group: ServerGroup, one: Instance, *, expands: bool = True) -> JsonObject:
    """An instance, with an entry for each that says something of its health."""
    entries: list[Json] = [_entry(each, group.load_balancers) for each in pools.sources(group, one)]
    shown: JsonObject = {
        **_named(group, one),
        "healthState": str(one.health),
        "health": entries,
        "launchTime": milliseconds(one.launched_at),
        "zone": group.place.region,
        "availabilityZone": group.place.region,
    }
    return {**shown, "address": one.address, "restarts": one.restarts} if expands else shown


def _entry(said: HealthSource, load_balancers: Iterable[str]) -> JsonObject:
    entry: JsonObject = {"type": said.type, "state": str(said.state), "description": said.reason}
    if said.type == health.LOAD_BALANCER:
        balancers: list[Json] = [{"name": one} for one in load_balancers]
        return {**entry, "loadBalancers": balancers}
    return {**entry, "healthClass": "platform"} if said.is_platform else entry


def _named(group: ServerGroup, one: Instance) -> JsonObject:
    """A pod's id is its uid."""
    return {"id": one.uid or one.id, "name": f"pod {one.id}"} if group.kind else {"id": one.id, "name": one.id}


def is_instance(one: Instance, named: str) -> bool:
    """Whether it is meant: by its id, its uid, or Clouddriver's `pod NAME`."""
    return named in (one.id, one.uid or one.id, f"pod {one.id}")


def counts(groups: Iterable[ServerGroup]) -> JsonObject:
    """How many instances there are, and how many in which health."""
    instances = [one for group in groups for one in group.instances]
    counted: JsonObject = {name: sum(one.health is health for one in instances) for name, health in _COUNTED.items()}
    return {"total": len(instances), **counted}


def cluster(account: str, name: str, groups: list[ServerGroup], *, listed: list[Json]) -> JsonObject:
    """A cluster, with its server groups `listed` as the route shows them."""
    balancers: list[Json] = [*dict.fromkeys(each for one in groups for each in one.load_balancers)]
    own = groups[0].moniker
    return {
        "name": name,
        "account": account,
        "accountName": account,
        "type": groups[0].cloud_provider,
        "provider": groups[0].cloud_provider,
        "application": own.app,
        "moniker": {"app": own.app, "cluster": name, "stack": own.stack, "detail": own.detail},
        "loadBalancers": balancers,
        "serverGroups": listed,
    }


async def with_load_balancers(ports: WebPorts, groups: Iterable[ServerGroup]) -> list[ServerGroup]:
    """The same server groups, with what load balancers say of their instances; each load balancer is asked once."""
    listed = [*groups]
    names = list(dict.fromkeys(name for one in listed for name in one.load_balancers))
    found = await asyncio.gather(
        *(pools_asked.or_silence(ports.services.silences, name, _pool(ports, name)) for name in names)
    )
    known = {name: pool for name, pool in zip(names, found, strict=True) if pool is not None}
    return [pools.judged(one, known) for one in listed]


async def _pool(ports: WebPorts, name: str) -> pools.Pool | None:
    found: pools.Pool | None = None
    for provider in ports.services.traffic.values():
        found = found or await pools.find(provider, name)
    return found


async def load_balancers(ports: WebPorts, names: Iterable[str]) -> list[tuple[str, LoadBalancer]]:
    """Those that a traffic provider knows, each with its provider's name."""
    wanted = list(dict.fromkeys(names))
    found: list[tuple[str, LoadBalancer]] = []
    for provider in ports.services.traffic.values():
        for name in wanted:
            balancer = await provider.describe(name)
            if balancer is not None:
                found.append((provider.name, balancer))
    return found


def load_balancer(provider: str, balancer: LoadBalancer, groups: Iterable[ServerGroup]) -> JsonObject:
    """A load balancer with the server groups that are behind it, and their parts of its traffic."""
    behind = [one for one in groups if balancer.name in one.load_balancers]
    first = behind[0] if behind else None
    return {
        "name": balancer.name,
        "type": provider,
        "cloudProvider": first.cloud_provider if first else provider,
        "provider": provider,
        "account": first.place.account if first else "",
        "region": first.place.region if first else "",
        "address": balancer.address,
        "serverGroups": [_behind(one, balancer) for one in behind],
        "securityGroups": [],
        "instances": [],
    }


def own_load_balancers(groups: Iterable[ServerGroup], resources: Iterable[Resource]) -> list[JsonObject]:
    """The load balancers that providers have themselves (Services, Ingresses), with the server groups that are behind each.

    One that isn't among the `resources` is shown as well where a server group is behind it, as far as that tells of it.
    """
    behind: dict[tuple[Place, str], list[ServerGroup]] = {}
    for group in groups:
        for name in group.services:
            behind.setdefault((group.place, name), []).append(group)
    known = {(one.place, one.full_name): resource(one) for one in resources}
    shown = {key: known.get(key) or _only_named(*key, found[0]) for key, found in behind.items()}
    return [
        {
            **one,
            "serverGroups": [_behind_service(each) for each in behind.get(key, ())],
            "securityGroups": [],
            "instances": [],
        }
        for key, one in {**known, **shown}.items()
    ]


def resource(one: Resource) -> JsonObject:
    """What Clouddriver shows of each thing of Kubernetes."""
    return {
        "name": one.full_name,
        "displayName": one.name,
        "kind": one.kind,
        "apiVersion": one.api_version,
        **_typed(one.cloud_provider),
        **placed(one.place),
        "moniker": moniker(one.moniker),
        "labels": {**one.labels},
        "createdTime": milliseconds(one.created_at),
    }


def _only_named(place: Place, name: str, behind: ServerGroup) -> JsonObject:
    kind, _, bare = name.partition(" ")
    return {
        "name": name,
        "displayName": bare,
        "kind": kind,
        **_typed(behind.cloud_provider),
        **placed(place),
        "moniker": {"app": behind.moniker.app, "cluster": name},
    }


def _typed(provider: str) -> JsonObject:
    return {"type": provider, "cloudProvider": provider, "provider": provider}


def placed(place: Place) -> JsonObject:
    """Where something is, by all the names that Clouddriver has for it."""
    return {"account": place.account, "region": place.region, "namespace": place.region}


def _behind_service(group: ServerGroup) -> JsonObject:
    return {
        "name": name_of(group),
        "account": group.place.account,
        "region": group.place.region,
        "cloudProvider": group.cloud_provider,
        "isDisabled": group.is_disabled,
        "instances": [
            {
                **_named(group, one),
                "zone": group.place.region,
                "health": {"type": group.cloud_provider, "state": str(one.health)},
            }
            for one in group.instances
        ],
        "detachedInstances": [],
    }


def _behind(group: ServerGroup, balancer: LoadBalancer) -> JsonObject:
    share = balancer.shares.get(traffic.key(group.place, group.name))
    serving = share.addresses if share and share.weight else ()
    return {
        "name": name_of(group),
        "account": group.place.account,
        "region": group.place.region,
        "cloudProvider": group.cloud_provider,
        "isDisabled": group.is_disabled,
        "weight": share.weight if share else 0,
        "instances": [
            {
                **_named(group, one),
                "zone": group.place.region,
                "health": {
                    "type": group.cloud_provider,
                    "state": _traffic_state(one, serving),
                },
            }
            for one in group.instances
        ],
        "detachedInstances": [],
    }


def _traffic_state(one: Instance, addresses: tuple[str, ...]) -> str:
    return "InService" if one.address in addresses else "OutOfService"
