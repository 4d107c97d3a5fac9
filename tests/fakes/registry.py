"""A registry in memory. Its images are pushed, or made of folders."""

import io
import tarfile
from pathlib import Path

from gennaker.interfaces.registry import ImageFacts
from gennaker.model.codec import JsonObject, encode
from gennaker.model.problems import Problem, Refused
from gennaker.transport import blobs
from gennaker.transport.images import layout as layouts
from gennaker.transport.images import manifests
from gennaker.transport.images.manifests import Descriptor, Manifest

_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


class MemoryRegistry:
    """One account of it."""

    host = "127.0.0.1:5000"

    def __init__(self) -> None:
        self.images: dict[str, dict[str, str]] = {}
        """Digests by tag by repository; a repository without tags is listed, too."""
        self.pulls = 0
        """How often an image was pulled."""
        self._blobs: dict[str, dict[str, bytes]] = {}
        """By digest by repository."""
        self._manifests: dict[str, set[str]] = {}
        """Which of them are manifests."""

    def add(self, repository: str, tag: str, folder: Path, config: JsonObject) -> str:
        """Makes an image of the folder; returns its reference with digest. With a health check it is Docker's: OCI has none."""
        is_docker = "Healthcheck" in config
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(folder, arcname=".", filter=_without_caches)
        layer = self._described(repository, _DOCKER_LAYER if is_docker else _OCI_LAYER, packed.getvalue())
        configuration: JsonObject = {
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }
        manifest: JsonObject = {
            "schemaVersion": 2,
            "mediaType": manifests.DOCKER_MANIFEST if is_docker else manifests.OCI_MANIFEST,
            "config": self._described(
                repository, _DOCKER_CONFIG if is_docker else manifests.OCI_CONFIG, encode(configuration)
            ),
            "layers": [layer],
        }
        digest = self._keep_manifest(repository, encode(manifest))
        self._tags(repository)[tag] = digest
        return f"{self.host}/{repository}@{digest}"

    async def repositories(self) -> tuple[str, ...]:
        return tuple(sorted(self.images))

    async def tags(self, repository: str) -> tuple[str, ...]:
        return tuple(sorted(self.images.get(_checked(repository), ())))

    async def resolve(self, repository: str, reference: str) -> str | None:
        _check_reference(reference)
        if blobs.is_digest(reference):
            return reference if reference in self._manifests.get(_checked(repository), ()) else None
        return self.images.get(_checked(repository), {}).get(reference)

    async def inspect(self, repository: str, reference: str) -> ImageFacts | None:
        digest = await self.resolve(repository, reference)
        if digest is None:
            return None
        media_type = manifests.media_type_of(self._manifest(repository, digest), "")
        own = self._manifest(repository, self._own(repository, digest))
        assert own.config is not None
        configuration = manifests.read_configuration(self._blobs[repository][own.config.digest])
        return ImageFacts(
            digest=digest,
            media_type=media_type,
            size_bytes=sum(layer.size for layer in own.layers),
            created=configuration.created,
            run=manifests.run_config(configuration),
        )

    async def push(self, layout: Path, digest: str, *, repository: str, tag: str) -> str:
        if not manifests.is_tag(tag):
            raise _refused("manifest_invalid", f"{tag!r} is no tag.", 400)
        self._take(layout, digest, _checked(repository))
        self._tags(repository)[tag] = digest
        return digest

    async def pull(self, repository: str, reference: str, layout: Path) -> str:
        digest = await self.resolve(repository, reference)
        if digest is None:
            raise _refused("manifest_unknown", f"There is no image {self.host}/{repository}:{reference}.", 404)
        self.pulls += 1
        own = self._own(repository, digest)
        manifest = self._manifest(repository, own)
        layouts.prepare(layout)
        for one in (*(blob.digest for blob in manifest.blobs), own):
            layouts.put_blob(layout, self._blobs[repository][one])
        size = len(self._blobs[repository][own])
        layouts.add_manifest(
            layout, Descriptor(media_type=manifests.media_type_of(manifest, ""), digest=own, size=size)
        )
        return own

    def _take(self, layout: Path, digest: str, repository: str) -> None:
        """All of it or nothing that anybody could ask for."""
        body = layouts.read_blob(layout, digest)
        manifest = manifests.read_manifest(body, "")
        for child in manifest.manifests:
            self._take(layout, child.digest, repository)
        for blob in manifest.blobs:
            if not layouts.has_blob(layout, blob):
                raise _refused("blob_unknown", f"The layout {layout} lacks the blob {blob.digest}.", 422)
            self._keep(repository, layouts.blob_path(layout, blob.digest).read_bytes())
        self._keep_manifest(repository, body)

    def _own(self, repository: str, digest: str) -> str:
        """The manifest for this machine, through an index where there is one."""
        manifest = self._manifest(repository, digest)
        if not manifest.is_index:
            return digest
        entry = manifests.choose(manifest, manifests.own_platform())
        if entry is None:
            raise _refused("manifest_unknown", f"The image {repository}@{digest} isn't made for this machine.", 422)
        return entry.digest

    def _manifest(self, repository: str, digest: str) -> Manifest:
        return manifests.read_manifest(self._blobs[repository][digest], "")

    def _tags(self, repository: str) -> dict[str, str]:
        return self.images.setdefault(repository, {})

    def _keep(self, repository: str, content: bytes) -> str:
        digest = blobs.digest_of(content)
        self._blobs.setdefault(repository, {})[digest] = content
        return digest

    def _keep_manifest(self, repository: str, body: bytes) -> str:
        digest = self._keep(repository, body)
        self._manifests.setdefault(repository, set()).add(digest)
        return digest

    def _described(self, repository: str, media_type: str, content: bytes) -> JsonObject:
        return {"mediaType": media_type, "digest": self._keep(repository, content), "size": len(content)}


def _checked(repository: str) -> str:
    if not manifests.is_repository(repository):
        raise _refused("name_invalid", f"{repository!r} is no repository name.", 400)
    return repository


def _check_reference(reference: str) -> None:
    if not manifests.is_tag(reference) and not blobs.is_digest(reference):
        raise _refused("manifest_invalid", f"{reference!r} is neither a tag nor a SHA-256 digest.", 400)


def _refused(code: str, message: str, status: int) -> Refused:
    return Refused(Problem(code=f"registry.{code}", message=message), status=status)


def _without_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry
