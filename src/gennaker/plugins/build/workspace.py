"""Workspaces: the folders of one build, and what was checked out into them.

    <data>/builds/<execution>/<stage>/<attempt>/files/
        checkout/history      a bare clone: of git, only this
        checkout/workspace    the commit's files; the steps work here
        checkout/build.json   what is to be built (`Build`)
        home, tmp             for the steps
        layout, scratch       the image and what building it needs

`checkout` appears by one rename, whole. Each attempt at a stage has folders of its own, so that removing an ended one can't
meet a restarted one. The name `files` keeps searches for running processes out of foreign files.
"""

import asyncio
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote, unquote

import msgspec

from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext
from gennaker.model import codec
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.build.build_file import BuildFile
from gennaker.transport.git import Commit

_FOLDER = "builds"


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be built, as it was found in the commit. Written once; nothing that a step does changes it."""

    repository: str
    """Without credentials."""
    service_folder: str
    commit: Commit
    branch: str
    version: str
    tag: str
    """Empty: no image."""
    file: BuildFile
    commits: tuple[Commit, ...]
    """For release notes, newest first; the built one comes first."""

    @property
    def at(self) -> datetime:
        """SOURCE_DATE_EPOCH."""
        return self.commit.at


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempt at which stage of which execution."""

    execution_id: str
    stage_id: str
    attempt: int

    @staticmethod
    def of(context: StageContext) -> "Place":
        """The place of the running stage."""
        return Place(execution_id=context.execution.head.id, stage_id=context.stage.id, attempt=context.stage.attempt)


class Workspace:
    """The folders of one build."""

    def __init__(self, services: Services, place: Place) -> None:
        """Nothing is made yet."""
        self._keeps = services.settings.builder.keep_workspaces
        parts = (place.execution_id, place.stage_id, str(place.attempt))
        self.top = services.data.joinpath(_FOLDER, *map(_file_name, parts))
        self.files = self.top / "files"
        self.checkout = self.files / "checkout"
        self.history = self.checkout / "history"
        self.root = self.checkout / "workspace"
        self.layout = self.files / "layout"
        self.scratch = self.files / "scratch"
        self.home = self.files / "home"
        self.temporary = self.files / "tmp"

    def prepare(self) -> None:
        """Makes the folders that are there from the beginning. Blocks."""
        for folder in (self.home, self.temporary):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def fresh(self) -> Path:
        """A folder for a checkout in the making. Blocks."""
        folder = Path(mkdtemp(dir=self.files, prefix="checkout-"))
        (folder / "workspace").mkdir()
        return folder

    def adopt(self, fresh: Path, build: Build) -> None:
        """Makes a finished checkout the workspace's, at one moment. Blocks."""
        (fresh / "build.json").write_bytes(codec.encode(build))
        fresh.rename(self.checkout)

    def find(self) -> Build | None:
        """What is to be built; None: nothing is checked out yet. Blocks."""
        try:
            return codec.decode((self.checkout / "build.json").read_bytes(), Build)
        except FileNotFoundError:
            return None

    async def build(self) -> Build:
        """What is to be built. Raises Refused where the workspace is gone."""
        found = await asyncio.to_thread(self.find)
        if found is None:
            raise Refused(
                Problem(
                    code="build.no_workspace",
                    message=f"The workspace {self.checkout} is gone.",
                    remedy="Somebody removed it while the build ran: restart the stage.",
                ),
                status=409,
            )
        return found

    def service(self, build: Build) -> Path:
        """The service's folder in the workspace."""
        return self.root / build.service_folder

    async def remove(self) -> None:
        """Removes all of it, unless workspaces are to be kept."""
        if not self._keeps:
            await asyncio.to_thread(_remove, self.top)


def all_places(data: Path) -> Iterator[Place]:
    """Every build whose folders are there. Blocks."""
    for folder in (data / _FOLDER).glob("*/*/*"):
        execution, stage, attempt = (unquote(part) for part in folder.parts[-3:])
        if attempt.isdecimal():
            yield Place(execution_id=execution, stage_id=stage, attempt=int(attempt))


def _file_name(name: str) -> str:
    """A name without separators: callers may choose an execution's id."""
    return quote(name, safe="").replace(".", "%2E") or "%"


def _remove(top: Path) -> None:
    for path in (top, *(entry for entry in top.rglob("*") if entry.is_dir() and not entry.is_symlink())):
        if path.exists():
            path.chmod(0o700)  # Steps may leave folders that can't be emptied.
    shutil.rmtree(top, ignore_errors=True)
    for folder in (top.parent, top.parent.parent):
        try:
            folder.rmdir()
        except OSError:
            return  # Others are in it.
