"""Building with buildah, podman or docker, for Dockerfiles that run programs (`RUN`).

The tool builds into storage of its own below the request's scratch folder and hands over an image layout (docker: an
archive). Times are set to the request's; whether the same input gives the same digest is then up to what RUN does.
"""

import asyncio
import json
import shutil
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from gennaker.model.problems import Problem, Refused
from gennaker.transport import archives, children
from gennaker.transport.children import Place
from gennaker.transport.images import building, manifests
from gennaker.transport.images import layout as layouts
from gennaker.transport.images.building import BaseImage, BuildRequest, BuiltImage
from gennaker.transport.images.manifests import Descriptor, Manifest
from gennaker.transport.images.trees import FolderTree
from gennaker.transport.permissions import ORDINARY_UMASK

_TAIL_LINES = 30


class ToolKind(StrEnum):
    """Programs that can build."""

    BUILDAH = "buildah"
    PODMAN = "podman"
    DOCKER = "docker"


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A program that can build."""

    kind: ToolKind
    program: str
    """Its path."""


def find_tool(path: str) -> Tool | None:
    """The first of buildah, podman and docker on a search path (`PATH`); None: there is none."""
    for kind in ToolKind:
        program = shutil.which(kind.value, path=path)
        if program is not None:
            return Tool(kind=kind, program=program)
    return None


async def build(
    request: BuildRequest, tool: Tool | None, *, environment: Mapping[str, str], timeout: timedelta
) -> BuiltImage:
    """Builds directly where that is possible, otherwise with the tool. Raises Refused.

    `environment` is the tool's. Cancelling ends the tool.
    """
    run = await asyncio.to_thread(building.first_run, request)
    if run is None or tool is None:
        return await asyncio.to_thread(building.build, request)
    scratch = Path(mkdtemp(dir=_made(request.scratch), prefix=f"{tool.kind}-"))
    state = Path(mkdtemp(prefix="run-"))  # not in the scratch folder: podman takes no path longer than 50 characters
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            return await _Tool(request, tool, (scratch, state), environment).build()
    except TimeoutError as error:
        message = f"{tool.kind} did not finish building within {timeout.total_seconds():g} s and was stopped."
        raise Refused(Problem(code="image.build_timeout", message=message), status=422) from error
    finally:
        for folder in (scratch, state):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


class _Tool:
    """One build by a tool."""

    def __init__(
        self, request: BuildRequest, tool: Tool, folders: tuple[Path, Path], environment: Mapping[str, str]
    ) -> None:
        self._request = request
        self._tool = tool
        self._scratch, self._state = folders
        self._environment = environment
        self._epoch = str(int(request.at.timestamp()))

    async def build(self) -> BuiltImage:
        layouts.prepare(self._request.layout)
        fresh = self._scratch / "layout"
        if self._tool.kind is ToolKind.DOCKER:
            await self._build_by_docker(fresh)
        else:
            await self._build_by_buildah(fresh)
        return await asyncio.to_thread(_take_over, fresh, self._request.layout)

    async def _build_by_buildah(self, fresh: Path) -> None:
        storage = [f"--root={self._scratch / 'root'}", f"--runroot={self._state}", "--storage-driver=vfs"]
        options = ["--isolation=chroot", "--format=oci", "--layers=false", f"--timestamp={self._epoch}"]
        identity = self._scratch / "id"
        bases: list[str] = []
        for number, (reference, base) in enumerate(self._request.bases.items()):
            name = f"localhost/base-{number}:pulled"
            _single_image(base, name, self._scratch / f"base-{number}")
            # A relative path: the tools make a name of it, for which not every path will do.
            await self._call([*storage, "pull", f"oci:base-{number}:{name}"])
            # What `pull` calls an image of a layout differs from version to version.
            await self._call([*storage, "tag", _identity(base), name])
            bases.append(f"--build-context={reference}=container-image://{name}")
        await self._call([*storage, "build", *options, f"--iidfile={identity}", *bases, *self._common()])
        image = identity.read_text().strip().removeprefix("sha256:")
        await self._call([*storage, "push", image, f"oci:{fresh}:built"])

    async def _build_by_docker(self, fresh: Path) -> None:
        identity, saved = self._scratch / "id", self._scratch / "image.tar"
        if self._request.bases:
            raise Refused(
                Problem(
                    code="image.not_built",
                    message="With docker, a Dockerfile with RUN can't build on images of Gennaker's registry.",
                    remedy="Install buildah or podman.",
                ),
                status=422,
            )
        await self._call(["build", f"--iidfile={identity}", *self._common()])
        image = identity.read_text().strip()
        await self._call(["save", "--output", str(saved), image])
        await asyncio.to_thread(from_docker_archive, saved, fresh)
        await self._call(["image", "rm", "--force", image])

    def _common(self) -> list[str]:
        created = {building.LABEL_CREATED: building.rfc3339(self._request.at)}
        labels = [f"--label={key}={value}" for key, value in {**self._request.labels, **created}.items()]
        arguments = [f"--build-arg={key}={value}" for key, value in self._request.arguments.items()]
        target = [f"--target={self._request.target}"] if self._request.target else []
        file = self._request.context / self._request.dockerfile
        return [*labels, *arguments, *target, f"--file={file}", str(self._request.context)]

    async def _call(self, words: list[str]) -> None:
        environment = {**self._environment, "SOURCE_DATE_EPOCH": self._epoch}
        place = Place(environment=environment, folder=self._scratch, umask=ORDINARY_UMASK)
        ended = await children.run((self._tool.program, *words), place, errors=asyncio.subprocess.STDOUT)
        if ended.status != 0:
            raise _failed(self._tool, words, ended.status, ended.output.decode(errors="replace"))


def from_docker_archive(archive: Path, layout: Path) -> str:
    """Makes a layout of what `docker save` wrote; returns the manifest's digest. Raises Refused."""
    layouts.prepare(layout)
    folder = Path(mkdtemp(dir=layout, prefix=".archive-"))
    try:
        with archive.open("rb") as opened:
            archives.unpack_archive(opened, folder)
        listed = json.loads((folder / "manifest.json").read_bytes())[0]
        configuration = _inside(folder, listed["Config"]).read_bytes()
        layers = tuple(_compress(layout, _inside(folder, name)) for name in listed["Layers"])
    except (archives.ArchiveRefused, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        message = f"What docker saved can't be read: {error}."
        raise Refused(Problem(code="image.broken", message=message), status=422) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    config = Descriptor(
        media_type=manifests.OCI_CONFIG, digest=layouts.put_blob(layout, configuration), size=len(configuration)
    )
    manifest = Manifest(schema_version=2, media_type=manifests.OCI_MANIFEST, config=config, layers=layers)
    return layouts.put_manifest(layout, manifest)


def _compress(layout: Path, layer: Path) -> Descriptor:
    compressed = layer.with_name(f"{layer.name}.gz")
    written = archives.compress(layer, compressed)
    descriptor = Descriptor(media_type=manifests.OCI_LAYER_GZIP, digest=written.digest, size=written.size_bytes)
    layouts.adopt_blob(layout, compressed, descriptor)
    return descriptor


def _single_image(base: BaseImage, name: str, folder: Path) -> None:
    """Makes a layout with the base's files in which its image has the name: tools find images in layouts by tag only."""
    folder.mkdir()
    (folder / "blobs").symlink_to(base.layout.resolve() / "blobs", target_is_directory=True)
    layouts.prepare(folder)
    body = layouts.read_blob(folder, base.digest)
    media_type = manifests.media_type_of(manifests.read_manifest(body, ""), "")
    layouts.add_manifest(folder, Descriptor(media_type=media_type, digest=base.digest, size=len(body)), tag=name)


def _identity(base: BaseImage) -> str:
    """What these tools know an image by: its configuration's digest."""
    config = layouts.read_image(base.layout, base.digest).manifest.config
    assert config is not None, "read_image returns images, not indexes"
    return config.digest.removeprefix("sha256:")


def _inside(folder: Path, name: str) -> Path:
    return folder / FolderTree(folder).followed(name)


def _take_over(fresh: Path, layout: Path) -> BuiltImage:
    image = layouts.read_image(fresh, layouts.find(fresh))
    assert image.manifest.config is not None
    for blob in (image.manifest.config, *image.manifest.layers):
        layouts.adopt_blob(layout, layouts.blob_path(fresh, blob.digest), blob)
    body = layouts.read_blob(fresh, image.digest)
    layouts.put_blob(layout, body)
    media_type = image.manifest.media_type or manifests.OCI_MANIFEST
    layouts.add_manifest(layout, Descriptor(media_type=media_type, digest=image.digest, size=len(body)))
    return BuiltImage(
        digest=image.digest,
        size_bytes=sum(layer.size for layer in image.manifest.layers),
        labels=manifests.run_config(image.configuration).labels,
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _failed(tool: Tool, words: list[str], status: int, output: str) -> Refused:
    tail = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
    last = tail.rpartition("\n")[2]
    step = next(word for word in words if not word.startswith("-"))
    return Refused(
        Problem(
            code="image.not_built",
            message=f"{tool.kind} {step} failed with exit status {status}: {last}",
            remedy="The end of its output says why.",
            details={"log": tail, "exitStatus": status},
        ),
        status=422,
    )
