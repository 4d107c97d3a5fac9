"""Trees of files that an image is built from: a build context, a stage, the files of a base image.

A stage's tree is virtual: entries that point to files elsewhere, over the unpacked files of its base image. Paths are
relative and normal (`usr/bin/x`, the root is the empty text).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import normpath
from typing import Protocol

import msgspec

from gennaker.transport import archives
from gennaker.transport.archives import Entry
from gennaker.transport.images.ignore import IgnoreRules

FOLDER = Entry(mode=0o755, is_folder=True)
_LINKS_FOLLOWED = 40


class CopyRefused(Exception):
    """Something can't be copied; the message says what and why, the remedy what to do where that isn't said."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class Tree(Protocol):
    """Files that COPY can take."""

    def entry(self, path: str) -> Entry | None:
        """What is at a path; links are not followed."""
        ...

    def children(self, path: str) -> tuple[str, ...]:
        """Paths of what is in a folder, sorted."""
        ...

    def followed(self, path: str) -> str:
        """The path with all links followed. Raises CopyRefused where they lead outside or in a ring."""
        ...


def normal(path: str) -> str:
    """A path as this module has them; `..` ends at the root."""
    return normpath("/" + path).lstrip("/")


def walk(tree: Tree, path: str) -> Iterator[tuple[str, Entry]]:
    """Everything below a path, folders before what is in them."""
    for child in tree.children(path):
        entry = tree.entry(child)
        if entry is not None:
            yield child, entry
        # No entry: a folder that is ignored, but for something in it.
        if entry is None or entry.is_folder:
            yield from walk(tree, child)


class FolderTree:
    """A folder on disk, with modes as they are: the files of an unpacked image or archive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entry(self, path: str) -> Entry | None:
        """What is at a path; parents' links are followed inside the folder."""
        return _entry_on_disk(archives.resolve_inside(self._folder, path))

    def children(self, path: str) -> tuple[str, ...]:
        """Paths of what is in a folder."""
        found = archives.resolve_inside(self._folder, path)
        return tuple(sorted(f"{path}/{name}".lstrip("/") for name in _names(found)))

    def followed(self, path: str) -> str:
        """The path with all links followed."""
        return _followed(self, path)


class Context:
    """A build context: .dockerignore applied, modes normalised to 0644 and 0755, nothing outside reachable."""

    def __init__(self, folder: Path, rules: IgnoreRules) -> None:
        self._folder = folder.resolve()
        self._rules = rules

    def entry(self, path: str) -> Entry | None:
        """What is at a path and not ignored."""
        if self._ignores(path):
            return None
        found = _entry_on_disk(self._folder / path)
        if found is None or found.link:
            return found
        is_program = found.is_folder or bool(found.mode & 0o100)
        return msgspec.structs.replace(found, mode=0o755 if is_program else 0o644)

    def children(self, path: str) -> tuple[str, ...]:
        """Paths of what is in a folder and not ignored."""
        paths = [f"{path}/{name}".lstrip("/") for name in _names(self._folder / path)]
        return tuple(sorted(child for child in paths if not self._ignores(child) or self._may_hold_exceptions(child)))

    def followed(self, path: str) -> str:
        """The path with all links followed; they must stay in the context."""
        try:
            return str((self._folder / path).resolve(strict=True).relative_to(self._folder)).removeprefix(".")
        except ValueError as error:
            raise CopyRefused(f"{path!r} leads outside the build context") from error
        except (OSError, RuntimeError) as error:
            if not (self._folder / path).is_symlink():
                return path  # nothing is there, which `entry` says
            raise CopyRefused(f"{path!r} is a link to nothing") from error

    def _ignores(self, path: str) -> bool:
        # A repository's own records differ from clone to clone; BuildKit leaves them out of git contexts as well.
        return path == ".git" or path.startswith(".git/") or (path != "" and self._rules.ignores(path))

    def _may_hold_exceptions(self, path: str) -> bool:
        is_folder = (self._folder / path).is_dir() and not (self._folder / path).is_symlink()
        return self._rules.has_exceptions and is_folder and not path.startswith(".git")


class StageTree:
    """The files of a stage: those of its base image and those that its instructions have added."""

    def __init__(self, base: FolderTree | None, nodes: Mapping[str, Entry] | None = None) -> None:
        self._base = base
        self._nodes = dict(nodes or {})
        self._fresh: dict[str, Entry] = {}

    def copy(self) -> "StageTree":
        """A tree to go on from, without changing this one."""
        return StageTree(self._base, self._nodes)

    def entry(self, path: str) -> Entry | None:
        """What is at a path."""
        if path == "":
            return FOLDER
        return self._nodes.get(path) or (self._base.entry(path) if self._base else None)

    def children(self, path: str) -> tuple[str, ...]:
        """Paths of what is in a folder."""
        prefix = f"{path}/" if path else ""
        below = len(prefix)
        own = {node for node in self._nodes if node.startswith(prefix) and "/" not in node[below:]}
        base = self._base.entry(path) if self._base else None
        if self._base and (path == "" or (base is not None and base.is_folder)):
            own.update(self._base.children(path))
        return tuple(sorted(own))

    def followed(self, path: str) -> str:
        """The path with all links followed."""
        return _followed(self, path)

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder, or a link to one."""
        entry = self.entry(self.followed(path))
        return entry is not None and entry.is_folder

    def put(self, path: str, entry: Entry) -> None:
        """Adds something, with the folders above it that are missing. Raises CopyRefused."""
        parent, _, name = path.rpartition("/")
        place = f"{self.put_folder(parent)}/{name}".lstrip("/")
        there = self.entry(place)
        if there is not None and there.is_folder != entry.is_folder and not there.link:
            kinds = ("a folder", "a file") if there.is_folder else ("a file", "a folder")
            raise CopyRefused(f"/{place} is {kinds[0]} already and can't become {kinds[1]}")
        self._nodes[place] = self._fresh[place] = entry

    def put_folder(self, path: str, entry: Entry = FOLDER) -> str:
        """Makes a folder and those above it where they are missing; returns where it really is."""
        place = self.followed(path)
        there = self.entry(place)
        if there is None:
            self.put(place, entry)
        elif not there.is_folder:
            raise CopyRefused(f"/{place} is a file, not a folder")
        return place

    def take_fresh(self) -> dict[str, Entry]:
        """What was added since the last call: the next layer."""
        fresh, self._fresh = self._fresh, {}
        return fresh


def _followed(tree: FolderTree | StageTree, path: str) -> str:
    left = list(reversed(path.split("/")))
    at = ""
    followed = 0
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            at = at.rpartition("/")[0]
            continue
        here = f"{at}/{part}".lstrip("/")
        entry = tree.entry(here)
        if entry is None or not entry.link:
            at = here
            continue
        followed += 1
        if followed > _LINKS_FOLLOWED:
            raise CopyRefused(f"/{path} leads through a ring of symbolic links")
        at = "" if entry.link.startswith("/") else at
        left += reversed(entry.link.split("/"))
    return at


def _names(folder: Path) -> list[str]:
    return [child.name for child in folder.iterdir()]


def _entry_on_disk(file: Path) -> Entry | None:
    try:
        found = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    mode = found.st_mode & 0o777
    if file.is_symlink():
        return Entry(mode=0o777, link=str(file.readlink()))
    if file.is_dir():
        return Entry(mode=mode, is_folder=True)
    if not file.is_file():
        raise CopyRefused(f"{file.name!r} is neither a file nor a folder nor a link")
    return Entry(mode=mode, source=file)
