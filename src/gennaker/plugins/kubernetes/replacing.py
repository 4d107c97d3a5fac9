"""Artifact substitution: which images and names in a manifest an artifact stands for. Pure.

An artifact replaces a value where its name equals the name that the value has; the new value is the artifact's
reference. Which places are looked at depends on the kind alone. By Clouddriver's default an image's name ends before `@`, or
else before its last `:`, so a registry's port without a tag never matches, and a tag before a digest belongs to the name.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

import msgspec

from gennaker.model import foreign
from gennaker.model.artifact import Artifact
from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import kinds, manifests

IMAGE = "docker/image"
CONFIG_MAP = "kubernetes/configMap"
SECRET = "kubernetes/secret"  # noqa: S105 - a type of artifacts
DEPLOYMENT = "kubernetes/deployment"
REPLICA_SET = "kubernetes/replicaSet"
_OF_KUBERNETES = "kubernetes/"
_WITH_TEMPLATE = frozenset({"deployment", "statefulSet", "daemonSet", "replicaSet", "job", "cronJob"})

Place = tuple[JsonObject, str]
"""A map in the manifest and the key whose value may be replaced."""
Places = Callable[[JsonObject], Iterator[Place]]


class Binding(StrEnum):
    """What the name of an image is."""

    NAME_AND_TAG = "match-name-and-tag"
    """What is left without tag or digest."""
    NAME_ONLY = "match-name-only"
    """The whole text: an image that has a tag is left as it is."""


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    manifest: JsonObject
    bound: tuple[Artifact, ...] = ()
    """Artifacts that replaced something, each once."""


class Replacer(msgspec.Struct, frozen=True, kw_only=True):
    """Places of one kind, for artifacts of one type."""

    type: str
    places: Places
    is_image: bool = False
    """Its values are images with tags."""

    def name_of(self, value: str, binding: Binding) -> str:
        """The name that an artifact must have to replace this value."""
        return image_name(value) if self.is_image and binding is Binding.NAME_AND_TAG else value


def image_name(reference: str) -> str:
    """An image's reference without digest, or else without tag."""
    before_digest, at, _ = reference.partition("@")
    if at:
        return before_digest
    before_tag, colon, _ = reference.rpartition(":")
    return before_tag if colon else reference


def replace(
    manifest: JsonObject, artifacts: Sequence[Artifact], *, account: str, binding: Binding = Binding.NAME_AND_TAG
) -> Replaced:
    """The manifest with every value replaced that one of the artifacts stands for; of two that fit, the later one stays."""
    replacers = _replacers(manifest)
    types, namespace = {one.type for one in replacers}, manifests.namespace(manifest)
    candidates = [one for one in artifacts if one.type in types and _is_meant(one, namespace, account)]
    if not candidates:
        return Replaced(manifest=manifest)
    made = manifests.copied(manifest)
    bound: list[Artifact] = []
    for replacer in replacers:
        # There may be thousands of artifacts, and few places: only those of whose name there is a place are tried.
        names = _names(made, replacer, binding)
        for artifact in candidates:
            if artifact.type != replacer.type or artifact.name not in names:
                continue
            _apply(made, replacer, artifact, binding)
            names = _names(made, replacer, binding)
            if artifact not in bound:
                bound.append(artifact)
    return Replaced(manifest=made, bound=tuple(bound))


def find(manifest: JsonObject) -> tuple[Artifact, ...]:
    """What a manifest refers to in the places where artifacts are substituted, each once."""
    found: list[Artifact] = []
    for replacer in _replacers(manifest):
        for holder, key in replacer.places(manifest):
            value = holder.get(key)
            if isinstance(value, str):
                name = replacer.name_of(value, Binding.NAME_AND_TAG)
                found.append(Artifact(type=replacer.type, name=name, reference=value))
    return tuple(one for place, one in enumerate(found) if one not in found[:place])


def _names(manifest: JsonObject, replacer: Replacer, binding: Binding) -> set[str | None]:
    """That artifacts must have to replace something."""
    values = (holder.get(key) for holder, key in replacer.places(manifest))
    return {replacer.name_of(value, binding) for value in values if isinstance(value, str)}


def _apply(manifest: JsonObject, replacer: Replacer, artifact: Artifact, binding: Binding) -> None:
    places = [
        (holder, key)
        for holder, key in replacer.places(manifest)
        if isinstance(value := holder.get(key), str) and replacer.name_of(value, binding) == artifact.name
    ]
    for holder, key in places:
        holder[key] = artifact.reference


def _is_meant(artifact: Artifact, namespace: str, account: str) -> bool:
    """What comes from a cluster is meant for its account and namespace alone."""
    if not artifact.type or not artifact.type.startswith(_OF_KUBERNETES):
        return bool(artifact.type)
    owner = artifact.metadata.get("account") or ""
    return (artifact.location or "") == namespace and owner in ("", account)


def _replacers(manifest: JsonObject) -> tuple[Replacer, ...]:
    kind = kinds.of(manifest)
    if kind.group:
        return ()
    if kind.name in _WITH_TEMPLATE:
        return _TEMPLATE
    return _BY_KIND.get(kind.name, ())


def _images(manifest: JsonObject) -> Iterator[Place]:
    for pod in manifests.pod_specs(manifest):
        yield from ((one, "image") for one in manifests.containers(pod))


def _pod_images(manifest: JsonObject) -> Iterator[Place]:
    yield from ((one, "image") for one in foreign.mappings_at(manifests.spec(manifest), "containers"))


def _volumes(source: str, key: str) -> Places:
    def places(manifest: JsonObject) -> Iterator[Place]:
        for pod in manifests.pod_specs(manifest):
            for volume in foreign.mappings_at(pod, "volumes"):
                yield foreign.mapping(volume.get(source)), key

    return places


def _projected(source: str) -> Places:
    def places(manifest: JsonObject) -> Iterator[Place]:
        for pod in manifests.pod_specs(manifest):
            for volume in foreign.mappings_at(pod, "volumes"):
                for one in foreign.mappings_at(volume.get("projected"), "sources"):
                    yield foreign.mapping(one.get(source)), "name"

    return places


def _environment(source: str) -> Places:
    def places(manifest: JsonObject) -> Iterator[Place]:
        for pod in manifests.pod_specs(manifest):
            for container in manifests.containers(pod):
                for one in foreign.mappings_at(container, "envFrom"):
                    yield foreign.mapping(one.get(source)), "name"

    return places


def _values(source: str) -> Places:
    def places(manifest: JsonObject) -> Iterator[Place]:
        for pod in manifests.pod_specs(manifest):
            for container in manifests.containers(pod):
                for one in foreign.mappings_at(container, "env"):
                    yield foreign.mapping(foreign.mapping(one.get("valueFrom")).get(source)), "name"

    return places


def _scaled(*spellings: str) -> Places:
    def places(manifest: JsonObject) -> Iterator[Place]:
        target = foreign.mapping(manifests.spec(manifest).get("scaleTargetRef"))
        if target.get("kind") in spellings:
            yield target, "name"

    return places


_TEMPLATE = (
    Replacer(type=IMAGE, places=_images, is_image=True),
    Replacer(type=CONFIG_MAP, places=_volumes("configMap", "name")),
    Replacer(type=SECRET, places=_volumes("secret", "secretName")),
    Replacer(type=CONFIG_MAP, places=_projected("configMap")),
    Replacer(type=SECRET, places=_projected("secret")),
    Replacer(type=CONFIG_MAP, places=_environment("configMapRef")),
    Replacer(type=SECRET, places=_environment("secretRef")),
    Replacer(type=CONFIG_MAP, places=_values("configMapKeyRef")),
    Replacer(type=SECRET, places=_values("secretKeyRef")),
)
_BY_KIND = {
    # A bare Pod: no init containers, and the whole text is the name.
    "pod": (Replacer(type=IMAGE, places=_pod_images),),
    "horizontalpodautoscaler": (
        Replacer(type=DEPLOYMENT, places=_scaled("Deployment", "deployment")),
        Replacer(type=REPLICA_SET, places=_scaled("ReplicaSet", "replicaSet")),
    ),
}
