"""Live manifests: objects as a cluster has them now, and how they differ from what was deployed."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from gennaker.model.artifact import Artifact
from gennaker.model.codec import JsonObject
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Problem


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """Which object of an account."""

    kind: str
    namespace: str
    """Empty: its kind has none."""
    name: str
    """Without its kind."""


class ManifestCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Objects of one kind that were deployed as one cluster."""

    account: str
    location: str
    kind: str
    application: str
    name: str
    """`replicaSet web`"""


class ListedManifest(msgspec.Struct, frozen=True, kw_only=True):
    """An object in a list."""

    account: str
    where: Located
    spinnaker_kind: str
    """What its kind is in Spinnaker's model: `serverGroups`."""
    application: str
    """Whose it is; empty: nobody has said so."""
    cluster: str


class LiveManifest(msgspec.Struct, frozen=True, kw_only=True):
    """An object, without what is confidential in it."""

    account: str
    location: str
    """Its namespace; empty: it has none."""
    name: str
    """`replicaSet web-v003`"""
    moniker: Moniker
    manifest: JsonObject
    status: JsonObject
    """`stable`, `paused`, `available` and `failed`, each `{state, message}`."""
    artifacts: tuple[Artifact, ...] = ()
    """What it refers to."""
    events: tuple[JsonObject, ...] = ()


class ContainerLog(msgspec.Struct, frozen=True, kw_only=True):
    """What a container has written."""

    name: str
    output: str
    """The end of its log, or why there is none."""


class PodLogs(msgspec.Struct, frozen=True, kw_only=True):
    """What the containers of a pod have written."""

    application: str
    """Whose it is; empty: nothing says so."""
    containers: tuple[ContainerLog, ...]
    """Those first that run before the others."""


class DriftState(StrEnum):
    """How a live object stands to what was applied last."""

    SAME = "same"
    DRIFTED = "drifted"
    MISSING = "missing"
    """A stage that still exists has applied it, and it isn't there."""
    UNKNOWN = "unknown"
    """Nothing says what was applied, or the API server wouldn't have it now."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One object."""

    account: str
    location: str
    name: str
    state: DriftState
    changes: tuple[JsonObject, ...] = ()
    """`{path, live, desired, by: [field managers]}`: where applying it again would change it."""
    why: str = ""
    """Why it is unknown."""


class Drifts(msgspec.Struct, frozen=True, kw_only=True):
    """An application's objects."""

    objects: tuple[Drift, ...] = ()
    missing: Mapping[str, Problem] = {}
    """By account: why not all of it could be looked at."""


class LiveManifests(Protocol):
    """The objects of a provider's accounts."""

    @property
    def name(self) -> str:
        """Spinnaker's `cloudProvider`."""
        ...

    @property
    def accounts(self) -> frozenset[str]:
        """Whose objects it knows."""
        ...

    def spinnaker_kinds(self, account: str) -> Mapping[str, str]:
        """What each kind that the account may use is in Spinnaker's model: `{"deployment": "serverGroupManagers"}`. Raises Refused."""
        ...

    async def read(self, account: str, location: str, name: str, *, with_events: bool = False) -> LiveManifest:
        """The object `KIND NAME`. Raises Refused, with 404 where there is none."""
        ...

    async def logs(self, account: str, location: str, pod: str, *, lines: int) -> PodLogs | None:
        """Of the pod of that name; None: there is none. Raises Refused."""
        ...

    async def of_kind(self, kind: str, namespace: str, accounts: frozenset[str]) -> tuple[ListedManifest, ...]:
        """What there is of a kind in a namespace of those of its accounts; what can't be seen is left out, as what isn't there."""
        ...

    async def of_cluster(self, cluster: ManifestCluster) -> tuple[Located, ...]:
        """Its objects, oldest first. Raises Refused."""
        ...

    async def target(self, cluster: ManifestCluster, criteria: str) -> Located:
        """The one of them that `newest`, `largest` and the like mean. Raises Refused, with 404 where there is none."""
        ...

    async def drift(self, application: str, accounts: frozenset[str]) -> Drifts:
        """How an application's objects in these accounts differ from what was applied last; nothing is changed."""
        ...
