"""Monikers: the application, stack, detail and sequence that a server group's name is made of (Frigga's rules)."""

import re
from collections.abc import Collection

import msgspec

_PUSH = re.compile(r"([-a-zA-Z0-9._~^]*)-(v([0-9]{3,6}))")
_NAME = re.compile(r"([a-zA-Z0-9._]+)(?:-([a-zA-Z0-9._]*)(?:-([-a-zA-Z0-9._~^]*?))?)?")
_PART = re.compile(r"[a-zA-Z0-9._]+")
_DETAIL = re.compile(r"[-a-zA-Z0-9._~^]+")
SEQUENCES = 1000
"""Numbers wrap around here: v999 is followed by v000."""


class Moniker(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a name says; every field is None where the name doesn't follow the rules."""

    app: str | None = None
    stack: str | None = None
    detail: str | None = None
    cluster: str | None = None
    sequence: int | None = None


def parse(name: str) -> Moniker:
    """The moniker of a server group's or cluster's name. A name that doesn't parse gives an empty one."""
    cluster, sequence = without_push(name)
    parts = _NAME.fullmatch(cluster)
    if parts is None:
        return Moniker()
    return Moniker(app=parts[1], stack=parts[2] or None, detail=parts[3] or None, cluster=cluster, sequence=sequence)


def without_push(name: str) -> tuple[str, int | None]:
    """A name without its `-v042`, and the number; None: it has no number."""
    push = _PUSH.fullmatch(name)
    return (push[1], int(push[3])) if push else (name, None)


def next_sequence(taken: Collection[int], newest: int | None, *, is_first: bool = False) -> int | None:
    """The number after the newest server group's (which need have none), past those that are taken; None: all are.

    The newest is the one that was created last, which needn't have the greatest number. `is_first`: the cluster is empty.
    """
    first = 0 if is_first else (newest or 0) + 1
    numbers = ((first + step) % SEQUENCES for step in range(SEQUENCES))
    return next((number for number in numbers if number not in taken), None)


def is_cluster(app: str, stack: str | None = None, detail: str | None = None) -> bool:
    """Whether the parts of a cluster's name have the characters that they may have."""
    return bool(_PART.fullmatch(app) and _PART.fullmatch(stack or "_") and _DETAIL.fullmatch(detail or "_"))


def cluster_name(app: str, stack: str | None = None, detail: str | None = None) -> str:
    """`app-stack-detail`; a detail without a stack gives a double hyphen."""
    if detail:
        return f"{app}-{stack or ''}-{detail}"
    return f"{app}-{stack}" if stack else app


def server_group_name(cluster: str, sequence: int) -> str:
    """`cluster-v042`."""
    return f"{cluster}-v{sequence:03d}"
