"""Live state in Clouddriver's form: server groups, clusters, instances and load balancers as the providers tell it now."""

from collections.abc import Iterable
from typing import TypeAlias

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Health, Instance, ServerGroup
from gennaker.interfaces.traffic import LoadBalancer
from gennaker.model.codec import Json, JsonObject, milliseconds
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


async def server_groups(ports: WebPorts, application: str) -> list[ServerGroup]:
    """As `visible.described`, for lists that can't say what is missing."""
    return [*(await visible.described(ports, application)).groups]


def clusters(groups: Iterable[ServerGroup]) -> Clusters:
    """The clusters that the server groups are of, each with its own, oldest first."""
    found: Clusters = {}
    for group in sorted(groups, key=lambda one: (one.created_at, one.name)):
        found.setdefault((group.place.account, group.moniker.cluster or group.name), []).append(group)
    return found


def server_group(group: ServerGroup, *, expands: bool = True) -> JsonObject:
    """As lists and panes show it."""
    moniker = group.moniker
    balancers: list[Json] = list(group.load_balancers)
    images: list[Json] = [group.image]
    return {
        "name": group.name,
        "account": group.place.account,
        "region": group.place.region,
        "cluster": moniker.cluster or group.name,
        "type": group.cloud_provider,
        "cloudProvider": group.cloud_provider,
        "moniker": {
            "app": moniker.app,
            "cluster": moniker.cluster,
            "stack": moniker.stack,
            "detail": moniker.detail,
            "sequence": moniker.sequence,
        },
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
        "serverGroupManagers": [],
    }


def instance(group: ServerGroup, one: Instance, *, expands: bool = True) -> JsonObject:
    """An instance; its health is what the provider's own probe says."""
    health: JsonObject = {
        "type": group.cloud_provider,
        "healthClass": "platform",
        "state": str(one.health),
        "description": one.health_reason,
    }
    shown: JsonObject = {
        "id": one.id,
        "name": one.id,
        "healthState": str(one.health),
        "health": [health],
        "launchTime": milliseconds(one.launched_at),
        "zone": group.place.region,
        "availabilityZone": group.place.region,
    }
    return {**shown, "address": one.address, "restarts": one.restarts} if expands else shown


def counts(groups: Iterable[ServerGroup]) -> JsonObject:
    """How many instances there are, and how many in which health."""
    instances = [one for group in groups for one in group.instances]
    counted: JsonObject = {name: sum(one.health is health for one in instances) for name, health in _COUNTED.items()}
    return {"total": len(instances), **counted}


def cluster(account: str, name: str, groups: list[ServerGroup], *, expands: bool) -> JsonObject:
    """A cluster, with its server groups or their names."""
    listed: list[Json] = [server_group(one) if expands else one.name for one in groups]
    balancers: list[Json] = [*dict.fromkeys(each for one in groups for each in one.load_balancers)]
    moniker = groups[0].moniker
    return {
        "name": name,
        "account": account,
        "accountName": account,
        "type": groups[0].cloud_provider,
        "provider": groups[0].cloud_provider,
        "application": moniker.app,
        "moniker": {"app": moniker.app, "cluster": name, "stack": moniker.stack, "detail": moniker.detail},
        "loadBalancers": balancers,
        "serverGroups": listed,
    }


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


def _behind(group: ServerGroup, balancer: LoadBalancer) -> JsonObject:
    share = balancer.shares.get(traffic.key(group.place, group.name))
    serving = share.addresses if share and share.weight else ()
    return {
        "name": group.name,
        "account": group.place.account,
        "region": group.place.region,
        "cloudProvider": group.cloud_provider,
        "isDisabled": group.is_disabled,
        "weight": share.weight if share else 0,
        "instances": [
            {
                "id": one.id,
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
