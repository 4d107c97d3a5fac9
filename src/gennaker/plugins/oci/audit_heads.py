"""Signed heads of the audit chain in an OCI registry: each an artifact of its own, under a tag with its number (decision 20).

A registry whose tags can't be moved or deleted by whoever runs the server keeps what it has got.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from gennaker.interfaces.registry import ImageRegistry
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.plugins.oci.sign_in import Credentials
from gennaker.settings import AuditSettings
from gennaker.transport.images import layout as layouts
from gennaker.transport.images import manifests
from gennaker.transport.images.manifests import Descriptor, Manifest

ARTIFACT_TYPE = "application/vnd.gennaker.audit-head.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY_TYPE, _EMPTY = "application/vnd.oci.empty.v1+json", b"{}"
_TAG = re.compile(r"head-([0-9]{1,19})")


@asynccontextmanager
async def opened(settings: AuditSettings) -> AsyncIterator["RegistryHeads | None"]:
    """What the settings name; None: nothing. Raises Refused."""
    if not settings.registry:
        yield None
        return
    address, repository = _parted(settings.registry)
    credentials = await asyncio.to_thread(_credentials, settings)
    registry = RegistryClient(RegistryAccount(name="audit", address=address, credentials=credentials))
    try:
        yield RegistryHeads(registry, repository)
    finally:
        await registry.close()


class RegistryHeads:
    """Heads in one repository. Offers the port HeadPlace."""

    def __init__(self, registry: ImageRegistry, repository: str) -> None:
        """`repository` holds nothing else."""
        self._registry = registry
        self._repository = repository

    @property
    def name(self) -> str:
        """As it is told to people."""
        return f"{self._registry.host}/{self._repository}"

    async def keep(self, number: int, head: bytes) -> None:
        """Pushes it; pushing the same again changes nothing. Raises Refused."""
        with TemporaryDirectory(prefix="gennaker-head-") as folder:
            digest = await asyncio.to_thread(_packed, Path(folder), number, head)
            await self._registry.push(Path(folder), digest, repository=self._repository, tag=f"head-{number:012d}")

    async def newest(self) -> bytes | None:
        """Of the head with the greatest number; None: there is none. Raises Refused."""
        tags = {
            int(found[1]): tag for tag in await self._registry.tags(self._repository) if (found := _TAG.fullmatch(tag))
        }
        if not tags:
            return None
        with TemporaryDirectory(prefix="gennaker-head-") as folder:
            digest = await self._registry.pull(self._repository, tags[max(tags)], Path(folder))
            return await asyncio.to_thread(_unpacked, Path(folder), digest)


def _parted(text: str) -> tuple[str, str]:
    """Where the registry is, and the repository."""
    parts = urlsplit(text)
    repository = parts.path.strip("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.username or not repository:
        raise Refused(
            Problem(
                code="audit.registry",
                message="audit.registry names no repository of a registry.",
                remedy="Write it as https://registry.example.com/audit/gennaker; user and password have settings of their own.",
            )
        )
    return f"{parts.scheme}://{parts.netloc}", repository


def _credentials(settings: AuditSettings) -> Credentials | None:
    if not settings.registry_user:
        return None
    file = Path(settings.registry_password_file).expanduser()
    try:
        return Credentials(username=settings.registry_user, password=file.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            Problem(
                code="audit.registry_password",
                message=f"audit.registry-password-file {file} can't be read: {error}.",
                remedy="Name a file that holds the password and nothing else.",
            )
        ) from error


def _packed(folder: Path, number: int, head: bytes) -> str:
    layouts.prepare(folder)
    config = Descriptor(media_type=_EMPTY_TYPE, digest=layouts.put_blob(folder, _EMPTY), size=len(_EMPTY))
    layer = Descriptor(media_type=ARTIFACT_TYPE, digest=layouts.put_blob(folder, head), size=len(head))
    manifest = Manifest(
        schema_version=2,
        media_type=_MANIFEST,
        artifact_type=ARTIFACT_TYPE,
        config=config,
        layers=(layer,),
        annotations={"org.opencontainers.image.title": f"head {number} of an audit chain"},
    )
    return layouts.put_manifest(folder, manifest)


def _unpacked(folder: Path, digest: str) -> bytes:
    manifest = manifests.read_manifest(layouts.read_blob(folder, digest), "")
    return layouts.read_blob(folder, manifest.layers[0].digest) if manifest.layers else b""
