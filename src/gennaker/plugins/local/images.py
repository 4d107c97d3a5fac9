"""Images as files: pulled once, unpacked once by digest, shared by all instances."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gennaker.interfaces.registry import ImageRegistry, RunConfig
from gennaker.model.problems import Problem, Refused
from gennaker.transport.images import unpacking


class ImageFiles(msgspec.Struct, frozen=True, kw_only=True):
    """An unpacked image."""

    reference: str
    """With its digest."""
    root: Path
    """Nobody may change anything in it."""
    run: RunConfig


class Images:
    """Unpacked images below one folder (`transport/images/unpacking.py`), and `layout/` with what was pulled."""

    def __init__(self, folder: Path, registries: Mapping[str, ImageRegistry]) -> None:
        """`registries` by account; which one is meant is found by its host."""
        self._folder = folder
        self._registries = registries
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def files(self, reference: str) -> ImageFiles:
        """The image's files. Raises Refused for an image that there isn't or that can't be run."""
        host, repository, version = _parts(reference)
        registry = self._registry(reference, host)
        digest = version if version.startswith("sha256:") else await registry.resolve(repository, version)
        if digest is None:
            raise Refused(_unknown(reference), status=404)
        async with self._locks[digest]:
            found = await asyncio.to_thread(unpacking.find_unpacked, self._folder, digest)
            if found is None:
                layout = self._folder / "layout"
                # Of an image for several platforms this is another digest: the one of this machine's.
                pulled = await registry.pull(repository, digest, layout)
                found = await asyncio.to_thread(unpacking.unpack_image, layout, pulled, self._folder)
        return ImageFiles(reference=f"{host}/{repository}@{digest}", root=found.rootfs, run=found.run)

    def _registry(self, reference: str, host: str) -> ImageRegistry:
        for registry in self._registries.values():
            if registry.host == host:
                return registry
        known = ", ".join(sorted(registry.host for registry in self._registries.values())) or "none"
        raise Refused(
            Problem(
                code="image.unknown_registry",
                message=f"The image {reference} is in a registry that no account is for (known hosts: {known}).",
                remedy="Write the image with the host of one of the docker-registry accounts.",
            )
        )


def _parts(reference: str) -> tuple[str, str, str]:
    """Host, repository, and digest or tag."""
    host, slash, rest = reference.partition("/")
    repository, at, digest = rest.partition("@")
    name, colon, tag = repository.rpartition(":")
    if at:
        version = digest
        repository = name if colon else repository
    else:
        repository, version = (name, tag) if colon else (repository, "latest")
    if not slash or not repository or not version:
        raise Refused(
            Problem(
                code="image.reference",
                message=f"{reference!r} is not an image's name.",
                remedy="Write it like 127.0.0.1:5000/shop@sha256:… .",
            )
        )
    return host, repository, version


def _unknown(reference: str) -> Problem:
    return Problem(
        code="image.unknown",
        message=f"There is no image {reference}.",
        remedy="Look for a typing error in its name or tag, or push it first.",
    )
