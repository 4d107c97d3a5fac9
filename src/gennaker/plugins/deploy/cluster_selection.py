"""Cluster selection: which server groups of a cluster a cluster-wide stage acts on (Orca's rules). Pure.

Source: Orca's AbstractClusterWideClouddriverTask: what this execution has just deployed, and everything newer, is left
out but counts towards what is to remain. A stage that keeps none means all of them.
"""

from collections.abc import Sequence

import msgspec

from gennaker.interfaces.clouds import Health, ServerGroup


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What remains, and what is preferred."""

    keeps: int
    """So many server groups stay as they are."""
    may_touch_active: bool = False
    """Also those that are enabled or have an instance that is up."""
    only_enabled: bool = False
    """Disabled ones are neither acted on nor counted."""
    prefers_larger: bool = False
    """Of those that stay, more instances count more than youth."""


def chosen(groups: Sequence[ServerGroup], selection: Selection, *, execution_id: str) -> tuple[ServerGroup, ...]:
    """The server groups to act on; `groups` oldest first."""
    total = [one for one in groups if not (selection.only_enabled and one.is_disabled)]
    candidates = _without_own(total, execution_id) if selection.keeps else list(total)
    if not (selection.may_touch_active or selection.only_enabled):
        candidates = [one for one in candidates if not _is_active(one)]
    keeps = max(0, selection.keeps - (len(total) - len(candidates)))
    newest_first = candidates[::-1]
    best_first = sorted(
        newest_first,
        key=lambda one: (not _is_active(one), -len(one.instances) if selection.prefers_larger else 0),
    )
    return tuple(best_first[keeps:])


def _without_own(groups: Sequence[ServerGroup], execution_id: str) -> list[ServerGroup]:
    own = [place for place, one in enumerate(groups) if one.created_by.startswith(f"{execution_id}/")]
    return list(groups[: own[0]]) if own else list(groups)


def _is_active(group: ServerGroup) -> bool:
    return not group.is_disabled or any(one.health is Health.UP for one in group.instances)
