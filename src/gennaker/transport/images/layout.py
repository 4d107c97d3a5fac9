"""Image layouts: folders that hold images as files (OCI image-layout specification).

    <folder>/oci-layout             says what the folder is
    <folder>/index.json             which manifests it holds, with their tags
    <folder>/blobs/sha256/<hex>     manifests, configurations, layers

skopeo, podman and buildah read and write the same (`oci:<folder>:<tag>`). Blobs are renamed into place, so several
writers may share a layout. All functions block; call them in a thread.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from gennaker.model import codec
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.transport import blobs
from gennaker.transport.images import manifests
from gennaker.transport.images.manifests import Descriptor, Manifest

_TAG_ANNOTATION = "org.opencontainers.image.ref.name"


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest of a layout together with its configuration."""

    digest: str
    manifest: Manifest
    configuration: manifests.Configuration


def prepare(layout: Path) -> None:
    """Makes an empty layout; one that is there already stays as it is."""
    (layout / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    with _locked(layout):
        if not (layout / "oci-layout").exists():
            (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        if not (layout / "index.json").exists():
            _write(layout / "index.json", codec.encode(_index([])))


def blob_path(layout: Path, digest: str) -> Path:
    """Where a blob is if it is there."""
    if not blobs.is_digest(digest):
        raise _broken(layout, f"{digest!r} is no SHA-256 digest")
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def has_blob(layout: Path, descriptor: Descriptor) -> bool:
    """Whether the blob is there in full."""
    path = blob_path(layout, descriptor.digest)
    return path.is_file() and path.stat().st_size == descriptor.size


def put_blob(layout: Path, content: bytes) -> str:
    """Stores content at hand; returns its digest."""
    digest = blobs.digest_of(content)
    _write(blob_path(layout, digest), content)
    return digest


def adopt_blob(layout: Path, file: Path, descriptor: Descriptor) -> None:
    """Moves a file whose digest is known into the layout, which must be on the same file system."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
    file.replace(blob_path(layout, descriptor.digest))


def fresh_file(layout: Path) -> Path:
    """A new empty file beside the blobs, to be filled and adopted."""
    with NamedTemporaryFile(dir=layout / "blobs" / "sha256", prefix=".new-", delete=False) as opened:
        return Path(opened.name)


def put_manifest(layout: Path, manifest: Manifest) -> str:
    """Stores a manifest and makes it known; returns its digest."""
    body = codec.encode(manifest)
    digest = put_blob(layout, body)
    add_manifest(layout, Descriptor(media_type=manifest.media_type, digest=digest, size=len(body)))
    return digest


def read_blob(layout: Path, digest: str) -> bytes:
    """A small blob (manifest, configuration), verified. Raises Refused."""
    path = blob_path(layout, digest)
    try:
        if path.stat().st_size > manifests.LIMIT_BYTES:
            raise _broken(layout, f"the blob {digest} is too large for a manifest or configuration")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise _broken(layout, f"the blob {digest} is missing") from error
    if blobs.digest_of(content) != digest:
        raise _broken(layout, f"the blob {digest} is damaged")
    return content


def add_manifest(layout: Path, descriptor: Descriptor, *, tag: str = "") -> None:
    """Makes a manifest known in the index, with a tag where one is given; doing it again changes nothing."""
    named: JsonObject = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
        **({"annotations": {_TAG_ANNOTATION: tag}} if tag else {}),
    }
    with _locked(layout):
        entries = [
            entry
            for entry in json.loads((layout / "index.json").read_bytes()).get("manifests", [])
            if not (tag and entry.get("annotations", {}).get(_TAG_ANNOTATION) == tag)
        ]
        if named not in entries:
            entries.append(named)
        _write(layout / "index.json", codec.encode(_index(entries)))


def find(layout: Path, tag: str = "") -> str:
    """The digest of the tag's manifest, or of the only one where no tag is given. Raises Refused."""
    try:
        index = codec.decode((layout / "index.json").read_bytes(), Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise _broken(layout, f"its index.json can't be read ({error})") from error
    found = {entry.digest for entry in index.manifests if not tag or entry.annotations.get(_TAG_ANNOTATION) == tag}
    if len(found) != 1:
        wanted = f"an image with the tag {tag!r}" if tag else "exactly one image"
        raise _broken(layout, f"it should hold {wanted}, but holds {len(found)}")
    return found.pop()


def read_image(layout: Path, digest: str) -> Image:
    """An image for this machine's platform, through an index where there is one. Raises Refused."""
    manifest = manifests.read_manifest(read_blob(layout, digest), "")
    if manifest.config is None:
        wanted = manifests.own_platform()
        entry = manifests.choose(manifest, wanted)
        if entry is None:
            raise _broken(layout, f"the image {digest} isn't made for {wanted.os}/{wanted.architecture}")
        digest = entry.digest
        manifest = manifests.read_manifest(read_blob(layout, digest), "")
    if manifest.config is None:
        raise _broken(layout, f"the index {digest} holds another index where an image should be")
    configuration = manifests.read_configuration(read_blob(layout, manifest.config.digest))
    return Image(digest=digest, manifest=manifest, configuration=configuration)


def _index(entries: list[JsonObject]) -> JsonObject:
    return {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": list(entries)}


def _write(path: Path, content: bytes) -> None:
    """Readers see the old content or the new, never a part."""
    with NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    Path(opened.name).replace(path)


@contextmanager
def _locked(layout: Path) -> Iterator[None]:
    """One writer of the index at a time; the kernel frees the lock of a killed one."""
    with (layout / ".lock").open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _broken(layout: Path, what: str) -> Refused:
    return Refused(
        Problem(
            code="image.broken",
            message=f"The image in {layout} can't be used: {what}.",
            remedy="Delete it there and pull or build it again.",
        ),
        status=422,
    )
