"""Manifests: reading parts of an object, and making a changed one. Pure; nothing is changed in place.

Whoever changes more than one thing takes a `copied` manifest, which is theirs alone, and writes into it.
"""

from collections.abc import Iterator

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.kubernetes import kinds
from gennaker.plugins.kubernetes.kinds import Kind


class Coordinates(msgspec.Struct, frozen=True, kw_only=True):
    """Which object of an account."""

    kind: Kind
    namespace: str = ""
    """Empty: it has none, or the account's default is meant."""
    name: str

    @property
    def full_name(self) -> str:
        """`replicaSet web-v003`."""
        return kinds.full_name(self.kind, self.name)

    @property
    def key(self) -> tuple[str, str, str]:
        """The same for all spellings of the kind."""
        return self.kind.key, self.namespace, self.name


def copied(manifest: JsonObject) -> JsonObject:
    """The same once more; what is written into it changes nothing else."""
    return {key: _copied(value) for key, value in manifest.items()}


def _copied(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


def metadata(manifest: JsonObject) -> JsonObject:
    """Its metadata, or an empty map."""
    return foreign.mapping(manifest.get("metadata"))


def spec(manifest: JsonObject) -> JsonObject:
    """Its spec, or an empty map."""
    return foreign.mapping(manifest.get("spec"))


def status(manifest: JsonObject) -> JsonObject:
    """Its status, or an empty map."""
    return foreign.mapping(manifest.get("status"))


def name(manifest: JsonObject) -> str:
    """Its name, or what its name will begin with where the API server makes it."""
    own = metadata(manifest)
    return foreign.text_at(own, "name") or foreign.text_at(own, "generateName")


def has_generated_name(manifest: JsonObject) -> bool:
    """Whether the API server makes its name."""
    own = metadata(manifest)
    return not own.get("name") and bool(own.get("generateName"))


def namespace(manifest: JsonObject) -> str:
    """Its namespace, or empty text."""
    return foreign.text_at(metadata(manifest), "namespace")


def full_name(manifest: JsonObject) -> str:
    """`replicaSet web-v003`."""
    return kinds.full_name(kinds.of(manifest), name(manifest))


def coordinates(manifest: JsonObject) -> Coordinates:
    """Where it is, or will be."""
    return Coordinates(kind=kinds.of(manifest), namespace=namespace(manifest), name=name(manifest))


def annotations(manifest: JsonObject) -> dict[str, str]:
    """Its annotations that are text."""
    return _texts(metadata(manifest).get("annotations"))


def labels(manifest: JsonObject) -> dict[str, str]:
    """Its labels that are text."""
    return _texts(metadata(manifest).get("labels"))


def replicas(manifest: JsonObject) -> int | None:
    """How many it wants; None: it doesn't say."""
    return whole(spec(manifest).get("replicas"))


def whole(value: Json) -> int | None:
    """A whole number, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def count(value: Json) -> int:
    """A number of a status; the API server leaves zeros out."""
    return whole(value) or 0


def finalizers(manifest: JsonObject) -> tuple[str, ...]:
    """What must be done, by whoever does it, before the object can go."""
    return tuple(foreign.text(one) for one in foreign.items(metadata(manifest).get("finalizers")))


def created(manifest: JsonObject) -> str:
    """When it was made, as the API server writes it: text that sorts as time does."""
    return foreign.text_at(metadata(manifest), "creationTimestamp")


def version(manifest: JsonObject) -> int:
    """How new it is: each change of anything in the cluster gives a greater one; 0: it doesn't say."""
    return foreign.natural(foreign.text_at(metadata(manifest), "resourceVersion")) or 0


def template_metadata(manifest: JsonObject) -> JsonObject | None:
    """Metadata of its pod template; None: it has none (a custom `template` may be anything)."""
    template = spec(manifest).get("template")
    own = template.get("metadata") if isinstance(template, dict) else None
    return own if isinstance(own, dict) else None


def template_labels(manifest: JsonObject) -> dict[str, str] | None:
    """Labels of its pod template; None: it has no template with metadata."""
    own = template_metadata(manifest)
    return None if own is None else _texts(own.get("labels"))


def conditions(manifest: JsonObject) -> list[JsonObject]:
    """The conditions of its status."""
    return foreign.mappings_at(status(manifest), "conditions")


def own_map(holder: JsonObject, key: str) -> JsonObject:
    """The map under a key, made where there is none: for writing into a copied manifest."""
    found = holder.get(key)
    if isinstance(found, dict):
        return found
    made: JsonObject = {}
    holder[key] = made
    return made


def pod_specs(node: Json) -> Iterator[JsonObject]:
    """Every `spec.template.spec` in it, at any depth: a CronJob has its own below `jobTemplate`."""
    if isinstance(node, dict):
        template = foreign.mapping(foreign.mapping(node.get("spec")).get("template"))
        found = template.get("spec")
        if isinstance(found, dict):
            yield found
        for value in node.values():
            yield from pod_specs(value)
    elif isinstance(node, list):
        for value in node:
            yield from pod_specs(value)


def containers(pod_spec: JsonObject) -> list[JsonObject]:
    """Containers and init containers of a pod's spec."""
    return [*foreign.mappings_at(pod_spec, "containers"), *foreign.mappings_at(pod_spec, "initContainers")]


def _texts(value: Json) -> dict[str, str]:
    return {key: one for key, one in foreign.mapping(value).items() if isinstance(one, str)}
