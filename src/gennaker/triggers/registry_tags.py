"""What a registry poll means: which tags are remembered and which start something. Source: Igor's DockerMonitor.

Tags once seen are never forgotten: a tag that is deleted and pushed again starts something only where digests are
tracked and it names another image.
"""

from collections.abc import Mapping

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
    events: tuple[str, ...]
    """Tags that start something."""


def delta(known: Mapping[str, str | None], found: Mapping[str, str | None], *, tracks_digests: bool) -> Delta:
    """Compares what was known of a repository with what it lists now."""
    remembered = dict(known)
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
    return Delta(remembered=remembered, events=tuple(events))
