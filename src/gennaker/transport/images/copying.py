"""COPY and ADD: which files go where, as Docker's builder has it.

Reference: docs.docker.com/reference/dockerfile#copy. A folder's contents are copied, not the folder; several sources need a
target that ends with `/`; owners default to 0:0.
"""

import re
import tarfile
from pathlib import Path
from posixpath import basename

import msgspec

from gennaker.transport import archives
from gennaker.transport.archives import Entry
from gennaker.transport.images import trees
from gennaker.transport.images.globs import Glob
from gennaker.transport.images.trees import Context, CopyRefused, FolderTree, StageTree, Tree

_WILDCARDS = frozenset("*?[")
_ID = re.compile(r"\d{1,10}\Z")
"""User and group ids have 32 bits."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One COPY or ADD, its words expanded."""

    sources: tuple[str, ...]
    target: str
    """Absolute; a `/` at its end means a folder."""
    chown: str = ""
    chmod: str = ""
    unpacks: bool = False
    """ADD: archives are unpacked."""
    scratch: Path
    """A folder for unpacked archives; it must live until the layer is written."""


def copy(wanted: Wanted, source: Tree, stage: StageTree) -> None:
    """Puts the wanted files into the stage. Raises CopyRefused."""
    change = _Change(wanted, stage)
    for match in check(wanted, source):
        _copy_one(source, match, change)


def check(wanted: Wanted, source: Tree) -> list[str]:
    """The paths that are to be copied. Raises CopyRefused where one is missing."""
    matches = [match for pattern in wanted.sources for match in _matches(source, pattern)]
    if len(matches) > 1 and not wanted.target.endswith("/"):
        raise CopyRefused(f"{len(matches)} files are to be copied to {wanted.target!r}, which must then end with /")
    return matches


class _Change:
    """What happens to each entry on its way into the stage."""

    def __init__(self, wanted: Wanted, stage: StageTree) -> None:
        self.wanted = wanted
        self.stage = stage
        self.user_id, self.group_id = _owner(wanted.chown, stage) if wanted.chown else (0, 0)
        self.mode = _mode(wanted.chmod) if wanted.chmod else None

    def put(self, path: str, entry: Entry) -> None:
        changed = msgspec.structs.replace(entry, user_id=self.user_id, group_id=self.group_id)
        if self.mode is not None and not entry.link:
            changed = msgspec.structs.replace(changed, mode=self.mode)
        if entry.is_folder:
            self.stage.put_folder(path, changed)
        else:
            self.stage.put(path, changed)


def _copy_one(source: Tree, path: str, change: _Change) -> None:
    target = trees.normal(change.wanted.target)
    found = source.followed(path)
    entry = source.entry(found)
    if entry is None:
        raise _missing(f"there is no {path!r}", source)
    if entry.is_folder:
        _copy_contents(source, found, target, change)
        return
    if change.wanted.unpacks and entry.source and tarfile.is_tarfile(entry.source):
        _copy_contents(_unpacked(entry.source, path, change.wanted.scratch), "", target, change)
        return
    is_into_folder = change.wanted.target.endswith("/") or change.stage.is_folder(target)
    change.put(f"{target}/{basename(path)}".lstrip("/") if is_into_folder else target, entry)


def _copy_contents(source: Tree, path: str, target: str, change: _Change) -> None:
    if target:
        change.put(target, trees.FOLDER)
    for child, entry in trees.walk(source, path):
        change.put(f"{target}/{child[len(path) :].lstrip('/')}".lstrip("/"), entry)


def _matches(source: Tree, pattern: str) -> list[str]:
    path = trees.normal(pattern)
    if not _WILDCARDS & set(path):
        if source.entry(source.followed(path)) is None:
            raise _missing(f"there is no {path!r}", source)
        return [path]
    try:
        glob = Glob(path)
    except ValueError as error:
        raise CopyRefused(str(error)) from error
    found = [child for child, _ in trees.walk(source, "") if glob.matches(child)]
    if not found:
        raise _missing(f"nothing matches {path!r}", source)
    return found


def _missing(what: str, source: Tree) -> CopyRefused:
    if isinstance(source, Context):
        return CopyRefused(
            f"{what} in the build context",
            "Correct the path, which is relative to the context (`image.context` in the build file); or add the file to "
            "the commit, make it in a step of the build, or take it out of .dockerignore.",
        )
    return CopyRefused(
        f"{what} in what --from names", "Correct the path, or make the file there: it is looked for from its root."
    )


def _unpacked(archive: Path, path: str, scratch: Path) -> FolderTree:
    folder = scratch / f"add-{len(list(scratch.iterdir()))}"
    folder.mkdir()
    try:
        with archive.open("rb") as opened:
            archives.unpack_archive(opened, folder)
    except archives.ArchiveRefused as error:
        raise CopyRefused(f"the archive {path!r} can't be unpacked: {error}") from error
    return FolderTree(folder)


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise CopyRefused(f"--chmod={text} is no octal mode such as 0644")
    return mode


def _owner(text: str, stage: StageTree) -> tuple[int, int]:
    user, _, group = text.partition(":")
    user_id, own_group = _known(stage, "etc/passwd", user)
    return user_id, _known(stage, "etc/group", group)[0] if group else own_group


def _known(stage: StageTree, register: str, name: str) -> tuple[int, int]:
    """Id and, for users, group id of a name; a number stands for itself and, as in Docker, for the group of that number."""
    if _ID.match(name):
        return int(name), int(name)
    entry = stage.entry(stage.followed(register))
    text = entry.source.read_text(errors="replace") if entry and entry.source else ""
    for line in text.splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 3 and _ID.match(fields[2]):
            return int(fields[2]), int(fields[3] if _ID.match(fields[3]) else fields[2])
    raise CopyRefused(f"--chown names {name!r}, which /{register} of the image doesn't have; give a number")
