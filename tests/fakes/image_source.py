"""A registry account whose images are made from folders when they are pulled."""

import io
import tarfile
from pathlib import Path

from gennaker.interfaces.registry import ImageFacts, RunConfig
from gennaker.model.codec import JsonObject, encode
from gennaker.model.problems import Problem, Refused
from gennaker.transport import blobs
from gennaker.transport.images import layout as layouts


class ImageSource:
    """Offers the port ImageRegistry, as far as those who only pull need it."""

    host = "127.0.0.1:5000"

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._tags: dict[tuple[str, str], str] = {}
        self.pulls = 0

    def add(self, repository: str, tag: str, folder: Path, config: JsonObject) -> str:
        """Makes an image of the folder; returns its reference with digest."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(folder, arcname=".", filter=_without_caches)
        layer = self._blob(packed.getvalue())
        configuration: JsonObject = {
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        }
        manifest: JsonObject = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self._described("application/vnd.oci.image.config.v1+json", self._blob(encode(configuration))),
            "layers": [self._described("application/vnd.oci.image.layer.v1.tar", layer)],
        }
        digest = self._blob(encode(manifest))
        self._tags[repository, tag] = digest
        return f"{self.host}/{repository}@{digest}"

    async def repositories(self) -> tuple[str, ...]:
        return tuple(sorted({repository for repository, _ in self._tags}))

    async def tags(self, repository: str) -> tuple[str, ...]:
        return tuple(sorted(tag for found, tag in self._tags if found == repository))

    async def resolve(self, repository: str, reference: str) -> str | None:
        if reference.startswith("sha256:"):
            return reference if reference in self._blobs else None
        return self._tags.get((repository, reference))

    async def inspect(self, repository: str, reference: str) -> ImageFacts | None:
        digest = await self.resolve(repository, reference)
        return None if digest is None else ImageFacts(digest=digest, media_type="", size_bytes=0, run=RunConfig())

    async def push(self, layout: Path, digest: str, *, repository: str, tag: str) -> str:
        raise Refused(Problem(code="registry.denied", message="This one is only pulled from."), status=403)

    async def pull(self, repository: str, reference: str, layout: Path) -> str:
        digest = await self.resolve(repository, reference)
        if digest is None:
            problem = Problem(code="registry.manifest_unknown", message=f"There is no {repository}@{reference}.")
            raise Refused(problem, status=404)
        self.pulls += 1
        layouts.prepare(layout)
        for content in self._blobs.values():
            layouts.put_blob(layout, content)
        return digest

    def _blob(self, content: bytes) -> str:
        digest = blobs.digest_of(content)
        self._blobs[digest] = content
        return digest

    def _described(self, media_type: str, digest: str) -> JsonObject:
        return {"mediaType": media_type, "digest": digest, "size": len(self._blobs[digest])}


def _without_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry
