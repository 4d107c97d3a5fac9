"""Building an image from a Dockerfile without a daemon: layers are written directly, nothing of the image is run.

The same files, Dockerfile, arguments and time give the same digest: entries are sorted, their times are the given one,
owners 0:0, modes normalised, the compression is fixed (with another zlib the digest may differ). `RUN` can't be done this
way; external.py hands such Dockerfiles to buildah, podman or docker.

Theory of operation: `parse` gives stages; from the target those are found that it needs (FROM and COPY --from); each is
built in order as a virtual tree (trees.py) whose fresh part becomes a layer after each COPY and ADD. Everything wrong is
collected over all needed stages and refused together. Blocks; call it in a thread.
"""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from gennaker.model import codec
from gennaker.model.problems import Problem, Refused
from gennaker.transport import archives
from gennaker.transport.images import copying, dockerfile, manifests, stages, trees, unpacking, words
from gennaker.transport.images import layout as layouts
from gennaker.transport.images.dockerfile import Dockerfile, Instruction, Stage
from gennaker.transport.images.ignore import IgnoreRules
from gennaker.transport.images.manifests import Configuration, Descriptor, Manifest, RootFilesystem
from gennaker.transport.images.stages import Layer, StageState
from gennaker.transport.images.trees import Context, CopyRefused, FolderTree, Tree

LABEL_CREATED = "org.opencontainers.image.created"
LABEL_REVISION = "org.opencontainers.image.revision"
LABEL_SOURCE = "org.opencontainers.image.source"
LABEL_VERSION = "org.opencontainers.image.version"
_STAGE_DIGITS = 6


class BaseImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that a Dockerfile builds on or copies from, pulled into a layout."""

    layout: Path
    digest: str


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to build."""

    context: Path
    dockerfile: Path
    """Absolute, or below the context."""
    layout: Path
    """Where the image is put; made if it isn't there."""
    at: datetime
    """SOURCE_DATE_EPOCH: time of all files and of the image; the commit's time."""
    labels: dict[str, str] = {}
    arguments: dict[str, str] = {}
    """`--build-arg`"""
    target: str = ""
    """A stage's name; empty: the last."""
    bases: dict[str, BaseImage] = {}
    """By reference as `references` returned it."""
    scratch: Path
    """A folder for unpacked base images, which are kept there for the next build, and for temporary files."""


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """What was built."""

    digest: str
    """Of the manifest in the layout."""
    size_bytes: int
    """Compressed, all layers."""
    labels: dict[str, str]


def standard_labels(*, revision: str, source: str, version: str) -> dict[str, str]:
    """The labels by which an image says what it is made from (OCI image-spec, annotations.md)."""
    return {LABEL_REVISION: revision, LABEL_SOURCE: source, LABEL_VERSION: version}


def rfc3339(at: datetime) -> str:
    """An instant as images have it, whole seconds in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_dockerfile(request: BuildRequest) -> Dockerfile:
    """Reads the request's Dockerfile. Raises Refused with all that is wrong with its text."""
    path = request.context / request.dockerfile
    try:
        parsed = dockerfile.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        shown = request.dockerfile
        if shown.is_relative_to(request.context):
            shown = shown.relative_to(request.context)
        problem = Problem(
            code="dockerfile.unreadable",
            message=f"The Dockerfile {shown} can't be read: {reason}.",
            remedy="Add it to the commit, or name another one in the build file (`image.dockerfile`).",
        )
        raise Refused(problem, status=422) from error
    if parsed.problems:
        raise Refused(*parsed.problems, status=422)
    return parsed


def references(request: BuildRequest) -> tuple[str, ...]:
    """The images that must be pulled before building, as written in FROM and COPY --from. Raises Refused."""
    parsed = read_dockerfile(request)
    plan = _Plan(parsed, request)
    found: dict[str, None] = {}
    for number in plan.needed():
        stage = parsed.stages[number]
        wanted = [plan.base(number)] + [item.flags["from"] for item in stage.instructions if item.flags.get("from")]
        found |= dict.fromkeys(name for name in wanted if name != "scratch" and plan.stage_number(name, number) is None)
    return tuple(found)


def first_run(request: BuildRequest) -> Instruction | None:
    """The first RUN that the build would need; None: it can be built here. Raises Refused."""
    parsed = read_dockerfile(request)
    needed = _Plan(parsed, request).needed()
    return next((item for number in needed for item in parsed.stages[number].instructions if item.name == "RUN"), None)


def build(request: BuildRequest) -> BuiltImage:
    """Builds and puts the image into the layout. Raises Refused with everything that is wrong."""
    parsed = read_dockerfile(request)
    request.scratch.mkdir(parents=True, exist_ok=True)
    layouts.prepare(request.layout)
    scratch = Path(mkdtemp(dir=request.scratch, prefix="build-"))
    try:
        return _Build(request, parsed, scratch).run()
    except OSError as error:
        message = f"The image can't be built: {error.strerror or error} ({error.filename})."
        remedy = "Look at free space and permissions there."
        raise Refused(Problem(code="image.not_built", message=message, remedy=remedy), status=500) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Plan:
    """Which stages are needed, by their numbers."""

    def __init__(self, parsed: Dockerfile, request: BuildRequest) -> None:
        self._parsed = parsed
        self._request = request
        self.arguments = _global_arguments(parsed, request.arguments)

    def needed(self) -> tuple[int, ...]:
        numbers = {self._target()}
        left = list(numbers)
        while left:
            number = left.pop()
            for before in self._dependencies(number):
                if before not in numbers:
                    numbers.add(before)
                    left.append(before)
        return tuple(sorted(numbers))

    def base(self, number: int) -> str:
        stage = self._parsed.stages[number]
        try:
            return words.expand(stage.base, self.arguments, self._parsed.escape)
        except words.WordRefused as error:
            raise Refused(dockerfile.problem(stage.line, f"{error}."), status=422) from error

    def stage_number(self, name: str, before: int) -> int | None:
        """The stage that a name or number means, seen from a later stage."""
        for number in range(before - 1, -1, -1):
            if self._parsed.stages[number].name and self._parsed.stages[number].name == name.lower():
                return number
        return int(name) if name.isdecimal() and len(name) <= _STAGE_DIGITS and int(name) < before else None

    def _target(self) -> int:
        wanted = self._request.target
        last = len(self._parsed.stages)
        if not wanted:
            return last - 1
        number = self.stage_number(wanted, last)
        if number is None:
            known = ", ".join(stage.name for stage in self._parsed.stages if stage.name) or "none"
            message = f"The Dockerfile has no stage {wanted!r}; its named stages: {known}."
            raise Refused(Problem(code="dockerfile.no_stage", message=message), status=422)
        return number

    def _dependencies(self, number: int) -> list[int]:
        stage = self._parsed.stages[number]
        named = [self.base(number), *(item.flags.get("from", "") for item in stage.instructions)]
        found = [self.stage_number(name, number) for name in named if name]
        return [before for before in found if before is not None]


class _Build:
    """One build: stages built so far, and what is wrong."""

    def __init__(self, request: BuildRequest, parsed: Dockerfile, scratch: Path) -> None:
        self._request = request
        self._parsed = parsed
        self._scratch = scratch
        self._plan = _Plan(parsed, request)
        self._epoch = int(request.at.timestamp())
        self._created = rfc3339(request.at)
        self._context = Context(request.context, _ignore_rules(request))
        self._built: dict[int, StageState] = {}

    def run(self) -> BuiltImage:
        needed = self._plan.needed()
        for number in needed:
            self._built[number] = self._stage(number, self._parsed.stages[number])
        problems = [problem for state in self._built.values() for problem in state.problems]
        if problems:
            raise Refused(*sorted(problems, key=dockerfile.line_of), status=422)
        return self._finish(self._built[needed[-1]])

    def _stage(self, number: int, stage: Stage) -> StageState:
        state = StageState(escape=self._parsed.escape, created=self._created, global_arguments=self._plan.arguments)
        state.given_arguments = self._request.arguments
        self._begin(state, number, stage)
        for instruction in stage.instructions:
            try:
                self._apply(state, number, instruction)
            except CopyRefused as error:
                state.refuse(instruction.line, f"{instruction.name}: {error}.", error.remedy)
            except words.WordRefused as error:
                state.refuse(instruction.line, f"{instruction.name}: {error}.")
        return state

    def _begin(self, state: StageState, number: int, stage: Stage) -> None:
        base = self._plan.base(number)
        earlier = self._plan.stage_number(base, number)
        if earlier is not None:
            state.continue_from(self._built[earlier])
        elif base == "scratch":
            return
        elif base in self._request.bases:
            self._begin_from_image(state, self._request.bases[base])
        else:
            state.is_uncertain = True
            state.refuse(stage.line, *_no_image(base))

    def _begin_from_image(self, state: StageState, base: BaseImage) -> None:
        image = layouts.read_image(base.layout, base.digest)
        unpacked = unpacking.unpack_image(base.layout, base.digest, self._request.scratch / "bases")
        state.tree = trees.StageTree(FolderTree(unpacked.rootfs))
        state.section = image.configuration.config or manifests.RunSection()
        state.history = image.configuration.history
        diff_ids = image.configuration.rootfs.diff_ids
        for descriptor, diff_id in zip(image.manifest.layers, diff_ids, strict=True):  # unpacking has compared them
            _take_blob(base.layout, self._request.layout, descriptor)
            oci = msgspec.structs.replace(descriptor, media_type=_oci_layer(descriptor.media_type))
            state.layers = (*state.layers, Layer(descriptor=oci, diff_id=diff_id))

    def _apply(self, state: StageState, number: int, instruction: Instruction) -> None:
        match instruction.name:
            case "COPY" | "ADD":
                self._copy(state, number, instruction)
            case "WORKDIR":
                state.change(working_dir=state.absolute(state.expand(instruction.rest)).rstrip("/") or "/")
                state.tree.put_folder(trees.normal(state.working_folder))
                self._close_layer(state, instruction)
            case "RUN":
                state.refuse(
                    instruction.line,
                    "RUN needs buildah, podman or docker, and none of them is used here.",
                    "Install one of them, or do this step before the image is built and COPY its result.",
                )
            case "ONBUILD":
                state.refuse(instruction.line, "ONBUILD is not supported.", "Write the instruction where it is needed.")
            case _:
                stages.configure(state, instruction)
                state.record(instruction)

    def _copy(self, state: StageState, number: int, instruction: Instruction) -> None:
        listed = instruction.items if instruction.items is not None else tuple(instruction.rest.split())
        expanded = [state.expand(word) for word in listed]
        if len(expanded) < 2:
            raise CopyRefused("it needs at least one source and a target")
        sources, target = tuple(expanded[:-1]), expanded[-1]
        if instruction.name == "ADD" and any("://" in source or source.startswith("git@") for source in sources):
            raise CopyRefused(
                "what is at an address may be something else tomorrow; fetch the file before the build and COPY it"
            )
        source = self._source(state, number, instruction)
        if source is None:
            return
        wanted = copying.Wanted(
            sources=sources,
            target=state.absolute(target),
            chown=state.expand(instruction.flags.get("chown", "")),
            chmod=state.expand(instruction.flags.get("chmod", "")),
            unpacks=instruction.name == "ADD",
            scratch=self._scratch,
        )
        if state.is_uncertain:
            copying.check(wanted, source)
            return
        copying.copy(wanted, source, state.tree)
        self._close_layer(state, instruction)

    def _source(self, state: StageState, number: int, instruction: Instruction) -> Tree | None:
        """What COPY takes from; None where that is missing, which has been noted."""
        name = instruction.flags.get("from", "")
        if not name:
            return self._context
        earlier = self._plan.stage_number(name, number)
        if earlier is not None:
            return None if self._built[earlier].is_uncertain else self._built[earlier].tree
        if name not in self._request.bases:
            state.refuse(instruction.line, *_no_image(name))
            return None
        base = self._request.bases[name]
        return FolderTree(unpacking.unpack_image(base.layout, base.digest, self._request.scratch / "bases").rootfs)

    def _close_layer(self, state: StageState, instruction: Instruction) -> None:
        fresh = state.tree.take_fresh()
        if fresh and not state.problems:
            state.layers = (*state.layers, self._write_layer(fresh))
        state.record(instruction, has_layer=bool(fresh))

    def _write_layer(self, entries: Mapping[str, archives.Entry]) -> Layer:
        file = self._scratch / "layer"
        written = archives.write_layer(entries.items(), file, mtime=self._epoch)
        descriptor = Descriptor(media_type=manifests.OCI_LAYER_GZIP, digest=written.digest, size=written.size_bytes)
        layouts.adopt_blob(self._request.layout, file, descriptor)
        return Layer(descriptor=descriptor, diff_id=written.diff_id)

    def _finish(self, state: StageState) -> BuiltImage:
        labels = {**(state.section.labels or {}), **self._request.labels, LABEL_CREATED: self._created}
        own = manifests.own_platform()
        configuration = Configuration(
            created=self._created,
            architecture=own.architecture,
            os=own.os,
            config=msgspec.structs.replace(state.section, labels=dict(sorted(labels.items()))),
            rootfs=RootFilesystem(diff_ids=tuple(layer.diff_id for layer in state.layers)),
            history=state.history,
        )
        body = codec.encode(configuration)
        manifest = Manifest(
            schema_version=2,
            media_type=manifests.OCI_MANIFEST,
            config=Descriptor(
                media_type=manifests.OCI_CONFIG, digest=layouts.put_blob(self._request.layout, body), size=len(body)
            ),
            layers=tuple(layer.descriptor for layer in state.layers),
        )
        digest = layouts.put_manifest(self._request.layout, manifest)
        return BuiltImage(digest=digest, size_bytes=sum(layer.descriptor.size for layer in state.layers), labels=labels)


def _global_arguments(parsed: Dockerfile, given: Mapping[str, str]) -> dict[str, str]:
    own = manifests.own_platform()
    found = {"TARGETPLATFORM": f"{own.os}/{own.architecture}", "TARGETOS": own.os, "TARGETARCH": own.architecture}
    found |= {"BUILD" + name.removeprefix("TARGET"): value for name, value in found.items()}
    for instruction in parsed.arguments:
        try:
            for word in words.split_quoted(instruction.rest, parsed.escape):
                name, equals, default = word.partition("=")
                if name in given:
                    found[name] = given[name]
                elif equals:
                    found[name] = words.expand(default, found, parsed.escape)
        except words.WordRefused as error:
            raise Refused(dockerfile.problem(instruction.line, f"ARG: {error}."), status=422) from error
    return found


def _ignore_rules(request: BuildRequest) -> IgnoreRules:
    dockerfile_path = request.context / request.dockerfile
    own = dockerfile_path.with_name(f"{dockerfile_path.name}.dockerignore")
    file = own if own.exists() else request.context / ".dockerignore"
    try:
        return IgnoreRules(file.read_text(encoding="utf-8") if file.exists() else "")
    except (ValueError, OSError) as error:
        message = f"{file.name} can't be used: {error}."
        raise Refused(Problem(code="dockerfile.ignore_invalid", message=message), status=422) from error


def _take_blob(source: Path, target: Path, descriptor: Descriptor) -> None:
    if not layouts.has_blob(target, descriptor):
        shutil.copyfile(layouts.blob_path(source, descriptor.digest), layouts.blob_path(target, descriptor.digest))


def _oci_layer(media_type: str) -> str:
    return manifests.OCI_LAYER_GZIP if media_type.endswith("tar.gzip") else media_type


def _no_image(reference: str) -> tuple[str, str]:
    return (
        f"the image {reference!r} is not available.",
        "Push it to a registry that Gennaker knows and write its full name, or build FROM scratch.",
    )
