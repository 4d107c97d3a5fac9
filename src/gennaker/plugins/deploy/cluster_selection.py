"""Cluster selection: which server groups of a cluster a cluster-wide stage acts on (Orca's rules). Pure.

Source: Orca's AbstractClusterWideClouddriverTask and its three tasks: what the stages before this one have deployed in
the same run, and everything newer, is left out but counts towards what is to remain; also where none is to remain.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from gennaker.interfaces.clouds import Health, ServerGroup
from gennaker.model import foreign
from gennaker.model.execution import Stage
from gennaker.plugins.deploy.server_groups import Location

_DEPLOYS = ("deploy", "createServerGroup", "cloneServerGroup", "copyLastAsg")


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What remains, and what is preferred."""

    keeps: int
    """So many server groups stay as they are."""
    may_touch_active: bool = False
    """Also those that are enabled or have an instance that is up."""
    only_active: bool = False
    """The others need nothing done to them, but count no less."""
    prefers_larger: bool = False
    """Of those that stay, more instances count more than youth."""
    may_be_missing: bool = False
    """A cluster that doesn't exist needs nothing done to it."""


def chosen(groups: Sequence[ServerGroup], selection: Selection, *, own: Collection[str]) -> tuple[ServerGroup, ...]:
    """The server groups to act on; `groups` oldest first, all of one place, of which `own` has this run just deployed."""
    candidates = _older(groups, own)
    if not (selection.may_touch_active or selection.only_active):
        candidates = [one for one in candidates if not _is_active(one)]
    keeps = max(0, selection.keeps - (len(groups) - len(candidates)))
    if selection.only_active:
        candidates = [one for one in candidates if _is_active(one)]
    newest_first = candidates[::-1]
    best_first = sorted(
        newest_first,
        key=lambda one: (not _is_active(one), -len(one.instances) if selection.prefers_larger else 0),
    )
    return tuple(best_first[keeps:])


def deployed(ancestors: Iterable[Stage], location: Location) -> frozenset[str]:
    """Names of the server groups that these stages have deployed in this place."""
    return frozenset(
        str(one.get("serverGroup"))
        for stage in ancestors
        if stage.type in _DEPLOYS
        for one in foreign.mappings(stage.outputs.get("deployedServerGroups"))
        if (one.get("account"), one.get("region")) == (location.account, location.region)
    )


def _older(groups: Sequence[ServerGroup], own: Collection[str]) -> list[ServerGroup]:
    first = next((place for place, one in enumerate(groups) if one.name in own), len(groups))
    return list(groups[:first])


def _is_active(group: ServerGroup) -> bool:
    return not group.is_disabled or any(one.health is Health.UP for one in group.instances)
