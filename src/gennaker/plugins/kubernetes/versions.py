"""Versions: the number that a ConfigMap, a ReplicaSet and the like get when they are deployed. Pure.

Numbers only grow (`v999` is followed by `v1000`). A manifest whose content was applied before takes that version again.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from gennaker.model.codec import JsonObject, encode_sorted
from gennaker.plugins.kubernetes import annotations, kinds, manifests
from gennaker.plugins.kubernetes.kinds import NO_CUSTOM_KINDS, CustomKinds

_VERSION = re.compile(r"v\+?([0-9]{1,18})")
_GREATEST = 2**31 - 1
"""Greater ones are no versions, as in Spinnaker."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest is deployed as."""

    number: int
    is_reused: bool = False
    """It was deployed before with the same content."""

    def __str__(self) -> str:
        """`v012`."""
        return f"v{self.number:03d}"


def is_versioned(manifest: JsonObject, *, requested: bool | None = None, custom: CustomKinds = NO_CUSTOM_KINDS) -> bool:
    """By its annotation, else by the stage, else by its kind. Where the API server makes the name, it isn't."""
    if manifests.has_generated_name(manifest):
        return False
    own = annotations.strategy(manifest).is_versioned
    if own is not None:
        return own
    return custom.of(kinds.of(manifest)).is_versioned if requested is None else requested


def choose(manifest: JsonObject, prior: Iterable[JsonObject], *, taken: int = -1) -> Version:
    """The version for a manifest after artifact substitution, among the live objects of its kind and namespace.

    `taken`: the greatest number that somebody else is about to use.
    """
    versions, content = versions_of(manifests.name(manifest), prior), _content(manifest)
    for number, one in versions:
        applied = annotations.last_applied(one)
        if applied is not None and _content(applied) == content:
            return Version(number=number, is_reused=True)
    return Version(number=max(taken, *(number for number, _ in versions), -1) + 1)


def newest(name: str, prior: Iterable[JsonObject]) -> str | None:
    """Name of the live object with the greatest version; None: there is none."""
    versions = versions_of(name, prior)
    return manifests.name(max(versions, key=lambda one: one[0])[1]) if versions else None


def versions_of(name: str, objects: Iterable[JsonObject]) -> list[tuple[int, JsonObject]]:
    """The live objects that were deployed as versions of this name, oldest first, with their numbers."""
    found: list[tuple[int, JsonObject]] = []
    for one in sorted(objects, key=manifests.created):
        artifact = annotations.artifact(one)
        number = _number(artifact.version) if artifact is not None and artifact.name == name else None
        if number is not None:
            found.append((number, one))
    return found


def by_name(objects: Iterable[JsonObject]) -> dict[str, list[JsonObject]]:
    """Those that were deployed as artifacts, by the artifact's name: a stage may have thousands, each with its own versions."""
    found: dict[str, list[JsonObject]] = {}
    for one in objects:
        artifact = annotations.artifact(one)
        if artifact is not None and artifact.name:
            found.setdefault(artifact.name, []).append(one)
    return found


def keeps_history(manifest: JsonObject) -> bool:
    """Whether only so many versions of it are kept."""
    return annotations.strategy(manifest).max_version_history is not None


def surplus(manifest: JsonObject, objects: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """What `max-version-history` lets go: the oldest of this manifest's artifact beyond so many."""
    keeps = annotations.strategy(manifest).max_version_history
    own = annotations.artifact(manifest)
    if keeps is None or keeps < 0 or own is None:
        return ()
    fitting = [one for one in sorted(objects, key=manifests.created) if _is_of(one, own.name)]
    return tuple(fitting[: max(0, len(fitting) - keeps)])


def _is_of(one: JsonObject, name: str | None) -> bool:
    artifact = annotations.artifact(one)
    return artifact is not None and artifact.name == name


def _number(version: str | None) -> int | None:
    found = _VERSION.fullmatch(version or "")
    number = int(found[1]) if found else None
    return number if number is not None and number <= _GREATEST else None


def _content(manifest: JsonObject) -> bytes:
    """Encoded: for Python `true` is 1, and 1 is 1.0."""
    return encode_sorted({key: value for key, value in manifest.items() if key != "metadata"})
