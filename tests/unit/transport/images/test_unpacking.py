"""Images become folders: complete or not at all, once per digest."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from gennaker.interfaces.registry import RunConfig
from gennaker.model import codec
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.transport.archives import ArchiveLimits
from gennaker.transport.images import layout as layouts
from gennaker.transport.images import unpacking
from gennaker.transport.images.manifests import Descriptor, own_platform

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PLAIN = "application/vnd.oci.image.layer.v1.tar"


def tar(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("_", "/"))
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


def put(layout: Path, content: bytes, media_type: str) -> JsonObject:
    return {"mediaType": media_type, "digest": layouts.put_blob(layout, content), "size": len(content)}


def image(
    layout: Path, *layers: bytes, media_type: str = PLAIN, diff_ids: list[Json] | None = None, **config: Json
) -> str:
    layouts.prepare(layout)
    found: list[Json] = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    configuration: JsonObject = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids if diff_ids is not None else found},
    }
    described: list[Json] = [put(layout, layer, media_type) for layer in layers]
    manifest: JsonObject = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": put(layout, codec.encode(configuration), "application/vnd.oci.image.config.v1+json"),
        "layers": described,
        "annotations": None,
    }
    return layouts.put_blob(layout, codec.encode(manifest))


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def test_applies_layers_in_order_and_says_how_to_run(tmp_path: Path) -> None:
    digest = image(
        tmp_path / "layout",
        tar(a="old", b="kept"),
        tar(a="new"),
        Entrypoint=["/a"],
        Cmd=None,
        Env=["A=1", "B=x=y", "C="],
        ExposedPorts={"80/tcp": {}},
        WorkingDir="",
    )

    unpacked = unpacking.unpack_image(tmp_path / "layout", digest, tmp_path / "images")

    assert unpacked.rootfs == tmp_path / "images" / digest.removeprefix("sha256:") / "rootfs"
    assert {path.name: path.read_text() for path in unpacked.rootfs.iterdir()} == {"a": "new", "b": "kept"}
    assert unpacked.run == RunConfig(
        entrypoint=("/a",), environment={"A": "1", "B": "x=y", "C": ""}, exposed_ports=("80/tcp",)
    )


def test_unpacks_an_image_once(tmp_path: Path) -> None:
    digest = image(tmp_path / "layout", tar(a="x"))

    first = unpacking.unpack_image(tmp_path / "layout", digest, tmp_path / "images")
    (first.rootfs / "mark").touch()
    second = unpacking.unpack_image(tmp_path / "layout", digest, tmp_path / "images")

    assert first == second == unpacking.find_unpacked(tmp_path / "images", digest)
    assert (second.rootfs / "mark").exists()


def test_chooses_the_image_for_this_machine(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    own, other = image(layout, tar(a="own")), image(layout, tar(a="other"))
    platform = own_platform()
    entries: list[Json] = [
        {"mediaType": MANIFEST, "digest": other, "size": 1, "platform": {"os": "plan9", "architecture": "mips"}},
        {
            "mediaType": MANIFEST,
            "digest": own,
            "size": 1,
            "platform": {"os": platform.os, "architecture": platform.architecture},
        },
    ]
    index = layouts.put_blob(layout, codec.encode({"schemaVersion": 2, "manifests": entries}))
    foreign = layouts.put_blob(layout, codec.encode({"schemaVersion": 2, "manifests": entries[:1]}))

    assert unpacking.unpack_image(layout, index, tmp_path / "images").digest == own
    with pytest.raises(Refused, match="isn't made for"):
        unpacking.unpack_image(layout, foreign, tmp_path / "images")


def test_keeps_nothing_of_a_layer_that_is_not_what_the_configuration_says(tmp_path: Path) -> None:
    digest = image(tmp_path / "layout", tar(a="x"), diff_ids=["sha256:" + "0" * 64])

    with pytest.raises(Refused, match="not sha256:000"):
        unpacking.unpack_image(tmp_path / "layout", digest, tmp_path / "images")

    assert left_over(tmp_path / "images") == []


def test_keeps_nothing_of_a_damaged_layer(tmp_path: Path) -> None:
    digest = image(tmp_path / "layout", b"no tar at all" * 100)

    with pytest.raises(Refused, match="can't be unpacked: it is damaged"):
        unpacking.unpack_image(tmp_path / "layout", digest, tmp_path / "images")

    assert left_over(tmp_path / "images") == []


@pytest.mark.parametrize(
    ("media_type", "diff_ids", "reason"),
    [
        ("application/vnd.oci.image.layer.v1.tar+zstd", None, "gzip and plain tar can be read"),
        (PLAIN, [], "different numbers of layers"),
    ],
)
def test_says_why_an_image_is_unusable(
    tmp_path: Path, media_type: str, diff_ids: list[Json] | None, reason: str
) -> None:
    digest = image(tmp_path / "layout", tar(a="x"), media_type=media_type, diff_ids=diff_ids)

    with pytest.raises(Refused, match=reason):
        unpacking.unpack_image(tmp_path / "layout", digest, tmp_path / "images")


def test_bounds_what_is_unpacked(tmp_path: Path) -> None:
    digest = image(tmp_path / "layout", tar(a="x" * 5000))

    with pytest.raises(Refused, match="larger than"):
        unpacking.unpack_image(tmp_path / "layout", digest, tmp_path / "images", limits=ArchiveLimits(total_bytes=4000))


def test_a_missing_or_damaged_blob_is_a_sentence(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    digest = image(layout, tar(a="x"))
    layouts.blob_path(layout, digest).write_bytes(b"{}")

    with pytest.raises(Refused, match="is damaged"):
        unpacking.unpack_image(layout, digest, tmp_path / "images")
    with pytest.raises(Refused, match="is missing"):
        unpacking.unpack_image(layout, "sha256:" + "0" * 64, tmp_path / "images")


def test_a_layout_knows_its_images_by_tag(tmp_path: Path) -> None:
    layouts.prepare(tmp_path)
    first, second = (Descriptor(media_type=MANIFEST, digest="sha256:" + mark * 64, size=1) for mark in "ab")

    layouts.add_manifest(tmp_path, first, tag="1.0")
    layouts.add_manifest(tmp_path, first, tag="1.0")
    assert layouts.find(tmp_path) == layouts.find(tmp_path, "1.0") == first.digest
    layouts.add_manifest(tmp_path, second, tag="1.0")
    assert layouts.find(tmp_path, "1.0") == second.digest
    layouts.add_manifest(tmp_path, first)
    with pytest.raises(Refused, match="exactly one image, but holds 2"):
        layouts.find(tmp_path)
