"""What an account's watches show: server groups, what manages them, and how they are reached.

All of it is of the namespaces that the account may use; what its user may not list counts as if there were none.
What Spinnaker's stages haven't deployed is never shown: an annotation says whose an object is.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from gennaker.interfaces.clouds import Place, ServerGroup
from gennaker.interfaces.surroundings import (
    Firewall,
    Managed,
    Networking,
    Resource,
    Rule,
    Workloads,
    networking_of,
    workloads_of,
)
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import annotations, diagnosing, kinds, manifests, server_group_manifests
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.objects import Objects
from gennaker.plugins.kubernetes.pod_events import PodEvents
from gennaker.plugins.kubernetes.server_group_manifests import CAPACITY

_POD, _SERVICE, _INGRESS, _POLICY = map(Kind, ("pod", "service", "ingress", "networkPolicy"))
_REPLICA_SET, _DEPLOYMENT, _DAEMON_SET = map(Kind, ("replicaSet", "deployment", "daemonSet"))
_FORBIDDEN = 403

Found = TypeVar("Found")
Seen = Mapping[tuple[str, str], JsonObject]
"""By namespace and name."""


async def server_groups(
    objects: Objects, application: str | None, events: PodEvents, at: datetime
) -> list[ServerGroup]:
    """An application's, without one those of all. Raises Refused, ApiFailure."""

    async def look(namespace: str) -> list[ServerGroup]:
        seen = {kind: await objects.everywhere(kind, namespace) for kind in server_group_manifests.KINDS}
        live = [one for group in seen.values() for one in group.values() if _counts(objects, one, application)]
        return await _groups(objects, namespace, seen[_REPLICA_SET], live, events=events, at=at)

    return [one for found in await _in_each(objects, look) for one in found]


async def demand_sight(objects: Objects, namespace: str) -> None:
    """Raises Refused where the account's user may not list what a server group is made of: it would count as destroyed. And ApiFailure."""
    for kind in (*server_group_manifests.KINDS, _POD, _SERVICE):
        await objects.everywhere(kind, namespace)


async def workloads(objects: Objects, application: str | None, events: PodEvents, at: datetime) -> Workloads:
    """Deployments that were deployed as manifests, with their ReplicaSets, and DaemonSets. Raises Refused, ApiFailure.

    A Deployment that `createServerGroup` has made is a server group itself: its stages name it, not its ReplicaSet.
    """

    async def look(namespace: str) -> Workloads:
        sets = await objects.everywhere(_REPLICA_SET, namespace)
        managers = [
            one
            for one in (await objects.everywhere(_DEPLOYMENT, namespace)).values()
            if CAPACITY not in manifests.annotations(one) and _counts(objects, one, application)
        ]
        owned = server_group_manifests.by_owner(sets.values() if managers else ())
        managed = [one for manager in managers for one in owned.get(_uid(manager), ())]
        daemons = [one for one in await _listed(objects, _DAEMON_SET, namespace) if _counts(objects, one, application)]
        groups = await _groups(objects, namespace, sets, [*managed, *daemons], events=events, at=at)
        shown = {(one.kind, one.place.region, one.name): one for one in groups}
        return Workloads(
            managers=tuple(
                Managed(
                    resource=_resource(objects, one),
                    groups=tuple(
                        replace(shown[_named(each)], managers=(manifests.name(one),))
                        for each in owned.get(_uid(one), ())
                    ),
                )
                for one in managers
            ),
            others=tuple(shown[_named(one)] for one in daemons),
        )

    return workloads_of(await _in_each(objects, look))


async def networking(objects: Objects, application: str | None) -> Networking:
    """Services, Ingresses and NetworkPolicies. Raises Refused, ApiFailure."""

    async def look(namespace: str) -> Networking:
        found = {
            kind: [one for one in await _listed(objects, kind, namespace) if _is_own(objects, one, application)]
            for kind in (_SERVICE, _INGRESS, _POLICY)
        }
        return Networking(
            load_balancers=tuple(_resource(objects, one) for one in found[_SERVICE] + found[_INGRESS]),
            firewalls=tuple(_firewall(objects, one) for one in found[_POLICY]),
        )

    return networking_of(await _in_each(objects, look))


async def _in_each(objects: Objects, look: Callable[[str], Awaitable[Found]]) -> list[Found]:
    """What each namespace shows of those that may be looked at; empty text: all are one."""
    found: list[Found] = []
    for namespace in objects.account.settings.namespaces or ("",):
        try:
            found.append(await look(namespace))
        except Refused as refused:
            if refused.status != _FORBIDDEN:
                raise
    return found


async def _listed(objects: Objects, kind: Kind, namespace: str) -> Iterable[JsonObject]:
    """None where the account's user may not list them, or the cluster has no such kind."""
    if objects.account.kind_problem(kind) is not None or await objects.known(kind) is None:
        return ()
    try:
        return (await objects.everywhere(kind, namespace)).values()
    except Refused as refused:
        if refused.status != _FORBIDDEN:
            raise
        return ()


async def _groups(
    objects: Objects, namespace: str, sets: Seen, live: list[JsonObject], *, events: PodEvents, at: datetime
) -> list[ServerGroup]:
    """The server groups that live workloads are."""
    if not live:
        return []
    pods = await objects.everywhere(_POD, namespace)
    around = server_group_manifests.around(pods.values(), sets.values(), await objects.everywhere(_SERVICE, namespace))
    late = server_group_manifests.prepared_for_long(pods.values(), at)
    if late:
        own = (pod for one in live for pod in around.pods_of(one))
        late = server_group_manifests.prepared_for_long(own, at)
    lacking = {
        manifests.namespace(one)
        for one in live
        if diagnosing.says_by_events(one) and diagnosing.lacks_pods(one, around.pods_of(one))
    }
    around = replace(around, events=await events.of(objects, late | lacking))
    return [server_group_manifests.group_of(one, objects.account.name, around, at=at) for one in live]


def _counts(objects: Objects, live: JsonObject, application: str | None) -> bool:
    """Whether it is a server group of the application, without one of any."""
    may = objects.account.namespace_problem(manifests.namespace(live)) is None
    wanted = (annotations.moniker(live).app or "") if application is None else application
    return may and server_group_manifests.is_of(live, wanted)


def _is_own(objects: Objects, live: JsonObject, application: str | None) -> bool:
    is_own = annotations.APPLICATION in manifests.annotations(live) and annotations.is_listed(live)
    may = is_own and objects.account.namespace_problem(manifests.namespace(live)) is None
    return may and (application is None or annotations.is_of(live, application))


def _resource(objects: Objects, live: JsonObject) -> Resource:
    return Resource(
        kind=str(kinds.of(live)),
        api_version=foreign.text_at(live, "apiVersion"),
        name=manifests.name(live),
        place=Place(account=objects.account.name, region=manifests.namespace(live)),
        cloud_provider="kubernetes",
        moniker=annotations.moniker(live),
        created_at=server_group_manifests.created_at(live),
        labels=manifests.labels(live),
    )


def _firewall(objects: Objects, live: JsonObject) -> Firewall:
    spec = manifests.spec(live)
    return Firewall(
        resource=_resource(objects, live),
        inbound=tuple(_rules(foreign.mappings_at(spec, "ingress"))),
        outbound=tuple(_rules(foreign.mappings_at(spec, "egress"))),
    )


def _rules(ways: Iterable[JsonObject]) -> Iterator[Rule]:
    """One of each port."""
    for way in ways:
        for one in foreign.mappings_at(way, "ports"):
            first = _port(one.get("port"))
            last = _port(one.get("endPort"))
            protocol = foreign.text_at(one, "protocol") or None
            yield Rule(protocol=protocol, first=first, last=first if last is None else last)


def _port(written: Json) -> int | str | None:
    """A number, or a name that a container gives it."""
    return written if isinstance(written, str) else manifests.whole(written)


def _named(live: JsonObject) -> tuple[str, str, str]:
    return str(kinds.of(live)), manifests.namespace(live), manifests.name(live)


def _uid(live: JsonObject) -> str:
    return foreign.text_at(manifests.metadata(live), "uid")
