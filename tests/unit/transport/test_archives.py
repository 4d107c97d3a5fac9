"""Archives that nobody vouches for stay inside their folder; archives of ours are the same every time."""

import contextlib
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gennaker.transport import archives
from gennaker.transport.archives import ArchiveLimits, ArchiveRefused, Entry

Member = tuple[str, bytes, dict[str, object]]


def file(name: str, content: bytes = b"x", **more: object) -> Member:
    return name, content, more


def folder(name: str, **more: object) -> Member:
    return name, b"", {"type": tarfile.DIRTYPE, "mode": 0o755, **more}


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Member:
    return name, b"", {"type": kind, "linkname": target}


def tar(*members: Member) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content, more in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in more.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    packed.seek(0)
    return packed


def unpack(root: Path, *members: Member) -> None:
    archives.unpack_layer(tar(*members), root, compression="")


def tree(root: Path) -> dict[str, str]:
    """Every path, with its content, link target or `/`."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "/" if path.is_dir() else path.read_text()
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder to unpack into, with a neighbour that must stay as it is."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("untouched")
    inside = tmp_path / "root"
    inside.mkdir()
    return inside


def test_unpacks_files_folders_and_links(root: Path) -> None:
    unpack(
        root, folder("a"), file("a/b", b"text"), link("a/c", "b"), link("a/d", "a/b", tarfile.LNKTYPE), file("new/e")
    )

    assert tree(root) == {"a": "/", "a/b": "text", "a/c": "-> b", "a/d": "text", "new": "/", "new/e": "x"}
    assert (root / "a" / "b").stat().st_ino == (root / "a" / "d").stat().st_ino


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "/../escape", "./../escape"])
def test_refuses_names_that_climb(root: Path, name: str) -> None:
    with pytest.raises(ArchiveRefused, match="leads outside"):
        unpack(root, file(name))

    assert not (root.parent / "escape").exists()


def test_an_absolute_name_means_the_folders_root(root: Path) -> None:
    unpack(root, file("/etc/x"))

    assert tree(root) == {"etc": "/", "etc/x": "x"}


@pytest.mark.parametrize(
    "members",
    [
        (link("a", "../outside"), file("a/secret", b"stolen")),
        (link("a", "{outside}"), file("a/secret", b"stolen")),
        (link("a", "b"), link("b", "../outside"), file("a/secret", b"stolen")),
        (link("a", "{outside}/secret"), file("a", b"stolen")),
        (link("a", "../outside"), folder("a", mode=0o777), file("a/secret", b"stolen")),
        (link("a", "../outside/secret"), link("b", "a", tarfile.LNKTYPE), file("b", b"stolen")),
        (link("b", "{outside}/secret", tarfile.LNKTYPE), file("b", b"stolen")),
        (link("a", "{outside}"), file("a/.wh.secret", b"")),
        (link("a", "{outside}"), file("a/.wh..wh..opq", b"")),
    ],
    ids=[
        "relative",
        "absolute",
        "chain",
        "over-link",
        "folder-over-link",
        "hard-link-to-link",
        "hard-link",
        "wh",
        "opq",
    ],
)
def test_nothing_outside_is_touched(root: Path, members: tuple[Member, ...]) -> None:
    outside = root.parent / "outside"
    named = [(name, content, _named(more, str(outside))) for name, content, more in members]

    with contextlib.suppress(ArchiveRefused):  # refused or kept inside: both will do
        unpack(root, *named)

    assert tree(outside) == {"secret": "untouched"}


def _named(more: dict[str, object], outside: str) -> dict[str, object]:
    return {
        key: value.replace("{outside}", outside) if isinstance(value, str) else value for key, value in more.items()
    }


def test_refuses_a_ring_of_links(root: Path) -> None:
    with pytest.raises(ArchiveRefused, match="ring"):
        unpack(root, link("a", "b"), link("b", "a"), file("a/x"))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_leaves_devices_and_pipes_out(root: Path, kind: bytes) -> None:
    unpack(root, ("dev/node", b"", {"type": kind}), file("a"))

    assert not os.path.lexists(root / "dev" / "node")
    assert (root / "a").exists()


def test_leaves_setuid_out_and_keeps_the_rest_of_the_mode(root: Path) -> None:
    unpack(root, file("tool", mode=0o4755))

    assert (root / "tool").stat().st_mode & 0o7777 == 0o755


def test_a_whiteout_hides_what_is_below(root: Path) -> None:
    unpack(root, file("a/keep"), file("a/gone"), file("b/deep/x"))

    unpack(root, file("a/.wh.gone", b""), file(".wh.b", b""))

    assert tree(root) == {"a": "/", "a/keep": "x"}


@pytest.mark.parametrize("is_last", [True, False])
def test_an_opaque_mark_hides_only_what_is_below_the_layer(root: Path, is_last: bool) -> None:
    unpack(root, file("a/old"), file("a/sub/old"))

    mark, own = file("a/.wh..wh..opq", b""), (file("a/new"), file("a/sub/new"))
    unpack(root, *((*own, mark) if is_last else (mark, *own)))

    assert tree(root) == {"a": "/", "a/new": "x", "a/sub": "/", "a/sub/new": "x"}


def test_a_later_layer_changes_kinds(root: Path) -> None:
    unpack(root, file("a"), folder("b"), file("b/x"), link("c", "a"), file("d"))

    unpack(root, folder("a"), file("b"), folder("c"), file("d/below"))

    assert tree(root) == {"a": "/", "b": "x", "c": "/", "d": "/", "d/below": "x"}


def test_a_file_through_a_linked_folder_lands_where_the_link_leads(root: Path) -> None:
    unpack(root, folder("usr/bin"), link("bin", "/usr/bin"))

    unpack(root, file("bin/tool"))

    assert tree(root) == {"bin": "-> /usr/bin", "usr": "/", "usr/bin": "/", "usr/bin/tool": "x"}


def test_refuses_more_than_its_bounds(root: Path) -> None:
    packed = gzip.compress(tar(file("a", b"\0" * 1_000_000)).getvalue())

    with pytest.raises(ArchiveRefused, match="larger"):
        archives.unpack_layer(io.BytesIO(packed), root, compression="gzip", limits=ArchiveLimits(total_bytes=100_000))
    with pytest.raises(ArchiveRefused, match="more than 2 entries"):
        archives.unpack_layer(
            tar(file("a"), file("b"), file("c")), root, compression="", limits=ArchiveLimits(entries=2)
        )


def test_refuses_a_header_that_would_fill_the_memory(root: Path) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 3 << 30

    with pytest.raises(ArchiveRefused, match="header of"):
        archives.unpack_layer(io.BytesIO(info.tobuf()), root, compression="")


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed[:-4] + b"\0\0\0\0",
        lambda packed: b"no archive at all",
        lambda packed: b"",
        lambda packed: gzip.compress(b"still no archive, but compressed" * 100),
    ],
    ids=["cut", "checksum", "text", "empty", "no-tar"],
)
def test_says_that_an_archive_is_damaged(root: Path, damage: Callable[[bytes], bytes]) -> None:
    packed = gzip.compress(tar(file("a", os.urandom(50_000))).getvalue())

    with pytest.raises(ArchiveRefused, match="damaged"):
        archives.unpack_layer(io.BytesIO(damage(packed)), root, compression="gzip")


def test_the_diff_id_is_the_archives_digest(root: Path, tmp_path: Path) -> None:
    entries = {"a": Entry(mode=0o755, is_folder=True), "a/b": Entry(mode=0o644, content=b"text")}
    written = archives.write_layer(entries.items(), tmp_path / "layer", mtime=1)

    with (tmp_path / "layer").open("rb") as layer:
        assert archives.unpack_layer(layer, root, compression="gzip") == written.diff_id
    assert tree(root) == {"a": "/", "a/b": "text"}


def test_a_layer_depends_on_nothing_but_its_entries(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    long = "folder/" + "n" * 120
    entries = [(long, Entry(mode=0o644, source=source)), ("folder", Entry(mode=0o755, is_folder=True))]

    first = archives.write_layer(entries, tmp_path / "1", mtime=1_700_000_000)
    os.utime(source, (1, 1))
    second = archives.write_layer(reversed(entries), tmp_path / "2", mtime=1_700_000_000)

    assert first == second
    with tarfile.open(tmp_path / "1") as archive:
        assert [(info.name, info.mtime, info.uid, info.uname) for info in archive] == [
            ("folder", 1_700_000_000, 0, ""),
            (long, 1_700_000_000, 0, ""),
        ]
