"""Checking out: waits for a free builder, then brings the commit and its build file into a clean workspace."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path, PurePosixPath

import msgspec

from gennaker.interfaces.stages import StageSpec, TaskContext
from gennaker.model import records
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.build import build_file, failures, slots
from gennaker.plugins.build.build_file import BuildFile
from gennaker.plugins.build.workspace import Build, Place, Workspace
from gennaker.transport.git import Commit, Git, Wanted, without_credentials
from gennaker.transport.processes import host_path

_TIMEOUT = timedelta(minutes=10)
_MOST_COMMITS = 50
_ASK_AGAIN = timedelta(seconds=1)
_FILE_LIMIT_BYTES = 1_000_000


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    repository: str
    """Path of this machine or address of a git repository."""
    commit: str | None = None
    """Its hash; absent: the newest of the branch."""
    branch: str | None = None
    """Absent: the repository's own."""
    service: str = "."
    """The folder in which `build.yaml` lies."""
    registry_account: str = "local-registry"


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with a commit, as its files or somebody else say it."""

    file: BuildFile
    version: str = ""
    tag: str = ""
    """Of the image; empty: none is built."""


Read = Callable[[Path, str, Commit, str], Contents]
"""Finds it out from the checked out files: they, the service's folder, the commit, the branch. Blocks. Raises Refused."""


class _BrokenCommit(Refused):
    """What the commit holds can't be built; of the commit itself people are told all the same."""

    def __init__(self, commit: Commit, refused: Refused) -> None:
        super().__init__(*refused.problems, status=refused.status)
        self.commit = commit


@failures.as_one
async def run(context: TaskContext) -> TaskResult:
    """Done when the workspace is there; what was found in the commit is in its `build.json`."""
    return await check_out(context, read_spec(context), _read)


async def check_out(context: TaskContext, spec: Spec, read: Read) -> TaskResult:
    """Waits for a free builder and checks out, once."""
    services, place = context.services, Place.of(context)
    turn = await slots.take(services, place)
    if turn is not None:
        return Again(after=_ASK_AGAIN, waiting_for=turn)
    workspace = Workspace(services, place)
    build = await asyncio.to_thread(workspace.find)
    try:
        build = build or await _check_out(workspace, spec, read)
    except _BrokenCommit as broken:
        shown = _shown(broken.commit)
        return Failed(problem=failures.joined(broken.problems), outputs={"commit": shown, "commits": [shown]})
    return Done(outputs=outputs(build))


async def stop(context: TaskContext) -> None:
    """Removes what is there."""
    await Workspace(context.services, Place.of(context)).remove()


def read_spec(context: TaskContext) -> Spec:
    """The stage's JSON after its expressions were evaluated. Raises Refused."""
    spec = records.demanded(context.stage.context, Spec, of=f"stage {context.stage.name}")
    for key in ("repository", "commit", "branch", "service"):
        value = getattr(spec, key)
        if value and "${" in value:
            message = f"The stage's `{key}` is {value!r}, an expression that could not be evaluated."
            remedy = "Start the pipeline by a push, or give the value in the stage."
            raise Refused(
                Problem(code="build.unevaluated", message=message, remedy=remedy, pointer=f"/{key}"), status=422
            )
    return spec


def outputs(build: Build) -> JsonObject:
    """What stages and pages see of the commit."""
    commits: list[Json] = [_shown(commit) for commit in build.commits]
    return {"commit": _shown(build.commit), "commits": commits, "version": build.version}


async def _check_out(workspace: Workspace, spec: Spec, read: Read) -> Build:
    await asyncio.to_thread(workspace.prepare)
    fresh = await asyncio.to_thread(workspace.fresh)
    try:
        build = await _fill(fresh, workspace.home, spec, read)
        await asyncio.to_thread(workspace.adopt, fresh, build)
    finally:
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
    return build


async def _fill(fresh: Path, home: Path, spec: Spec, read: Read) -> Build:
    git = Git(path=host_path(), home=home, timeout=_TIMEOUT)
    wanted = Wanted(
        repository=spec.repository, commit=spec.commit or "", branch="" if spec.commit else spec.branch or ""
    )
    history, files = fresh / "history", fresh / "workspace"
    commit = await git.clone(wanted, history)
    await git.checkout(history, commit.hash, files)
    folder = _service_folder(spec.service)
    try:
        found = await asyncio.to_thread(read, files, folder, commit, spec.branch or "")
    except Refused as refused:
        raise _BrokenCommit(commit, refused) from refused
    paths = () if folder == "." and not found.file.depends_on else (folder, *found.file.depends_on)
    commits = await git.log(history, commit.hash, paths=paths, limit=_MOST_COMMITS)
    return Build(
        repository=without_credentials(spec.repository),
        service_folder=folder,
        commit=commit,
        branch=spec.branch or "",
        version=found.version,
        tag=found.tag,
        file=found.file,
        commits=(commit, *(one for one in commits if one.hash != commit.hash))[:_MOST_COMMITS],
    )


def service_in(files: Path, folder: str, commit: Commit) -> Path:
    """The service's folder among the commit's files. Raises Refused where there is none."""
    service = files / folder
    if not service.is_dir() or not is_inside(service, files):
        raise Refused(_no_service(folder, commit), status=422)
    return service


def _read(files: Path, folder: str, commit: Commit, branch: str) -> Contents:
    """The build file, the version and the image's tag; clears the places of the reports."""
    service = service_in(files, folder, commit)
    path = str(PurePosixPath(folder) / build_file.NAME)
    text = _text(service / build_file.NAME, files)
    if text is None:
        raise Refused(_no_build_file(path, commit), status=422)
    file = build_file.read(text, path=path, folder=folder)
    version_path = str(PurePosixPath(folder) / file.version_file)
    found = _text(service / file.version_file, files)
    if found is None:
        raise Refused(_no_version_file(version_path, path), status=422)
    version = build_file.version(found, path=version_path)
    tag = ""
    if file.image is not None:
        tag = build_file.tag(file.image.tag, version=version, commit=commit.hash, branch=branch)
    _clear_reports(service, files, file)
    return Contents(file=file, version=version, tag=tag)


def _clear_reports(service: Path, files: Path, file: BuildFile) -> None:
    """A report that the commit already holds must not pass for one that a step has written."""
    for step in file.steps:
        for path in step.reports.values():
            report = service / step.folder / path
            if is_inside(report.parent, files):
                if report.is_file() or report.is_symlink():
                    report.unlink()
                report.parent.mkdir(parents=True, exist_ok=True)


def _text(file: Path, files: Path) -> str | None:
    """A small text file; None: there is none inside the workspace."""
    if not file.is_file() or not is_inside(file, files):
        return None
    with file.open("rb") as opened:
        return opened.read(_FILE_LIMIT_BYTES).decode(errors="replace")


def is_inside(path: Path, files: Path) -> bool:
    """Whether it lies in the workspace: a commit may hold links that lead anywhere."""
    return path.resolve().is_relative_to(files.resolve())


def _service_folder(text: str) -> str:
    path = PurePosixPath(text or ".")
    if path.is_absolute() or ".." in path.parts:
        message = f"The service's folder {text!r} leads out of the repository."
        raise Refused(Problem(code="build.service", message=message, pointer="/service"), status=422)
    return str(path)


def _shown(commit: Commit) -> JsonObject:
    return {
        "hash": commit.hash,
        "subject": commit.subject,
        "author": commit.author,
        "at": commit.at.isoformat().replace("+00:00", "Z"),
    }


def _no_service(folder: str, commit: Commit) -> Problem:
    return Problem(
        code="build.no_service",
        message=f"The commit {commit.hash[:12]} has no folder {folder}.",
        remedy="Correct the stage's `service`: the folder in which build.yaml lies.",
        pointer="/service",
    )


def _no_build_file(path: str, commit: Commit) -> Problem:
    return Problem(
        code="build.no_build_file",
        message=f"The commit {commit.hash[:12]} has no build file {path}.",
        remedy="Add one (docs/build-file.md shows how), or correct the stage's `service`.",
        pointer="/service",
    )


def _no_version_file(version_path: str, path: str) -> Problem:
    return Problem(
        code="build.version",
        message=f"There is no version file {version_path}, which {path} says there is.",
        remedy="Add it; its first line is the version, such as 1.2.3.",
    )
