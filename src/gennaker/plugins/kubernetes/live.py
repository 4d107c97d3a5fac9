"""The port `LiveManifests` over Kubernetes' accounts: what objects are now, and where they are no longer what was applied.

Drift is what applying the same again would change: the API server's defaults are no drift, nor is what others have added
beside it. Where an object's managed fields show that nothing would change, nobody is asked; else the API server says it (dry
run). Of a versioned manifest the newest version counts. Objects are found by the label of what manages them, in the kinds that
Spinnaker knows and the account's custom ones; nothing is watched for it.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

import structlog

from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.manifests import (
    Drift,
    Drifts,
    DriftState,
    ListedManifest,
    LiveManifest,
    Located,
    ManifestCluster,
    PodLogs,
)
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import (
    accounts,
    annotations,
    asking,
    confidential,
    differences,
    kinds,
    managers,
    manifests,
    pod_logs,
    pruning,
    readiness,
    replacing,
    resolving,
    server_group_manifests,
    targets,
    versions,
)
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.objects import FIELD_MANAGER, Objects
from gennaker.plugins.kubernetes.patience import patiently
from gennaker.plugins.kubernetes.pruning import Item

log = structlog.get_logger()

Found = TypeVar("Found")
Recorded = Callable[[str, str], Awaitable[Mapping[Item, str]]]
_AT_A_TIME = 8
_ACCOUNTS_AT_A_TIME = 4
_FORBIDDEN, _NOT_FOUND = 403, 404
_EVENT = Kind("event")
_NOBODY_APPLIES = frozenset({"event", "controllerRevision", "pod", "podPreset", "podSecurityPolicy"})
"""Made by others, or gone from Kubernetes. A pod that was applied by itself is changed by nobody: it can't be."""


class KubernetesManifests:
    """All Kubernetes accounts."""

    def __init__(self, known: Callable[[], Mapping[str, Account]], recorded: Recorded | None = None) -> None:
        """`known` is asked each time, and `recorded` for what an application's stages have applied in an account."""
        self._known = known
        self._recorded = recorded

    @classmethod
    def of(cls, services: Services) -> "KubernetesManifests":
        """The server's own."""
        return cls(partial(accounts.all_of, services), partial(pruning.recorded, services))

    @property
    def name(self) -> str:
        """Spinnaker's `cloudProvider`."""
        return "kubernetes"

    @property
    def accounts(self) -> frozenset[str]:
        """Those of the settings."""
        return frozenset(self._known())

    def spinnaker_kinds(self, account: str) -> Mapping[str, str]:
        """Those that Spinnaker knows, and the account's custom ones."""
        own = self._objects(account).account
        return {str(one): str(own.custom.of(one).spinnaker_kind) for one in _kinds(own)}

    async def read(self, account: str, location: str, name: str, *, with_events: bool = False) -> LiveManifest:
        """Asks the API server."""
        objects = self._objects(account)
        kind, bare = kinds.parse_full_name(name)
        where = Coordinates(kind=kind, namespace=location, name=bare)
        live = await _look(partial(resolving.live, objects, where))
        events = await _look(partial(_events, objects, live)) if with_events else ()
        return LiveManifest(
            account=account,
            location=manifests.namespace(live),
            name=manifests.full_name(live),
            moniker=annotations.moniker(live),
            manifest=confidential.without_secrets(live),
            status=foreign.mapping(to_json(readiness.of(live, objects.account.readiness))),
            artifacts=tuple(replacing.find(live)),
            events=events,
        )

    async def logs(self, account: str, location: str, pod: str, *, lines: int) -> PodLogs | None:
        """Asks the API server."""
        return await _look(partial(pod_logs.read, self._objects(account), location, pod, lines=lines))

    async def of_kind(self, kind: str, namespace: str, accounts: frozenset[str]) -> tuple[ListedManifest, ...]:
        """Four accounts at a time; of kinds that an account doesn't know nothing is asked."""
        meant = kinds.parse(kind)
        looks = [partial(self._of_kind_in, name, meant, namespace) for name in sorted(accounts & self.accounts)]
        found = await asking.several(looks, at_a_time=_ACCOUNTS_AT_A_TIME)
        return tuple(one for listed in found for one in listed)

    async def of_cluster(self, cluster: ManifestCluster) -> tuple[Located, ...]:
        """By their annotations."""
        found = await self._of_cluster(cluster)
        return tuple(_located(one) for one in sorted(found, key=manifests.created))

    async def target(self, cluster: ManifestCluster, criteria: str) -> Located:
        """By the same criteria as stages."""
        return _located(targets.choose(criteria, await self._of_cluster(cluster), cluster.name))

    async def drift(self, application: str, accounts: frozenset[str]) -> Drifts:
        """Four accounts at a time, lest one that doesn't answer keep all others waiting; of each eight objects at a time."""
        names = sorted(accounts & self.accounts)
        looks = [partial(self._drift_in, name, application) for name in names]
        looked = await asking.several(looks, at_a_time=_ACCOUNTS_AT_A_TIME)
        found = [one for drifts, _ in looked for one in drifts]
        missing = {name: problem for name, (_, problem) in zip(names, looked, strict=True) if problem is not None}
        ordered = sorted(found, key=lambda one: (one.account, one.location, one.name))
        return Drifts(objects=tuple(ordered), missing=missing)

    async def _drift_in(self, account: str, application: str) -> tuple[list[Drift], Problem | None]:
        """In an account, and what of it can't be seen."""
        objects = self._objects(account)
        try:
            applied, unread = await _applied(objects, application)
            looks = [partial(_look, partial(_drift, objects, one)) for one in applied]
            found = await asking.several(looks, at_a_time=_AT_A_TIME)
            found += await self._missing(objects, application, unread)
        except Refused as refused:
            return [], _unseen(account, refused)
        return found, _unread(account, unread) if unread else None

    async def _missing(self, objects: Objects, application: str, unread: list[str]) -> list[Drift]:
        items = {} if self._recorded is None else await self._recorded(objects.account.name, application)
        unseen = {kinds.parse(one).key for one in unread}
        looked = [
            item for item in items if item.kind not in unseen and objects.account.kind_problem(item.is_of) is None
        ]
        there = await _look(partial(pruning.live, objects, looked))
        return [
            Drift(
                account=objects.account.name,
                location=item.namespace,
                name=f"{item.is_of} {item.name}",
                state=DriftState.MISSING,
                why=f"The {items[item]} has applied it, and it isn't there.",
            )
            for item in looked
            if there[item] == []
        ]

    async def _of_kind_in(self, account: str, kind: Kind, namespace: str) -> list[ListedManifest]:
        objects = self._objects(account)
        own = {one.key: one for one in _kinds(objects.account)}
        if kind.key not in own or objects.account.namespace_problem(namespace) is not None:
            return []
        try:
            found = await objects.list(own[kind.key], namespace)
        except (Refused, ApiFailure) as error:  # it hides nothing of the others
            log.info("kubernetes.unlisted", account=account, kind=str(kind), namespace=namespace, why=str(error))
            return []
        spinnaker_kind = str(objects.account.custom.of(own[kind.key]).spinnaker_kind)
        return [
            ListedManifest(
                account=account,
                where=_located(one),
                spinnaker_kind=spinnaker_kind,
                application=annotations.moniker(one).app or "",
                cluster=annotations.moniker(one).cluster or "",
            )
            for one in found
            if manifests.namespace(one) == namespace and annotations.is_listed(one)
        ]

    async def _of_cluster(self, cluster: ManifestCluster) -> list[JsonObject]:
        objects = self._objects(cluster.account)
        there = await _look(partial(objects.list, kinds.parse(cluster.kind), cluster.location))
        return targets.of_cluster(there, cluster.application, cluster.name)

    def _objects(self, account: str) -> Objects:
        found = self._known().get(account)
        if found is None:
            raise Refused(
                Problem(code="kubernetes.account", message=f"There is no Kubernetes account {account!r}."),
                status=_NOT_FOUND,
            )
        return Objects(found)


async def _look(ask: Callable[[], Awaitable[Found]]) -> Found:
    return await patiently(ask)


async def _events(objects: Objects, live: JsonObject) -> tuple[JsonObject, ...]:
    """Oldest first; none where the account may not see them."""
    uid = foreign.text_at(manifests.metadata(live), "uid")
    try:
        found = await objects.list(_EVENT, manifests.namespace(live), fields=f"involvedObject.uid={uid}")
    except Refused as refused:
        if refused.status != _FORBIDDEN:
            raise
        return ()
    own = [one for one in found if foreign.mapping(one.get("involvedObject")).get("uid") == uid]
    return tuple(sorted(own, key=lambda one: foreign.text_at(one, "lastTimestamp") or manifests.created(one)))


async def _applied(objects: Objects, application: str) -> tuple[list[JsonObject], list[str]]:
    """What the application has in an account, and the kinds that can't be listed there."""
    looks = [
        partial(_look, partial(_labelled, objects, kind, space))
        for kind in _kinds(objects.account)
        if kind.name not in _NOBODY_APPLIES
        for space in (objects.account.settings.namespaces if _has_namespaces(kind) else ()) or ("",)
    ]
    listed = await asking.several(looks, at_a_time=_AT_A_TIME)
    own = [one for found in listed if not isinstance(found, str) for one in found if _counts(objects, one, application)]
    return _newest(own), sorted({found for found in listed if isinstance(found, str)})


async def _labelled(objects: Objects, kind: Kind, namespace: str) -> list[JsonObject] | str:
    """The kind's name where it can't be listed."""
    if await objects.known(kind) is None:
        return []
    try:
        return await objects.list_anywhere(kind, namespace, f"{annotations.MANAGED_BY}={objects.account.managed_by}")
    except Refused as refused:
        if refused.status != _FORBIDDEN:
            raise
        return str(kind)


def _kinds(account: Account) -> list[Kind]:
    custom = [kinds.parse(one.kind) for one in account.settings.custom_resources]
    return [one for one in dict.fromkeys((*kinds.known(), *custom)) if account.kind_problem(one) is None]


def _has_namespaces(kind: Kind) -> bool:
    return kinds.properties(kind).is_namespaced


def _counts(objects: Objects, one: JsonObject, application: str) -> bool:
    """Not what a controller has made of something that was applied: it has the labels of that, too. Nor server groups.

    Those of `createServerGroup` are never applied: their stages change one property after another.
    """
    if server_group_manifests.CAPACITY in manifests.annotations(one):
        return False
    owners = foreign.mappings_at(manifests.metadata(one), "ownerReferences")
    is_made = any(foreign.flag(owner.get("controller")) for owner in owners)
    is_own = (annotations.moniker(one).app or "").lower() == application.lower()
    return is_own and not is_made and objects.account.namespace_problem(manifests.namespace(one)) is None


def _newest(own: list[JsonObject]) -> list[JsonObject]:
    """Of versions of one thing the newest; what has no version as it is."""
    chosen: dict[tuple[str, str, str], JsonObject] = {}
    groups: dict[tuple[str, str, str], list[JsonObject]] = {}
    for one in own:
        artifact = annotations.artifact(one)
        name = (artifact.name if artifact is not None and artifact.version else None) or manifests.name(one)
        groups.setdefault((kinds.of(one).key, manifests.namespace(one), name), []).append(one)
    for key, group in groups.items():
        newest = versions.newest(key[2], group)
        chosen[key] = next((one for one in group if manifests.name(one) == newest), group[0])
    return [*chosen.values()]


async def _drift(objects: Objects, live: JsonObject) -> Drift:
    """Raises Refused, ApiFailure."""
    seen = partial(
        Drift, account=objects.account.name, location=manifests.namespace(live), name=manifests.full_name(live)
    )
    desired = annotations.desired(live)
    if desired is None:
        return seen(state=DriftState.UNKNOWN, why="Nothing says what was applied last.")
    if managers.is_as_applied(live, desired, manager=FIELD_MANAGER, but=annotations.COPIES):
        return seen(state=DriftState.SAME)
    own = {**manifests.metadata(desired), "namespace": manifests.namespace(live)} if manifests.namespace(live) else {}
    try:
        after = await objects.apply({**desired, **({"metadata": own} if own else {})}, is_forced=True, is_dry=True)
    except Refused as refused:
        if refused.status == _FORBIDDEN:
            raise
        return seen(state=DriftState.UNKNOWN, why="; ".join(one.message for one in refused.problems))
    fields = managers.owned(live)
    changes = tuple(_change(one, fields) for one in foreign.mappings_at(differences.between(live, after), "changes"))
    return seen(state=DriftState.DRIFTED if changes else DriftState.SAME, changes=changes)


def _change(change: JsonObject, fields: dict[str, frozenset[str]]) -> JsonObject:
    path = foreign.text_at(change, "path")
    by: list[Json] = [*managers.of_path(fields, path)]
    named = {"live": "before", "desired": "after"}
    values: JsonObject = {name: change[key] for name, key in named.items() if key in change}
    return {"path": path, **values, "by": by}


def _located(live: JsonObject) -> Located:
    where = manifests.coordinates(live)
    return Located(kind=str(where.kind), namespace=where.namespace, name=where.name)


def _unseen(account: str, refused: Refused) -> Problem:
    said = "; ".join(one.message for one in refused.problems)
    return Problem(
        code="kubernetes.unseen",
        message=f"What was applied in the account {account} can't be looked at: {said}",
        remedy="See to its API server, and to the rights of the account's user (list, and patch for the dry run).",
    )


def _unread(account: str, unread: list[str]) -> Problem:
    return Problem(
        code="kubernetes.unread",
        message=f"The account {account} may not list objects of the kinds {', '.join(unread)}: they weren't looked at.",
        remedy="Give the account's user the right to list them, or leave them out by omit-kinds.",
    )
