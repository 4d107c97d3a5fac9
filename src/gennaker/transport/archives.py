"""Archives: unpacking tar files that nobody vouches for, and writing ones that are the same every time.

Unpacking never writes outside its folder, however the archive's names, symbolic links and hard links are arranged: links
in the path of an entry are followed as if the folder were `/` (as container runtimes do), hard links are made inside
only. Device files, pipes and setuid bits are left out, owners are not set: what is unpacked belongs to the server's user.
Sizes and numbers of entries are bounded while reading, before anything is written.

The folder must belong to the caller alone while it is filled: nothing here defends against somebody who changes it
at the same time. All functions block; call them in a thread.

    ArchiveRefused      the archive is damaged, too large, or asks for something outside its folder
"""

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Protocol, cast

import msgspec

_WHITEOUT = ".wh."  # OCI image-layout specification, "Whiteouts"
_OPAQUE = ".wh..wh..opq"
_HEADER_BYTES = 1 << 20
"""Largest extended header; tarfile holds one in memory at a time."""
_LINKS_FOLLOWED = 40  # as Linux does (path_resolution(7))
_GZIP_LEVEL = 6
_CHUNK = 1 << 20
_PERMISSIONS = 0o777
_EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class ArchiveRefused(Exception):
    """The archive can't be unpacked; the text says why. What was unpacked so far must be thrown away."""


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one archive."""

    total_bytes: int = 8 * (1 << 30)
    entries: int = 500_000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something to write into an archive, by content or by the file that holds it."""

    mode: int
    """Permission bits."""
    link: str = ""
    """Target of a symbolic link; then the rest doesn't matter."""
    is_folder: bool = False
    source: Path | None = None
    """The file with the content; None: `content`."""
    content: bytes = b""
    user_id: int = 0
    group_id: int = 0


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that was written."""

    digest: str
    """Of the compressed file."""
    diff_id: str
    """Of the archive inside."""
    size_bytes: int


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def unpack_layer(layer: BinaryIO, folder: Path, *, compression: str, limits: ArchiveLimits | None = None) -> str:
    """Applies an image layer to a folder, whiteouts included, and returns the diff id (digest of the archive).

    `compression` is `gzip` or empty. Raises ArchiveRefused.
    """
    bounds = limits or ArchiveLimits()
    with _refusing():
        unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=layer)) if compression == "gzip" else layer
        reader = _Hashing(unpacked, bounds.total_bytes)
        with _opened(reader) as archive:
            _Layer(folder, bounds).apply(archive)
        reader.drain()
        return reader.digest()


def unpack_archive(archive: BinaryIO, folder: Path, *, limits: ArchiveLimits | None = None) -> None:
    """Unpacks a tar file, compressed by gzip or not, into a folder. Raises ArchiveRefused."""
    bounds = limits or ArchiveLimits()
    is_compressed = archive.read(2) == b"\x1f\x8b"
    archive.seek(0)
    with _refusing():
        unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=archive)) if is_compressed else archive
        reader = _Hashing(unpacked, bounds.total_bytes)
        with _opened(reader) as opened:
            _Unpacking(folder, bounds).apply(opened)


def write_layer(entries: Iterable[tuple[str, Entry]], target: Path, *, mtime: int) -> Written:
    """Writes a gzipped layer that depends on nothing but its arguments (and zlib): sorted, without times or names of users.

    Paths are relative and in the order of `sorted`, in which folders come before what is in them.
    """
    with target.open("wb") as opened:
        compressing = _Compressing(opened)
        # tarfile asks a stream for nothing but `write`.
        sink = cast("IO[bytes]", compressing)
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for path, entry in sorted(entries):
                _write(archive, path, entry, mtime)
        compressing.finish()
    return Written(digest=compressing.digest(), diff_id=compressing.diff_id(), size_bytes=target.stat().st_size)


def compress(archive: Path, target: Path) -> Written:
    """Compresses an archive that was written elsewhere, in the same fixed way."""
    with archive.open("rb") as source, target.open("wb") as opened:
        compressing = _Compressing(opened)
        while chunk := source.read(_CHUNK):
            compressing.write(chunk)
        compressing.finish()
    return Written(digest=compressing.digest(), diff_id=compressing.diff_id(), size_bytes=target.stat().st_size)


def resolve_inside(folder: Path, path: str) -> Path:
    """Where a path leads inside a folder as if the folder were `/`: parents' links followed, its own not.

    The result needn't exist. Raises ArchiveRefused for a ring of links.
    """
    followed = 0
    left = list(reversed([part for part in path.split("/") if part not in ("", ".")]))
    at: list[str] = []
    while left:
        part = left.pop()
        if part == "..":
            at = at[:-1]
            continue
        here = folder.joinpath(*at, part)
        if left and here.is_symlink():
            followed += 1
            if followed > _LINKS_FOLLOWED:
                raise ArchiveRefused(f"{path!r} leads through a ring of symbolic links")
            target = str(here.readlink())
            at = [] if target.startswith("/") else at
            left += reversed([step for step in target.split("/") if step not in ("", ".")])
            continue
        at.append(part)
    return folder.joinpath(*at)


class _Unpacking:
    """Fills a folder from an archive."""

    def __init__(self, folder: Path, limits: ArchiveLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._entries = 0
        self._bytes = 0

    def apply(self, archive: tarfile.TarFile) -> None:
        for info in archive:
            self._count(info)
            self.place(archive, info)

    def place(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        target = resolve_inside(self._folder, _checked_name(info.name))
        if target == self._folder:
            return
        self._make_parents(target)
        if info.isdir():
            self._make_folder(target, info)
        elif info.isreg():
            _remove(target)
            self._make_file(archive, target, info)
        elif info.issym():
            _remove(target)
            target.symlink_to(info.linkname)
        elif info.islnk():
            self._make_hard_link(target, info)
        # What is left are devices and pipes, which an ordinary user couldn't make either.

    def _count(self, info: tarfile.TarInfo) -> None:
        self._entries += 1
        self._bytes += info.size  # a sparse entry's full size, which may be far more than what is in the archive
        if info.size < 0 or "\0" in info.linkname:
            raise ArchiveRefused(f"the entry {info.name!r} makes no sense")
        if self._entries > self._limits.entries:
            raise ArchiveRefused(f"it has more than {self._limits.entries} entries")
        if self._bytes > self._limits.total_bytes:
            raise ArchiveRefused(f"its files are larger than {self._limits.total_bytes} bytes")

    def _make_parents(self, target: Path) -> None:
        missing = [parent for parent in target.parents if parent.is_relative_to(self._folder) and not parent.is_dir()]
        for parent in reversed(missing):
            _remove(parent)  # a file of a layer below, where this layer has a folder
            parent.mkdir()

    def _make_folder(self, target: Path, info: tarfile.TarInfo) -> None:
        if target.is_symlink() or not target.is_dir():
            _remove(target)
            target.mkdir()
        # The owner must be able to fill it and to remove it again.
        target.chmod(info.mode & _PERMISSIONS | stat.S_IRWXU)

    def _make_file(self, archive: tarfile.TarFile, target: Path, info: tarfile.TarInfo) -> None:
        content = archive.extractfile(info)
        assert content is not None
        with target.open("xb") as opened:
            shutil.copyfileobj(content, opened, _CHUNK)
        if target.stat().st_size != info.size:
            raise ArchiveRefused(f"{info.name!r} is cut short")
        target.chmod(info.mode & _PERMISSIONS | stat.S_IRUSR)

    def _make_hard_link(self, target: Path, info: tarfile.TarInfo) -> None:
        original = resolve_inside(self._folder, _checked_name(info.linkname))
        if original.is_symlink() or not original.is_file():
            raise ArchiveRefused(f"{info.name!r} is a hard link to {info.linkname!r}, which is no file before it")
        if original == target:
            return
        _remove(target)
        target.hardlink_to(original)


class _Layer(_Unpacking):
    """As above, with the marks by which a layer takes away what layers below it hold."""

    def __init__(self, folder: Path, limits: ArchiveLimits) -> None:
        super().__init__(folder, limits)
        self._own: set[Path] = set()
        """Made by this layer: an opaque mark, wherever it stands in the archive, hides only what is below the layer."""

    def place(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        path = PurePosixPath(_checked_name(info.name))
        if path.name == _OPAQUE:
            self._empty(resolve_inside(self._folder, str(path)).parent)
        elif path.name.startswith(_WHITEOUT):
            self._hide(path)
        else:
            super().place(archive, info)
            self._remember(resolve_inside(self._folder, str(path)))

    def _hide(self, mark: PurePosixPath) -> None:
        name = mark.name.removeprefix(_WHITEOUT)
        if name in ("", ".", ".."):
            raise ArchiveRefused(f"{str(mark)!r} is no whiteout")
        target = resolve_inside(self._folder, str(mark.parent / name))
        if target not in self._own:
            _remove(target)

    def _empty(self, folder: Path) -> None:
        if folder.is_symlink() or not folder.is_dir():
            return
        for child in list(folder.iterdir()):
            if child not in self._own:
                _remove(child)
            elif child.is_dir() and not child.is_symlink():
                self._empty(child)

    def _remember(self, path: Path) -> None:
        while path != self._folder and path not in self._own:
            self._own.add(path)
            path = path.parent


class _BoundedTarInfo(tarfile.TarInfo):
    """Refuses extended headers that would fill the memory: tarfile reads each of them in one piece."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_BoundedTarInfo":
        info = super().frombuf(buf, encoding, errors)
        if info.type in _EXTENDED and info.size > _HEADER_BYTES:
            raise ArchiveRefused(f"it has a header of {info.size} bytes")
        return info


class _Hashing:
    """Reads, counts and hashes; the counting stops a small file that unpacks to an endless one."""

    def __init__(self, source: IO[bytes], limit_bytes: int) -> None:
        self._source = source
        self._left = limit_bytes
        self._hash: _Hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise ArchiveRefused("it is larger than allowed")
        self._hash.update(chunk)
        return chunk

    def drain(self) -> None:
        """Reads what follows the archive's end mark: it belongs to the digest."""
        while self.read(_CHUNK):
            pass

    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


class _Compressing:
    """Compresses what tarfile writes, hashing both sides. Header without time and name, unlike gzip.GzipFile's."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self._inner: _Hash = hashlib.sha256()
        self._outer: _Hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self._inner.update(content)
        self._emit(self._compressor.compress(content))
        return len(content)

    def finish(self) -> None:
        self._emit(self._compressor.flush())

    def digest(self) -> str:
        return "sha256:" + self._outer.hexdigest()

    def diff_id(self) -> str:
        return "sha256:" + self._inner.hexdigest()

    def _emit(self, compressed: bytes) -> None:
        self._outer.update(compressed)
        self._target.write(compressed)


def _write(archive: tarfile.TarFile, path: str, entry: Entry, mtime: int) -> None:
    info = tarfile.TarInfo(path)
    info.mtime, info.mode, info.uid, info.gid = mtime, entry.mode, entry.user_id, entry.group_id
    if entry.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, _PERMISSIONS
        archive.addfile(info)
    elif entry.is_folder:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif entry.source is None:
        info.size = len(entry.content)
        archive.addfile(info, io.BytesIO(entry.content))
    else:
        with entry.source.open("rb") as opened:
            info.size = os.fstat(opened.fileno()).st_size
            archive.addfile(info, opened)


def _opened(reader: _Hashing) -> tarfile.TarFile:
    # tarfile asks a stream for nothing but `read`.
    return tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|", tarinfo=_BoundedTarInfo)


@contextmanager
def _refusing() -> Iterator[None]:
    """Everything that a damaged archive can make the libraries raise, as one error."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
        raise ArchiveRefused(f"it is damaged: {error}") from error


def _checked_name(name: str) -> str:
    if "\0" in name or ".." in PurePosixPath(name).parts:
        raise ArchiveRefused(f"the name {name!r} leads outside")
    if any(len(os.fsencode(part)) > 255 for part in PurePosixPath(name).parts):  # NAME_MAX
        raise ArchiveRefused(f"the name {name[:80]!r}… is too long")
    return name


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
