"""What a registry poll means: which tags are remembered and which start something. Source: Igor's DockerMonitor.

Tags once seen are never forgotten: a tag that is deleted and pushed again starts something only where digests are
tracked and it names another image.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class TagDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about one tag."""

    is_remembered: bool
    is_event: bool


def decide(*, is_known: bool, tracks_digests: bool, known_digest: str | None, digest: str | None) -> TagDecision:
    """The table of a tag that a registry lists now; digests are None where none is known or was asked for."""
    if not is_known:
        return TagDecision(is_remembered=True, is_event=True)
    if not tracks_digests or digest is None or digest == known_digest:
        return TagDecision(is_remembered=False, is_event=False)
    return TagDecision(is_remembered=True, is_event=known_digest is not None)


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed in one repository."""

    remembered: dict[str, str | None]
    """Tag to digest: the new memory, all of it."""
    moves: dict[str, int] = {}
    """How often each tag that was ever moved to another image was: the new memory as well."""
    events: tuple[str, ...]
    """Tags that start something."""


def delta(
    known: Mapping[str, str | None],
    found: Mapping[str, str | None],
    *,
    tracks_digests: bool,
    moves: Mapping[str, int] = MappingProxyType({}),
) -> Delta:
    """Compares what was known of a repository with what it lists now; `moves`: how often tags were moved before."""
    remembered = dict(known)
    moved = dict(moves)
    events = []
    for tag, digest in found.items():
        if not tag:
            continue
        decision = decide(
            is_known=tag in known, tracks_digests=tracks_digests, known_digest=known.get(tag), digest=digest
        )
        if decision.is_remembered:
            remembered[tag] = digest
        if decision.is_event:
            events.append(tag)
            if tag in known:
                moved[tag] = moved.get(tag, 0) + 1
    return Delta(remembered=remembered, moves=moved, events=tuple(events))


def event_id(account: str, repository: str, tag: str, *, digest: str | None, moves: int) -> str:
    """Says what the event is about: the same look at the same memory gives the same id, wherever it was cut off.

    A tag that is moved from one image to another and back is an event each time: hence the number of its moves.
    """
    said = f"docker/{account}/{repository}/{tag}/{digest or '~'}"
    return f"{said}/{moves}" if moves else said
