"""The image: building it from the workspace, and pushing it to the registry account.

Both may be repeated: the same commit gives the same layout, and pushing what is there already sends nothing.
"""

import asyncio
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec

from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import TaskContext
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.plugins.build import checking_out, failures
from gennaker.plugins.build.build_file import ImagePlan
from gennaker.plugins.build.workspace import Build, Place, Workspace
from gennaker.transport import git
from gennaker.transport.images import building, external
from gennaker.transport.images import layout as layouts
from gennaker.transport.images.building import BaseImage, BuildRequest
from gennaker.transport.processes import host_path

_TOOL_TIMEOUT = timedelta(minutes=30)
BUILD_TIMEOUT = _TOOL_TIMEOUT + timedelta(minutes=15)
"""Pulling base images comes before."""


@failures.as_one
async def build(context: TaskContext) -> TaskResult:
    """Done when the workspace's layout holds the image."""
    workspace = Workspace(context.services, Place.of(context))
    found = await workspace.build()
    if found.file.image is None:
        return Done(status=Status.SKIPPED)
    await asyncio.to_thread(_check_inside, workspace, found, found.file.image)
    await asyncio.to_thread(shutil.rmtree, workspace.layout, ignore_errors=True)
    request = _request(workspace, found, found.file.image)
    bases = await _bases(context.services.registries, request, workspace.scratch / "pulled")
    built = await external.build(
        msgspec.structs.replace(request, bases=bases),
        external.find_tool(host_path()),
        environment={"PATH": host_path(), "HOME": str(workspace.home), "LANG": "C.UTF-8"},
        timeout=_TOOL_TIMEOUT,
    )
    return Done(context={"builtDigest": built.digest, "builtBytes": built.size_bytes})


@failures.as_one
async def push(context: TaskContext) -> TaskResult:
    """Done when the registry has the image under its tag."""
    workspace = Workspace(context.services, Place.of(context))
    found = await workspace.build()
    if found.file.image is None:
        return Done(status=Status.SKIPPED)
    registry = _registry(context.services, checking_out.read_spec(context).registry_account)
    digest = await asyncio.to_thread(layouts.find, workspace.layout)
    name = found.file.image.name
    if await _must_be_pushed(context, registry, f"{name}:{found.tag}", digest):
        digest = await registry.push(workspace.layout, digest, repository=name, tag=found.tag)
    return Done(outputs={"image": image(registry.host, name, found.tag, digest)})


async def stop(context: TaskContext) -> None:
    """Removes the workspace; an image that was pushed already stays."""
    await Workspace(context.services, Place.of(context)).remove()


def image(host: str, name: str, tag: str, digest: str) -> JsonObject:
    """An image as the stage's outputs show it."""
    return {
        "name": name,
        "tag": tag,
        "reference": f"{host}/{name}:{tag}",
        "digest": digest,
        "pinned": f"{host}/{name}@{digest}",
    }


def artifact(built: JsonObject) -> JsonObject:
    """The same as an artifact; pinned by its digest."""
    host = str(built["reference"]).partition("/")[0]
    return {
        "type": "docker/image",
        "name": f"{host}/{built['name']}",
        "version": built["tag"],
        "reference": built["pinned"],
        "metadata": {"digest": built["digest"]},
    }


async def _must_be_pushed(context: TaskContext, registry: ImageRegistry, shown: str, digest: str) -> bool:
    """False: it is there already. Gennaker's own registry keeps its tags itself, and says so better; others overwrite."""
    repository, _, tag = shown.rpartition(":")
    existing = await registry.resolve(repository, tag)
    account = checking_out.read_spec(context).registry_account
    if existing in (None, digest) or account == context.services.settings.registry.account:
        return existing != digest
    raise Refused(
        Problem(
            code="registry.tag_immutable",
            message=f"The tag {shown} exists in {registry.host} with other content ({existing}); this build made {digest}.",
            remedy="Raise the version: a tag that was released is never pushed again with other content.",
        ),
        status=409,
    )


def _request(workspace: Workspace, found: Build, plan: ImagePlan) -> BuildRequest:
    service = workspace.service(found)
    # A path of this machine would give the same commit another digest on another.
    source = found.repository if git.is_address(found.repository) else ""
    labels = building.standard_labels(revision=found.commit.hash, source=source, version=found.version)
    return BuildRequest(
        context=service / plan.context,
        dockerfile=service / plan.dockerfile,
        layout=workspace.layout,
        at=found.at,
        labels={key: value for key, value in labels.items() if value},
        scratch=workspace.scratch,
    )


def _check_inside(workspace: Workspace, found: Build, plan: ImagePlan) -> None:
    root = workspace.root.resolve()
    for key, path in (("dockerfile", plan.dockerfile), ("context", plan.context)):
        place = (workspace.service(found) / path).resolve()
        if not place.is_relative_to(root):
            message = f"The image's {key} {path!r} leads out of the workspace."
            raise Refused(Problem(code="build.outside", message=message), status=422)
        if key == "context" and not place.is_dir():
            message = f"The image's context {path!r} is no folder of {found.service_folder}."
            remedy = "Correct `image.context` in the build file."
            raise Refused(Problem(code="build.no_context", message=message, remedy=remedy), status=422)


async def _bases(registries: Mapping[str, ImageRegistry], request: BuildRequest, layout: Path) -> dict[str, BaseImage]:
    """Pulls what the Dockerfile builds on from the registries that are known; the builder says what is missing."""
    bases = {}
    for written in await asyncio.to_thread(building.references, request):
        host, name, version = _parts(written)
        registry = next((one for one in registries.values() if one.host == host), None)
        if registry is not None:
            bases[written] = BaseImage(layout=layout, digest=await registry.pull(name, version, layout))
    return bases


def _registry(services: Services, account: str) -> ImageRegistry:
    found = services.registries.get(account)
    if found is None:
        known = sorted(services.registries)
        raise Refused(
            Problem(
                code="build.no_registry",
                message=f"There is no docker-registry account {account!r}.",
                remedy=f"Correct the stage's `registryAccount`; there are: {', '.join(known) or 'none'}.",
                pointer="/registryAccount",
            ),
            status=422,
        )
    return found


def _parts(reference: str) -> tuple[str, str, str]:
    """Host, repository and tag or digest of an image in FROM or COPY --from."""
    host, _, rest = reference.partition("/")
    named, at, digest = rest.partition("@")
    repository, colon, tag = named.rpartition(":")
    if not colon:
        repository, tag = named, "latest"
    return host, repository, digest if at else tag
