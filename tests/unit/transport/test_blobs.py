"""Blob files: what lies under a digest has that digest."""

import os
import subprocess
from pathlib import Path

import pytest

from gennaker.model.problems import Refused
from gennaker.transport import blobs
from gennaker.transport.blobs import BlobFiles


@pytest.fixture
def files(tmp_path: Path) -> BlobFiles:
    """A folder for blobs."""
    return BlobFiles(tmp_path, limit_bytes=100)


def content(files: BlobFiles, digest: str) -> bytes:
    size = files.size(digest)
    assert size is not None
    return b"".join(files.read(digest, start=0, end=size))


def test_keeps_what_was_uploaded_in_parts(files: BlobFiles) -> None:
    digest = blobs.digest_of(b"0123456789")

    files.begin("u1")
    sizes = [files.append("u1", [b"01", b"234"]), files.append("u1", [b"56789"])]

    assert sizes == [5, 10]
    assert files.finish("u1", digest) == 10
    assert content(files, digest) == b"0123456789"
    assert b"".join(files.read(digest, start=3, end=5)) == b"34"
    assert files.upload_size("u1") is None


def test_keeps_nothing_of_a_wrong_digest(files: BlobFiles, tmp_path: Path) -> None:
    files.begin("u1")
    files.append("u1", [b"content"])

    with pytest.raises(Refused, match="nothing of it was kept"):
        files.finish("u1", blobs.digest_of(b"other"))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_refuses_a_blob_that_is_too_large(files: BlobFiles) -> None:
    files.begin("u1")

    with pytest.raises(Refused, match="larger than 100 bytes") as refused:
        files.append("u1", [b"x" * 60, b"x" * 60])

    assert refused.value.status == 413


@pytest.mark.root
def test_a_full_disk_gets_its_room_back(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=True, timeout=600)
    try:
        files = BlobFiles(tmp_path, limit_bytes=10_000_000)
        files.begin("u1")
        files.append("u1", [b"x" * 100_000])

        with pytest.raises(Refused, match="nothing was kept") as refused:
            files.append("u1", [b"x" * 2_000_000])

        assert refused.value.status == 507
        assert files.upload_size("u1") is None
        assert files.put(b"y" * 500_000, upload="u2"), "there is room again"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True, timeout=600)


def test_a_second_upload_of_the_same_content_changes_nothing(files: BlobFiles) -> None:
    first = files.put(b"same", upload="u1")
    files.begin("u2")
    files.append("u2", [b"same"])
    files.finish("u2", first)

    assert list(files.digests()) == [first]
    assert content(files, first) == b"same"


def test_sweeps_only_what_is_old(files: BlobFiles, tmp_path: Path) -> None:
    old, young = files.put(b"old", upload="u1"), files.put(b"young", upload="u2")
    files.begin("u3")
    for path in (files.path(old), tmp_path / "uploads" / "u3"):
        os.utime(path, (1000, 1000))

    assert files.sweep_uploads(2000) == 1
    assert files.remove_older(old, 2000)
    assert not files.remove_older(young, 2000)
    assert list(files.digests()) == [young]


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".", "x" * 65])
def test_an_uploads_name_is_no_path(files: BlobFiles, name: str) -> None:
    assert files.upload_size(name) is None
    assert not files.cancel(name)


@pytest.mark.parametrize(
    "text", ["sha256:" + "0" * 63, "sha256:" + "G" * 64, "sha512:" + "0" * 64, "0" * 64, "sha256:" + "0" * 64 + "\n"]
)
def test_tells_digests_from_other_text(text: str) -> None:
    assert blobs.is_digest("sha256:" + "0" * 64)
    assert not blobs.is_digest(text)
