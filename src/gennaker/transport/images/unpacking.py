"""Unpacking: the files of an image as a folder, for running them without a container engine.

    <folder>/<hex of the digest>/rootfs      all layers applied
    <folder>/<hex of the digest>/image.json  how to run it

The folder of an image appears by one rename, complete and synced; many instances share it and must not write to it. What
an unpacked image can't keep is left out: owners, device files, setuid bits. Blocks; call it in a thread.
"""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from gennaker.interfaces.registry import RunConfig
from gennaker.model import codec
from gennaker.model.problems import Problem, Refused
from gennaker.transport import archives
from gennaker.transport.archives import ArchiveLimits, ArchiveRefused
from gennaker.transport.images import layout as layouts
from gennaker.transport.images import manifests
from gennaker.transport.images.manifests import Descriptor

_COMPRESSIONS = {
    "application/vnd.oci.image.layer.v1.tar": "",
    "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
    "application/vnd.docker.image.rootfs.diff.tar": "",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
}
"""By media type of a layer. zstd isn't in Python's library before 3.14."""


class UnpackedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is ready to run."""

    digest: str
    """Of the platform's manifest."""
    rootfs: Path
    run: RunConfig


def unpack_image(layout: Path, digest: str, folder: Path, *, limits: ArchiveLimits | None = None) -> UnpackedImage:
    """Unpacks an image of a layout below the folder; one that is there already is returned at once. Raises Refused."""
    image = layouts.read_image(layout, digest)
    home = folder / image.digest.removeprefix("sha256:")
    if not home.exists():
        _unpack(layout, image, home, limits or ArchiveLimits())
    return find_unpacked(folder, image.digest) or _vanished(home)


def find_unpacked(folder: Path, digest: str) -> UnpackedImage | None:
    """What was unpacked before under this manifest's digest; None: nothing."""
    home = folder / digest.removeprefix("sha256:")
    try:
        run = codec.decode((home / "image.json").read_bytes(), RunConfig)
    except FileNotFoundError:
        return None
    return UnpackedImage(digest=digest, rootfs=home / "rootfs", run=run)


def _unpack(layout: Path, image: layouts.Image, home: Path, limits: ArchiveLimits) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(dir=home.parent, prefix=".unpacking-"))
    try:
        (fresh / "rootfs").mkdir()
        diff_ids = image.configuration.rootfs.diff_ids
        if len(diff_ids) != len(image.manifest.layers):
            raise _refused(image.digest, "its configuration and its manifest name different numbers of layers")
        for layer, diff_id in zip(image.manifest.layers, diff_ids, strict=True):
            _apply(layout, image.digest, layer, diff_id=diff_id, rootfs=fresh / "rootfs", limits=limits)
        (fresh / "image.json").write_bytes(codec.encode(manifests.run_config(image.configuration)))
        # One call for all files; a sync of each takes seconds for a tree of thousands.
        os.sync()
        _rename(fresh, home)
    except OSError as error:
        raise _refused(image.digest, f"{error.strerror or error} ({error.filename or home})") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _apply(layout: Path, digest: str, layer: Descriptor, *, diff_id: str, rootfs: Path, limits: ArchiveLimits) -> None:
    compression = _COMPRESSIONS.get(layer.media_type)
    if compression is None:
        raise _refused(
            digest, f"its layer {layer.digest} is of the type {layer.media_type!r}; gzip and plain tar can be read"
        )
    try:
        with layouts.blob_path(layout, layer.digest).open("rb") as opened:
            found = archives.unpack_layer(opened, rootfs, compression=compression, limits=limits)
    except ArchiveRefused as error:
        raise _refused(digest, f"its layer {layer.digest} can't be unpacked: {error}") from error
    if found != diff_id:
        raise _refused(digest, f"its layer {layer.digest} holds {found}, not {diff_id} as its configuration says")


def _rename(fresh: Path, home: Path) -> None:
    try:
        fresh.rename(home)
    except OSError:
        # Somebody else has unpacked the same image meanwhile: theirs is as good as ours.
        if not (home / "image.json").exists():
            raise


def _vanished(home: Path) -> UnpackedImage:
    raise Refused(
        Problem(
            code="image.unpacked_broken",
            message=f"The unpacked image {home} has no image.json.",
            remedy="Delete the folder; it is unpacked again when it is needed.",
        ),
        status=500,
    )


def _refused(digest: str, what: str) -> Refused:
    return Refused(
        Problem(
            code="image.unusable",
            message=f"The image {digest} can't be unpacked: {what}.",
            remedy="Build and push it again, or pull it anew if its files were damaged here.",
        ),
        status=422,
    )
