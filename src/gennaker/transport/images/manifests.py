"""Manifests, indexes and image configurations: reading and writing of the OCI (and Docker v2.2) documents.

What isn't understood is kept: documents are stored and handed on byte for byte, this only reads from them.
Specification: github.com/opencontainers/image-spec, manifest.md, image-index.md, config.md.
"""

import platform
import re

import msgspec

from gennaker.interfaces.registry import RunConfig
from gennaker.model import codec
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.transport import blobs

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
MEDIA_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX)
LIMIT_BYTES = 4 * (1 << 20)
"""Of a manifest, as registries have it (distribution-spec, "Pushing Manifests")."""

_INDEXES = (OCI_INDEX, DOCKER_INDEX)
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")
_REPOSITORY_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_REPOSITORY_PART}(?:/{_REPOSITORY_PART})*\Z")


class Platform(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """For which machines an image of an index is."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A reference to a blob or manifest."""

    media_type: str = ""
    digest: str
    size: int
    urls: tuple[str, ...] = ()
    platform: Platform | None = None
    annotations: dict[str, str] = {}

    @property
    def is_foreign(self) -> bool:
        """Whether the content lies elsewhere by intent (Windows base layers)."""
        return bool(self.urls) or "nondistributable" in self.media_type or "foreign" in self.media_type


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A manifest (config and layers) or an index (manifests)."""

    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}

    @property
    def is_index(self) -> bool:
        """Whether this names images for several platforms."""
        return self.config is None

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Blobs that must be in the same repository."""
        own = (self.config, *self.layers) if self.config else self.layers
        return tuple(blob for blob in own if not blob.is_foreign)


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one line of the Dockerfile did."""

    created: str = ""
    created_by: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFilesystem(msgspec.Struct, frozen=True, kw_only=True):
    """The layers' diff ids, lowest first."""

    type: str = "layers"
    diff_ids: tuple[str, ...] = ()


class RunSection(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """The `config` object. Keys beyond the OCI specification are Docker's."""

    user: str = ""
    exposed_ports: dict[str, JsonObject] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: dict[str, JsonObject] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    healthcheck: JsonObject | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image's configuration."""

    created: str = ""
    author: str = ""
    architecture: str = ""
    os: str = ""
    variant: str = ""
    config: RunSection | None = None
    rootfs: RootFilesystem = RootFilesystem()
    history: tuple[History, ...] = ()


def is_tag(text: str) -> bool:
    """Whether this is a well-formed tag."""
    return _TAG.match(text) is not None


def is_repository(text: str) -> bool:
    """Whether this is a well-formed repository name."""
    return len(text) <= 255 and _REPOSITORY.match(text) is not None


def read_manifest(body: bytes, media_type: str) -> Manifest:
    """Reads a manifest or index and checks that it is what its media type says. Raises Refused (MANIFEST_INVALID)."""
    try:
        manifest = msgspec.convert(_without_nulls(codec.decode_json(body)), Manifest)
    except msgspec.MsgspecError as error:
        raise _invalid(f"The manifest can't be read: {error}.") from error
    if manifest.schema_version != 2:
        raise _invalid(f"The manifest has schema version {manifest.schema_version}; only 2 is supported.")
    declared = media_type or manifest.media_type or (OCI_INDEX if manifest.is_index else OCI_MANIFEST)
    if declared not in MEDIA_TYPES:
        raise _invalid(f"The media type {declared!r} is none of a manifest or index.")
    if manifest.media_type and manifest.media_type != declared:
        raise _invalid(f"The manifest says it is {manifest.media_type!r}, but was sent as {declared!r}.")
    if (declared in _INDEXES) != manifest.is_index:
        raise _invalid(f"The manifest was sent as {declared!r}, but its content isn't of that kind.")
    _check_descriptors(manifest)
    return manifest


def media_type_of(manifest: Manifest, declared: str) -> str:
    """The media type to store and serve a manifest under."""
    return declared or manifest.media_type or (OCI_INDEX if manifest.is_index else OCI_MANIFEST)


def read_configuration(body: bytes) -> Configuration:
    """Reads an image's configuration. Raises Refused."""
    try:
        return msgspec.convert(_without_nulls(codec.decode_json(body)), Configuration)
    except msgspec.MsgspecError as error:
        raise _invalid(f"The image's configuration can't be read: {error}.") from error


def run_config(configuration: Configuration) -> RunConfig:
    """How the image wants to be run."""
    section = configuration.config or RunSection()
    environment = dict(entry.partition("=")[::2] for entry in section.env or ())
    return RunConfig(
        entrypoint=section.entrypoint or (),
        command=section.cmd or (),
        environment=environment,
        working_folder=section.working_dir or "/",
        user=section.user,
        exposed_ports=tuple(section.exposed_ports or ()),
        volumes=tuple(section.volumes or ()),
        stop_signal=section.stop_signal,
        labels=section.labels or {},
    )


def own_platform() -> Platform:
    """What images must be made for to run on this machine."""
    machine = platform.machine()
    return Platform(os="linux", architecture=_MACHINES.get(machine, machine))


def choose(index: Manifest, wanted: Platform) -> Descriptor | None:
    """The image of an index for a platform; None: it has none."""
    for entry in index.manifests:
        at = entry.platform
        if at is not None and (at.os, at.architecture) == (wanted.os, wanted.architecture):
            return entry
    # An index with one image and no word about platforms is common for images built by hand.
    unmarked = [entry for entry in index.manifests if entry.platform is None]
    return unmarked[0] if len(unmarked) == 1 == len(index.manifests) else None


def _without_nulls(value: Json) -> Json:
    """Clients written in Go write `null` for what they don't have."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _check_descriptors(manifest: Manifest) -> None:
    named = [*manifest.blobs, *manifest.manifests, *([manifest.subject] if manifest.subject else [])]
    for descriptor in named:
        if not blobs.is_digest(descriptor.digest):
            raise _invalid(f"{descriptor.digest!r} is no SHA-256 digest, the only kind that is supported.")
        if descriptor.size < 0:
            raise _invalid(f"The size of {descriptor.digest} is negative.")


def _invalid(message: str) -> Refused:
    return Refused(
        Problem(
            code="registry.manifest_invalid", message=message, remedy="Push the image again with a current client."
        ),
        status=400,
    )
