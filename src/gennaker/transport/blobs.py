"""Blob files: content under its SHA-256 in a folder, written so that a file with the right name has the right content.

`<folder>/sha256/ab/abcd…` are the blobs, `<folder>/uploads/` holds what is being written. A blob is written there, its
digest checked, synced to disk and then renamed: a crash leaves an upload, never a damaged blob. All functions block;
call them in a thread. Who may see a blob, and what refers to it, is the caller's business.
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gennaker.model.problems import Problem, Refused

CHUNK_BYTES = 1 << 20
DEFAULT_LIMIT_BYTES = 10 * (1 << 30)
"""Larger than any layer in practice, smaller than the disks of small machines."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_UPLOAD = re.compile(r"[A-Za-z0-9-]{1,64}\Z")


def is_digest(text: str) -> bool:
    """Whether this is a SHA-256 digest, the only kind that is supported."""
    return _DIGEST.match(text) is not None


def digest_of(content: bytes) -> str:
    """`sha256:…` of the content."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def digest_of_file(file: Path) -> str:
    """`sha256:…` of a file's content."""
    with file.open("rb") as opened:
        return "sha256:" + hashlib.file_digest(opened, "sha256").hexdigest()


class BlobFiles:
    """A folder of blobs and of uploads on their way to become blobs."""

    def __init__(self, folder: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """The folder is made when the first upload begins. `limit_bytes` bounds one blob."""
        self._blobs = folder / "sha256"
        self._uploads = folder / "uploads"
        self._limit_bytes = limit_bytes

    def path(self, digest: str) -> Path:
        """Where the blob is if it is there. The digest's form is the caller's to check (`is_digest`)."""
        assert is_digest(digest), digest
        name = digest.removeprefix("sha256:")
        return self._blobs / name[:2] / name

    def size(self, digest: str) -> int | None:
        """Bytes of a blob; None: not there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, digest: str, *, start: int, end: int) -> Iterator[bytes]:
        """Bytes `start` to before `end`, in chunks. Raises FileNotFoundError."""
        with self.path(digest).open("rb") as opened:
            opened.seek(start)
            left = end - start
            while left > 0 and (chunk := opened.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk

    def put(self, content: bytes, *, upload: str) -> str:
        """Stores content at hand and returns its digest; the upload's name must be new."""
        digest = digest_of(content)
        if self.size(digest) is None:
            self.begin(upload)
            self.append(upload, [content])
            self.finish(upload, digest)
        return digest

    def begin(self, upload: str) -> None:
        """Begins an upload under a name that the caller has made unique."""
        with _storing():
            self._uploads.mkdir(parents=True, exist_ok=True)
            self._upload_file(upload).touch(exist_ok=False)

    def upload_size(self, upload: str) -> int | None:
        """Bytes received so far; None: no such upload."""
        if not _UPLOAD.match(upload):
            return None
        try:
            return self._upload_file(upload).stat().st_size
        except FileNotFoundError:
            return None

    def append(self, upload: str, chunks: Iterable[bytes]) -> int:
        """Adds to an upload and returns its size. What was received before an error stays, unless the disk is full.

        Then the whole upload goes: nothing else of the server could write any more.
        """
        file = self._upload_file(upload)
        with _storing(file), file.open("r+b") as opened:
            size = opened.seek(0, os.SEEK_END)
            for chunk in chunks:
                size += len(chunk)
                if size > self._limit_bytes:
                    raise Refused(_too_large(self._limit_bytes), status=413)
                opened.write(chunk)
            return size

    def finish(self, upload: str, digest: str) -> int:
        """Makes the upload the blob of this digest, durably, and returns its size.

        Content with another digest is refused and removed.
        """
        file = self._upload_file(upload)
        found = digest_of_file(file)
        if found != digest:
            file.unlink()
            raise Refused(_wrong_digest(digest, found), status=400)
        with _storing():
            size = file.stat().st_size
            target = self.path(digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(file)
            # Over a blob that is there already too: the new file's time keeps it from being swept (`remove_older`).
            file.replace(target)
            _sync(target.parent)
            _sync(self._blobs)
            return size

    def cancel(self, upload: str) -> bool:
        """Removes an upload; False: there was none."""
        if not _UPLOAD.match(upload):
            return False
        try:
            self._upload_file(upload).unlink()
        except FileNotFoundError:
            return False
        return True

    def touch(self, digest: str) -> bool:
        """Makes a blob young again, because something will refer to it; False: not there."""
        try:
            os.utime(self.path(digest))
        except FileNotFoundError:
            return False
        return True

    def digests(self) -> Iterator[str]:
        """All blobs."""
        for file in self._blobs.glob("??/*"):
            yield f"sha256:{file.name}"

    def remove_older(self, digest: str, before: float) -> bool:
        """Removes a blob that was last written or touched before the time (seconds since 1970)."""
        return _remove_older(self.path(digest), before)

    def sweep_uploads(self, before: float) -> int:
        """Removes uploads that nobody has added to since the time (seconds since 1970); returns how many."""
        return sum(_remove_older(file, before) for file in self._uploads.glob("*"))

    def clear(self) -> None:
        """Removes everything."""
        for folder in (self._blobs, self._uploads):
            if folder.exists():
                shutil.rmtree(folder)

    def _upload_file(self, upload: str) -> Path:
        assert _UPLOAD.match(upload), upload
        return self._uploads / upload


@contextmanager
def _storing(upload: Path | None = None) -> Iterator[None]:
    """Turns a full disk into a sentence, and removes the upload that filled it; every other error passes."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            if upload is not None:
                upload.unlink(missing_ok=True)
            raise Refused(_disk_full(), status=507) from error
        raise


def _remove_older(file: Path, before: float) -> bool:
    try:
        if file.stat().st_mtime >= before:
            return False
        file.unlink()
    except FileNotFoundError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _too_large(limit_bytes: int) -> Problem:
    return Problem(
        code="registry.size_invalid",
        message=f"The blob is larger than {limit_bytes} bytes, the most that is accepted.",
        remedy="Split the layer, or keep large files out of the image.",
    )


def _wrong_digest(expected: str, found: str) -> Problem:
    return Problem(
        code="registry.digest_invalid",
        message=f"The content's digest is {found}, not {expected}; nothing of it was kept.",
        remedy="Send it again; if that doesn't help, the file is damaged where it comes from.",
        details={"expected": expected, "found": found},
    )


def _disk_full() -> Problem:
    return Problem(
        code="registry.storage_full",
        message="The disk of the image store is full; nothing was kept.",
        remedy="Free space or delete images that are no longer needed, then send it again.",
    )
