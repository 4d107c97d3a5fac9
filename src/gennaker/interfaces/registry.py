"""Image registries: the client that pushes and pulls images, and the store behind the registry that Gennaker serves.

Both ports raise `model.problems.Refused`. Its codes are `registry.` and the OCI distribution specification's error code
in lower case (`registry.manifest_unknown`); the status is the HTTP status. A status of 500 and above means that trying
again later may help.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from gennaker.model.principal import Principal


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an image wants to be run (the `config` object of the OCI image configuration)."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    """Arguments of the entrypoint, or the program where there is no entrypoint."""
    environment: dict[str, str] = {}
    working_folder: str = "/"
    """Absolute, inside the image."""
    user: str = ""
    """`name`, `uid`, `name:group` …; empty: root."""
    exposed_ports: tuple[str, ...] = ()
    """`8080/tcp`"""
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    """`SIGTERM` where empty."""
    labels: dict[str, str] = {}


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a registry says about an image, read without pulling its layers."""

    digest: str
    """Of the manifest, or of the index where the image is made for several platforms."""
    media_type: str
    size_bytes: int
    """Compressed, all layers of the platform that was looked at."""
    created: str = ""
    """RFC 3339 as the image says, or empty."""
    run: RunConfig = RunConfig()


class ImageRegistry(Protocol):
    """One account of a registry, as its clients see it. Every operation may be repeated.

    `reference` is a tag or a digest (`sha256:…`); a `layout` is a folder in OCI image layout.
    """

    @property
    def host(self) -> str:
        """As it stands in image references: `127.0.0.1:5000`."""
        ...

    async def repositories(self) -> tuple[str, ...]:
        """All repositories that the registry lists (`_catalog`)."""
        ...

    async def tags(self, repository: str) -> tuple[str, ...]:
        """All tags, in the registry's order; none for an unknown repository."""
        ...

    async def resolve(self, repository: str, reference: str) -> str | None:
        """The digest that a tag names now; None: no such image."""
        ...

    async def inspect(self, repository: str, reference: str) -> ImageFacts | None:
        """Labels, ports, size of an image; None: no such image."""
        ...

    async def push(self, layout: Path, digest: str, *, repository: str, tag: str) -> str:
        """Uploads what the registry doesn't have yet and sets the tag; returns the digest."""
        ...

    async def pull(self, repository: str, reference: str, layout: Path) -> str:
        """Fetches an image for this machine's platform into a layout, all of it verified; returns the manifest's digest.

        Several pulls may share one layout; what is there already isn't fetched again.
        """
        ...


class StoredBlob(msgspec.Struct, frozen=True, kw_only=True):
    """A blob of a repository."""

    digest: str
    size_bytes: int


class StoredManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest or index, byte for byte as it was pushed."""

    digest: str
    media_type: str
    body: bytes
    subject: str = ""
    """Digest of the manifest that this one refers to, or empty."""


class Referrer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A manifest that refers to another: a signature, an SBOM."""

    digest: str
    media_type: str
    size_bytes: int
    artifact_type: str = ""
    annotations: dict[str, str] = {}


class TagEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that appeared, or that names another image than before."""

    sequence: int
    """Rises in the order of commits; whoever keeps the last one seen misses nothing."""
    repository: str
    tag: str
    digest: str
    at: datetime


class TagListener(Protocol):
    """Woken after a tag has been stored. The durable list is `TagEvents`; this only saves waiting for the next poll."""

    async def tag_pushed(self, event: TagEvent) -> None:
        """Called after the commit, before the push is answered."""
        ...


class TagEvents(Protocol):
    """What was pushed, for pollers with a cursor."""

    async def tag_events(self, *, after: int, limit: int = 1000) -> tuple[TagEvent, ...]:
        """Events with a higher sequence, in order."""
        ...


class Blobs(Protocol):
    """Blobs of the served registry. A blob is visible only in the repositories into which it was put."""

    async def blob(self, repository: str, digest: str) -> StoredBlob | None:
        """None: not in this repository."""
        ...

    def read_blob(self, digest: str, *, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes `start` to before `end` of a blob that `blob` has found."""
        ...

    async def mount_blob(self, digest: str, *, repository: str, source: str) -> bool:
        """Makes a blob of the source repository visible in another; False: the source hasn't got it."""
        ...

    async def delete_blob(self, repository: str, digest: str, *, by: Principal) -> bool:
        """Takes a blob out of a repository and records who did; False: it wasn't there."""
        ...


class Uploads(Protocol):
    """Uploads that are under way; they survive a restart."""

    async def begin_upload(self, repository: str) -> str:
        """A new upload's id."""
        ...

    async def upload_size(self, repository: str, upload: str) -> int | None:
        """Bytes received; None: no such upload in this repository."""
        ...

    async def append(self, repository: str, upload: str, chunks: AsyncIterator[bytes], *, offset: int | None) -> int:
        """Adds bytes and returns the new size; an `offset` other than the present size is refused."""
        ...

    async def finish_upload(self, repository: str, upload: str, digest: str) -> StoredBlob:
        """Makes the upload a blob, durably; a wrong digest is refused and nothing of the upload is kept."""
        ...

    async def cancel_upload(self, repository: str, upload: str) -> bool:
        """Forgets an upload; False: there was none."""
        ...


class Manifests(Protocol):
    """Manifests and tags of the served registry."""

    async def put_manifest(
        self, repository: str, reference: str, *, media_type: str, body: bytes, by: Principal
    ) -> StoredManifest:
        """Stores it if all that it names is there, sets the tag and records who did, in one transaction.

        Refuses a body that is no manifest, blobs that are missing, a digest that differs, and other content under an
        immutable tag. Putting the same again changes and records nothing.
        """
        ...

    async def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """By tag or digest."""
        ...

    async def delete_manifest(self, repository: str, reference: str, *, by: Principal) -> bool:
        """By digest: the manifest and its tags; by tag: that tag; recorded. False: it wasn't there."""
        ...

    async def referrers(self, repository: str, digest: str) -> tuple[Referrer, ...]:
        """Manifests whose subject this is."""
        ...


class Listings(Protocol):
    """What there is, page by page, in bytewise order."""

    async def tags(self, repository: str, *, after: str, limit: int) -> tuple[str, ...] | None:
        """Tags after the given one; None: no such repository."""
        ...

    async def repositories(self, *, after: str, limit: int) -> tuple[str, ...]:
        """Repositories that hold a manifest, after the given one."""
        ...


class ImageStore(Blobs, Uploads, Manifests, Listings, Protocol):
    """Everything that the registry's HTTP API needs. A commit comes before each answer; nothing half-made is visible."""
