"""The client of the OCI distribution API: pushing, pulling, listing. Offers the port ImageRegistry.

Works with any v2 registry (Gennaker's own, Docker Hub, ECR, GAR, Artifactory …). Everything may be repeated: blobs that
are there are not sent or fetched again, and everything fetched is checked against its digest before it is used. Hiccups of
seconds are tried again here; what lasts longer is the caller's to repeat (`Refused.status` is 500 or above then).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec

from gennaker.interfaces.registry import ImageFacts
from gennaker.model.codec import decode
from gennaker.model.problems import Refused
from gennaker.plugins.oci import session
from gennaker.plugins.oci.session import Answer, RegistryAccount, Session, Temporary, refused
from gennaker.transport import blobs
from gennaker.transport.images import layout as layouts
from gennaker.transport.images import manifests
from gennaker.transport.images.manifests import Descriptor, Manifest

_ACCEPT = {"accept": ", ".join(manifests.MEDIA_TYPES)}
_CHUNK_BYTES = 1 << 20
_PAGES = 10_000
"""More than any registry has; ends the listing of one that links in a circle."""
_LIST_BYTES = 64 * (1 << 20)
"""Of all pages of a list together: a million names."""
_LINK = re.compile(r'<([^<>]*+)>\s*;[^,<]*rel\s*=\s*"?next"?', re.IGNORECASE)
"""Without `<` in its parts: a registry's header of 30,000 of them would be looked through as often."""


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest as the registry gave it."""

    digest: str
    media_type: str
    body: bytes
    manifest: Manifest


class _Listing(msgspec.Struct, frozen=True, kw_only=True):
    repositories: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None


class RegistryClient:
    """One account of a registry. To be closed."""

    def __init__(self, account: RegistryAccount, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """`transport` replaces the network in tests."""
        self._account = account
        self._session = Session(account, transport=transport)

    @property
    def host(self) -> str:
        """As it stands in image references."""
        return self._session.url.netloc.decode("ascii")

    async def close(self) -> None:
        """Closes kept connections."""
        await self._session.close()

    async def repositories(self) -> tuple[str, ...]:
        """All repositories that the registry lists."""
        pages = await self._pages("_catalog", scope="registry:catalog:*")
        return tuple(name for page in pages for name in page.repositories or ())

    async def tags(self, repository: str) -> tuple[str, ...]:
        """All tags; none for an unknown repository."""
        pages = await self._pages(f"{_checked(repository)}/tags/list", scope=_pull_scope(repository))
        # An empty tag has been seen from registries that were migrated (events.md, 7.2).
        return tuple(tag for page in pages for tag in page.tags or () if tag)

    async def resolve(self, repository: str, reference: str) -> str | None:
        """The digest that a tag names now; None: no such image."""
        path = f"{_checked(repository)}/manifests/{_reference(reference)}"
        response = await session.retried(
            lambda: self._session.request("HEAD", path, scope=_pull_scope(repository), headers=_ACCEPT)
        )
        if response.status == 404:
            return None
        digest = response.headers.get("docker-content-digest", "")
        if response.status == 200 and blobs.is_digest(digest):
            return digest
        # Some registries don't answer HEAD, or without the digest.
        found = await self._manifest(repository, reference)
        return None if found is None else found.digest

    async def inspect(self, repository: str, reference: str) -> ImageFacts | None:
        """Labels, ports, size of an image, without its layers."""
        found = await self._manifest(repository, reference)
        if found is None:
            return None
        own = await self._own_image(repository, found)
        assert own.manifest.config is not None, "_own_image returns images, not indexes"
        configuration = manifests.read_configuration(await self._small_blob(repository, own.manifest.config))
        return ImageFacts(
            digest=found.digest,
            media_type=found.media_type,
            size_bytes=sum(layer.size for layer in own.manifest.layers),
            created=configuration.created,
            run=manifests.run_config(configuration),
        )

    async def push(self, layout: Path, digest: str, *, repository: str, tag: str) -> str:
        """Uploads what the registry doesn't have yet, then the manifest under the tag; returns the digest."""
        if not manifests.is_tag(tag):
            raise refused("manifest_invalid", f"{tag!r} is no tag.", 400)
        async with self._deadline("The image was not pushed"):
            await self._push(layout, digest, _checked(repository), tag)
        return digest

    async def pull(self, repository: str, reference: str, layout: Path) -> str:
        """Fetches an image for this machine's platform into a layout; returns its manifest's digest."""
        async with self._deadline("The image was not pulled"):
            await asyncio.to_thread(layouts.prepare, layout)
            found = await self._manifest(repository, reference)
            if found is None:
                raise self._unknown(repository, reference)
            own = await self._own_image(repository, found)
            for blob in own.manifest.blobs:
                await self._pull_blob(repository, blob, layout)
            await asyncio.to_thread(layouts.put_blob, layout, own.body)
            descriptor = Descriptor(media_type=own.media_type, digest=own.digest, size=len(own.body))
            await asyncio.to_thread(layouts.add_manifest, layout, descriptor)
            return own.digest

    async def _pages(self, path: str, *, scope: str) -> tuple[_Listing, ...]:
        async with self._deadline("The list was not read"):
            return await self._all_pages(path, scope=scope)

    async def _all_pages(self, path: str, *, scope: str) -> tuple[_Listing, ...]:
        pages: list[_Listing] = []
        size = 0
        url = self._session.address(f"/v2/{path}").copy_merge_params({"n": str(self._account.page_size)})
        while len(pages) < _PAGES:
            response = await self._get(url, scope)
            if response.status == 404:
                return ()
            if response.status != 200:
                raise session.unexpected(response, f"The registry {self.host} did not list {path}")
            try:
                pages.append(decode(response.body, _Listing))
            except msgspec.MsgspecError as error:
                message = f"The registry {self.host} gave a list that can't be read: {error}."
                raise refused("unsupported", message, 502) from error
            size += len(response.body)
            if size > _LIST_BYTES:
                raise refused("unsupported", f"The list {path} of the registry {self.host} is too large.", 502)
            link = _LINK.search(response.headers.get("link", ""))
            if link is None:
                return tuple(pages)
            url = self._next(link.group(1))
        raise refused("unsupported", f"The registry {self.host} has no end of pages for {path}.", 502)

    async def _get(self, path: str | httpx2.URL, scope: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await session.retried(lambda: self._session.request("GET", path, scope=scope, headers=headers))

    def _next(self, link: str) -> httpx2.URL:
        # Path and query only: behind a proxy a registry may not know its own name, and nobody else shall get the token.
        target = self._session.address(link)
        url = self._session.url.copy_with(raw_path=target.raw_path)
        return url if "n" in url.params else url.copy_merge_params({"n": str(self._account.page_size)})

    async def _manifest(self, repository: str, reference: str) -> _Found | None:
        path = f"{_checked(repository)}/manifests/{_reference(reference)}"
        response = await self._get(path, _pull_scope(repository), _ACCEPT)
        if response.status == 404:
            return None
        if response.status != 200:
            raise session.unexpected(response, f"The registry {self.host} did not give {repository}:{reference}")
        body = response.body
        digest = blobs.digest_of(body)
        announced = reference if blobs.is_digest(reference) else response.headers.get("docker-content-digest", digest)
        if announced != digest:
            message = f"The registry {self.host} gave the manifest {digest} for {announced}; it was not used."
            raise refused("digest_invalid", message, 502, "Try again; if it stays, the registry or a proxy is broken.")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        known = media_type if media_type in manifests.MEDIA_TYPES else ""
        manifest = manifests.read_manifest(body, known)
        return _Found(digest=digest, media_type=manifests.media_type_of(manifest, known), body=body, manifest=manifest)

    async def _own_image(self, repository: str, found: _Found) -> _Found:
        """The image for this machine, through an index where there is one."""
        if not found.manifest.is_index:
            return found
        wanted = manifests.own_platform()
        entry = manifests.choose(found.manifest, wanted)
        if entry is None:
            message = (
                f"The image {self.host}/{repository}@{found.digest} isn't made for {wanted.os}/{wanted.architecture}."
            )
            raise refused("manifest_unknown", message, 422, "Build and push it for this platform.")
        own = await self._manifest(repository, entry.digest)
        if own is None:
            raise self._unknown(repository, entry.digest)
        if own.manifest.is_index:
            raise refused("manifest_invalid", f"The index {found.digest} names another index as an image.", 422)
        return own

    async def _push(self, layout: Path, digest: str, repository: str, reference: str) -> None:
        body = await asyncio.to_thread(layouts.read_blob, layout, digest)
        manifest = manifests.read_manifest(body, "")
        for child in manifest.manifests:
            await self._push(layout, child.digest, repository, child.digest)
        for blob in manifest.blobs:
            await self._push_blob(layout, blob, repository)
        response = await session.retried(
            lambda: self._session.request(
                "PUT",
                f"{repository}/manifests/{reference}",
                scope=_push_scope(repository),
                headers={"content-type": manifests.media_type_of(manifest, "")},
                body=body,
            )
        )
        if response.status not in (200, 201, 202):
            raise session.unexpected(response, f"The registry {self.host} did not take {repository}:{reference}")

    async def _push_blob(self, layout: Path, blob: Descriptor, repository: str) -> None:
        await session.retried(lambda: self._try_to_push(layout, blob, repository))

    async def _try_to_push(self, layout: Path, blob: Descriptor, repository: str) -> None:
        scope = _push_scope(repository)
        head = await self._session.request("HEAD", f"{repository}/blobs/{blob.digest}", scope=scope)
        if head.status == 200:
            return
        if not await asyncio.to_thread(layouts.has_blob, layout, blob):
            raise refused("blob_unknown", f"The layout {layout} lacks the blob {blob.digest}.", 422)
        begun = await self._session.request("POST", f"{repository}/blobs/uploads/", scope=scope)
        location = begun.headers.get("location", "")
        if begun.status != 202 or not location:
            raise session.unexpected(begun, f"The registry {self.host} did not begin an upload to {repository}")
        file = layouts.blob_path(layout, blob.digest)
        response = await self._session.request(
            "PUT",
            self._session.address(location).copy_merge_params({"digest": blob.digest}),
            scope=scope,
            headers={"content-type": "application/octet-stream", "content-length": str(blob.size)},
            body=lambda: _content(file),
        )
        if response.status not in (200, 201):
            raise session.unexpected(response, f"The registry {self.host} did not take the blob {blob.digest}")

    async def _pull_blob(self, repository: str, blob: Descriptor, layout: Path) -> None:
        if not await asyncio.to_thread(layouts.has_blob, layout, blob):
            await session.retried(lambda: self._fetch(repository, blob, layout))

    async def _fetch(self, repository: str, blob: Descriptor, layout: Path) -> None:
        fresh = await asyncio.to_thread(layouts.fresh_file, layout)
        try:
            path = f"{repository}/blobs/{blob.digest}"
            async with self._session.stream("GET", path, scope=_pull_scope(repository)) as response:
                if response.status_code != 200:
                    answer = await session.whole(response)
                    raise session.unexpected(answer, f"The registry {self.host} did not give the blob {blob.digest}")
                await _write(response, fresh, blob.size)
            found = await asyncio.to_thread(blobs.digest_of_file, fresh)
            if found != blob.digest:
                raise Temporary(_damaged(self.host, blob.digest, found))
            await asyncio.to_thread(layouts.adopt_blob, layout, fresh, blob)
        finally:
            await asyncio.to_thread(fresh.unlink, missing_ok=True)

    async def _small_blob(self, repository: str, blob: Descriptor) -> bytes:
        path = f"{repository}/blobs/{blob.digest}"
        response = await self._get(path, _pull_scope(repository))
        if response.status != 200:
            raise session.unexpected(response, f"The registry {self.host} did not give the blob {blob.digest}")
        found = blobs.digest_of(response.body)
        if found != blob.digest:
            raise _damaged(self.host, blob.digest, found)
        return response.body

    def _unknown(self, repository: str, reference: str) -> Refused:
        mark = "@" if blobs.is_digest(reference) else ":"
        message = f"There is no image {self.host}/{repository}{mark}{reference}."
        return refused("manifest_unknown", message, 404, "Look for a slip in its name, or push it first.")

    @asynccontextmanager
    async def _deadline(self, what: str) -> AsyncIterator[None]:
        seconds = self._account.transfer_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            message = f"{what} within {seconds:g} s ({self.host})."
            raise refused(
                "unreachable", message, 504, "Look at the line to the registry, or allow more time."
            ) from error


async def _content(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as opened:
        while chunk := await asyncio.to_thread(opened.read, _CHUNK_BYTES):
            yield chunk


async def _write(response: httpx2.Response, file: Path, size: int) -> None:
    """Writes the answer as it comes; more than was announced is refused before it fills the disk."""
    received = 0
    with await asyncio.to_thread(file.open, "wb") as opened:
        async for chunk in response.aiter_raw(_CHUNK_BYTES):
            received += len(chunk)
            if received > size:
                raise refused(
                    "size_invalid", f"{response.url} gives more than the {size} bytes of its description.", 502
                )
            await asyncio.to_thread(opened.write, chunk)


def _damaged(host: str, expected: str, found: str) -> Refused:
    message = f"The registry {host} gave a blob with the digest {found} for {expected}; nothing of it was kept."
    return refused("digest_invalid", message, 502, "Try again; if it stays, the registry or a proxy is broken.")


def _checked(repository: str) -> str:
    if not manifests.is_repository(repository):
        raise refused("name_invalid", f"{repository!r} is no repository name.", 400)
    return repository


def _reference(reference: str) -> str:
    if not manifests.is_tag(reference) and not blobs.is_digest(reference):
        raise refused("manifest_invalid", f"{reference!r} is neither a tag nor a SHA-256 digest.", 400)
    return reference


def _pull_scope(repository: str) -> str:
    return f"repository:{repository}:pull"


def _push_scope(repository: str) -> str:
    return f"repository:{repository}:pull,push"
