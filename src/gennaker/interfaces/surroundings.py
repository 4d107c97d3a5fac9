"""Surroundings: what a cloud provider has beside its server groups: what manages them, its own load balancers, its firewalls.

For showing only: strategies decide by server groups alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from gennaker.interfaces.clouds import Place, ServerGroup
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Problem


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A thing of a provider that is no server group."""

    kind: str
    """What it is at the provider: `ingress`."""
    api_version: str
    name: str
    """Without its kind."""
    place: Place
    cloud_provider: str
    moniker: Moniker
    created_at: datetime
    labels: Mapping[str, str] = {}

    @property
    def full_name(self) -> str:
        """As Spinnaker names it: `ingress web`."""
        return f"{self.kind} {self.name}"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a firewall lets through."""

    protocol: str | None
    """None: it doesn't say."""
    first: int | str | None
    """A port, or its name; None: all."""
    last: int | str | None


class Firewall(msgspec.Struct, frozen=True, kw_only=True):
    """What may reach instances, and what they may reach."""

    resource: Resource
    inbound: tuple[Rule, ...] = ()
    outbound: tuple[Rule, ...] = ()


class Managed(msgspec.Struct, frozen=True, kw_only=True):
    """What makes and replaces server groups by itself: a server group manager."""

    resource: Resource
    groups: tuple[ServerGroup, ...]
    """Those that it has now."""


class Networking(msgspec.Struct, frozen=True, kw_only=True):
    """How instances are reached."""

    load_balancers: tuple[Resource, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    missing: Mapping[str, Problem] = {}
    """By account that doesn't answer: why."""


class Workloads(msgspec.Struct, frozen=True, kw_only=True):
    """What runs, as Spinnaker sees it beside the server groups that stages make."""

    managers: tuple[Managed, ...] = ()
    others: tuple[ServerGroup, ...] = ()
    """Server groups that no strategy works on."""
    missing: Mapping[str, Problem] = {}
    """By account that doesn't answer: why."""


def networking_of(parts: Sequence[Networking]) -> Networking:
    """All of it as one."""
    return Networking(
        load_balancers=tuple(one for part in parts for one in part.load_balancers),
        firewalls=tuple(one for part in parts for one in part.firewalls),
        missing={account: problem for part in parts for account, problem in part.missing.items()},
    )


def workloads_of(parts: Sequence[Workloads]) -> Workloads:
    """All of them as one."""
    return Workloads(
        managers=tuple(one for part in parts for one in part.managers),
        others=tuple(one for part in parts for one in part.others),
        missing={account: problem for part in parts for account, problem in part.missing.items()},
    )


@runtime_checkable
class Surrounded(Protocol):
    """A cloud provider that has such things. Of accounts that don't answer it tells nothing but that.

    Applications are the same in upper and lower case.
    """

    async def networking(self, application: str | None = None) -> Networking:
        """An application's; None: of all."""
        ...

    async def workloads(self, application: str | None = None) -> Workloads:
        """An application's; None: of all."""
        ...
