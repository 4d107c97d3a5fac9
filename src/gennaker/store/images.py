"""Images: the store behind the registry that Gennaker serves, blobs as files and everything else as rows.

A blob's file is renamed into place before its row is written, and the row is committed before anybody is answered: whoever
kills the process at any point finds either nothing or all of it. Files without a row are removed by `sweep`, but only when
they are old, because a file comes before its row.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from gennaker.interfaces.clock import Clock, Ids
from gennaker.interfaces.registry import Referrer, StoredBlob, StoredManifest, TagEvent, TagListener
from gennaker.model import codec
from gennaker.model.audit import AuditEntry
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.store import chain, image_rows
from gennaker.store.image_audit import Change
from gennaker.store.tag_policy import TagPolicy
from gennaker.store.transactions import Transactions, direct
from gennaker.transport import blobs
from gennaker.transport.blobs import CHUNK_BYTES, BlobFiles
from gennaker.transport.images import manifests


class DatabaseImageStore:
    """The images of a data folder: `images/registry/sha256/…` and the tables of tables_images.py.

    Offers the ports ImageStore and TagEvents. For one process.
    """

    def __init__(
        self,
        database: Transactions,
        *,
        clock: Clock,
        ids: Ids,
        policy: TagPolicy,
        listener: TagListener | None = None,
        limit_bytes: int = blobs.DEFAULT_LIMIT_BYTES,
    ) -> None:
        """`limit_bytes` bounds one blob."""
        self._database = database
        self._files = BlobFiles(blob_folder(database.folder), limit_bytes=limit_bytes)
        self._clock = clock
        self._ids = ids
        self._policy = policy
        self._listener = listener
        self._appending: set[str] = set()
        """Uploads to which somebody adds: two at once would mix their bytes."""
        self._finishing: set[str] = set()
        """Digests whose file may be there already and whose row isn't yet."""

    async def blob(self, repository: str, digest: str) -> StoredBlob | None:
        """None: not in this repository."""
        return await self._database.read(lambda connection: image_rows.find_blob(connection, repository, digest))

    async def read_blob(self, digest: str, *, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes `start` to before `end`."""
        chunks = self._files.read(digest, start=start, end=end)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk

    async def mount_blob(self, digest: str, *, repository: str, source: str) -> bool:
        """Makes a blob of the source repository visible in another; False: the source hasn't got it."""
        at = self._now()

        def change(connection: Connection) -> bool:
            found = image_rows.find_blob(connection, source, digest)
            if found is not None:
                image_rows.add_blob(connection, repository, found, at)
            return found is not None

        return await self._database.write(change)

    async def delete_blob(self, repository: str, digest: str, *, by: Principal) -> bool:
        """Takes a blob out of a repository; its file goes with the next sweep."""
        told = Change(by=by, at=self._clock.now(), repository=repository)

        def change(connection: Connection) -> bool:
            was_there = image_rows.delete_blob(connection, repository, digest)
            if was_there:
                self._record(connection, told.blob_deleted(digest))
            return was_there

        return await self._database.write(change)

    async def begin_upload(self, repository: str) -> str:
        """A new upload's id."""
        upload = self._ids.uuid()
        await asyncio.to_thread(self._files.begin, _upload_name(repository, upload))
        return upload

    async def upload_size(self, repository: str, upload: str) -> int | None:
        """Bytes received; None: no such upload in this repository."""
        return await asyncio.to_thread(self._files.upload_size, _upload_name(repository, upload))

    async def append(self, repository: str, upload: str, chunks: AsyncIterator[bytes], *, offset: int | None) -> int:
        """Adds bytes and returns the new size. Of a transfer that breaks off, what came stays."""
        name = _upload_name(repository, upload)
        if name in self._appending:
            raise Refused(_busy(upload), status=409)
        self._appending.add(name)
        try:
            size = _checked_size(await asyncio.to_thread(self._files.upload_size, name), upload, offset)
            async for pieces in _gathered(chunks):
                size = await asyncio.to_thread(self._files.append, name, pieces)
            return size
        except Refused as refused:
            if refused.status == 413:
                await asyncio.to_thread(self._files.cancel, name)
            raise
        except FileNotFoundError as error:
            raise Refused(_no_upload(upload), status=404) from error
        finally:
            self._appending.discard(name)

    async def finish_upload(self, repository: str, upload: str, digest: str) -> StoredBlob:
        """Makes the upload a blob, durably."""
        name = _upload_name(repository, upload)
        if not blobs.is_digest(digest):
            await asyncio.to_thread(self._files.cancel, name)
            raise Refused(_no_digest(digest), status=400)
        if name in self._appending:
            raise Refused(_busy(upload), status=409)
        self._finishing.add(digest)
        try:
            size = await asyncio.to_thread(self._files.finish, name, digest)
            blob, at = StoredBlob(digest=digest, size_bytes=size), self._now()
            await self._database.write(lambda connection: image_rows.add_blob(connection, repository, blob, at))
            return blob
        except FileNotFoundError as error:
            raise Refused(_no_upload(upload), status=404) from error
        finally:
            self._finishing.discard(digest)

    async def cancel_upload(self, repository: str, upload: str) -> bool:
        """Forgets an upload; False: there was none."""
        return await asyncio.to_thread(self._files.cancel, _upload_name(repository, upload))

    async def put_manifest(
        self, repository: str, reference: str, *, media_type: str, body: bytes, by: Principal
    ) -> StoredManifest:
        """Stores it and sets the tag in one transaction; the listener is told after the commit."""
        manifest = manifests.read_manifest(body, media_type)
        stored = StoredManifest(
            digest=blobs.digest_of(body),
            media_type=manifests.media_type_of(manifest, media_type),
            body=body,
            subject=manifest.subject.digest if manifest.subject else "",
        )
        is_tag = not blobs.is_digest(reference)
        if not is_tag and reference != stored.digest:
            raise Refused(_other_digest(reference, stored.digest), status=400)
        told = Change(by=by, at=self._clock.now(), repository=repository)

        def change(connection: Connection) -> TagEvent | None:
            if image_rows.put_manifest(connection, repository, stored, codec.microseconds(told.at)):
                self._record(connection, told.pushed(stored))
            return self._tag(connection, told, reference, stored.digest) if is_tag else None

        event = await self._database.write(change)
        if event is not None and self._listener is not None:
            await self._listener.tag_pushed(event)
        return stored

    async def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """By tag or digest."""
        return await self._database.read(lambda connection: image_rows.find_manifest(connection, repository, reference))

    async def delete_manifest(self, repository: str, reference: str, *, by: Principal) -> bool:
        """By digest: the manifest and its tags; by tag: that tag."""
        told = Change(by=by, at=self._clock.now(), repository=repository)

        def change(connection: Connection) -> bool:
            if blobs.is_digest(reference):
                tags = image_rows.delete_manifest(connection, repository, reference)
                entry = None if tags is None else told.deleted(reference, tags)
            else:
                digest = image_rows.delete_tag(connection, repository, reference)
                entry = None if digest is None else told.untagged(reference, digest)
            if entry is not None:
                self._record(connection, entry)
            return entry is not None

        return await self._database.write(change)

    async def referrers(self, repository: str, digest: str) -> tuple[Referrer, ...]:
        """Manifests whose subject this is."""
        return await self._database.read(lambda connection: image_rows.referrers(connection, repository, digest))

    async def tags(self, repository: str, *, after: str, limit: int) -> tuple[str, ...] | None:
        """Tags after the given one; None: no such repository."""
        return await self._database.read(
            lambda connection: image_rows.list_tags(connection, repository, after=after, limit=limit)
        )

    async def repositories(self, *, after: str, limit: int) -> tuple[str, ...]:
        """Repositories that hold a manifest."""
        return await self._database.read(
            lambda connection: image_rows.list_repositories(connection, after=after, limit=limit)
        )

    async def tag_events(self, *, after: int, limit: int = 1000) -> tuple[TagEvent, ...]:
        """What was pushed, in the order of commits."""
        return await self._database.read(
            lambda connection: image_rows.list_tag_events(connection, after=after, limit=limit)
        )

    async def sweep(self, before: datetime) -> "Swept":
        """Removes uploads that nobody has added to, and blobs that no repository has, since the instant.

        A day is a good age: an upload of a large layer over a slow line must not be swept while it lasts.
        """
        seconds = before.timestamp()
        uploads = await asyncio.to_thread(self._files.sweep_uploads, seconds)
        removed = 0
        for digest in await asyncio.to_thread(list, self._files.digests()):
            is_used = await self._is_used(digest)
            # No await from here to the removal: nobody can begin to finish an upload of this digest in between.
            if not is_used and digest not in self._finishing and self._files.remove_older(digest, seconds):
                removed += 1
        return Swept(uploads=uploads, blobs=removed)

    def _tag(self, connection: Connection, told: Change, tag: str, digest: str) -> TagEvent | None:
        before = image_rows.tagged(connection, told.repository, tag)
        event = image_rows.put_tag(
            connection, self._policy, repository=told.repository, tag=tag, digest=digest, at=told.at
        )
        if before != digest:
            self._record(connection, told.tagged(tag, digest, before))
        return event

    def _record(self, connection: Connection, entry: AuditEntry) -> None:
        chain.append(direct(connection), self._database.sql, chain.encoded_entries((entry,)))

    async def _is_used(self, digest: str) -> bool:
        return await self._database.read(lambda connection: image_rows.is_blob_used(connection, digest))

    def _now(self) -> int:
        return codec.microseconds(self._clock.now())


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """How many files a sweep has removed."""

    uploads: int
    blobs: int


def blob_folder(data: Path) -> Path:
    """Where the registry's blobs lie in a data folder."""
    return data / "images" / "registry"


def _upload_name(repository: str, upload: str) -> str:
    # The repository is part of the file's name: an upload is found only where it was begun, without a row of its own.
    return f"{upload}-{hashlib.sha256(repository.encode()).hexdigest()[:12]}"


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Chunks in lots of about a MiB: one visit to a thread for each lot, not for each packet."""
    lot: list[bytes] = []
    size = 0
    async for chunk in chunks:
        lot.append(chunk)
        size += len(chunk)
        if size >= CHUNK_BYTES:
            yield lot
            lot, size = [], 0
    if lot:
        yield lot


def _checked_size(size: int | None, upload: str, offset: int | None) -> int:
    if size is None:
        raise Refused(_no_upload(upload), status=404)
    if offset is not None and offset != size:
        raise Refused(_wrong_offset(offset, size), status=416)
    return size


def _busy(upload: str) -> Problem:
    message = f"Something is still being sent to the upload {upload}."
    return Problem(code="registry.blob_upload_invalid", message=message, remedy="Send one part after the other.")


def _no_upload(upload: str) -> Problem:
    message = f"There is no upload {upload} in this repository."
    return Problem(code="registry.blob_upload_unknown", message=message, remedy="Begin a new upload.")


def _wrong_offset(offset: int, size: int) -> Problem:
    return Problem(
        code="registry.blob_upload_invalid",
        message=f"The part begins at {offset}, but {size} bytes have been received.",
        remedy="Ask for the upload's state and go on from there.",
        details={"received": size},
    )


def _no_digest(digest: str) -> Problem:
    message = f"{digest[:100]!r} is no SHA-256 digest, the only kind that is supported; nothing of the upload was kept."
    return Problem(code="registry.digest_invalid", message=message)


def _other_digest(expected: str, found: str) -> Problem:
    return Problem(
        code="registry.digest_invalid",
        message=f"The manifest's digest is {found}, not {expected}.",
        details={"expected": expected, "found": found},
    )
