"""Reports of jobs: what of a file or folder that a job names is taken, so that no job fills memory or disk."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

FILE_BYTES = 10_000_000
FOLDER_BYTES = 50_000_000
FOLDER_FILES = 200


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a folder of reports."""

    path: str
    """Below the folder, with `/`."""
    size: int
    read: Callable[[], bytes]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken, and what was not."""

    reports: dict[str, bytes] = {}
    """`NAME/PATH` → content."""
    problem: str = ""
    """What is missing and why, as the end of a sentence about the report."""


def from_folder(name: str, files: Iterable[Found], *, is_cut: bool = False) -> Taken:
    """The files of a folder, by path, as far as the limits allow. `is_cut`: there were more that nobody could list."""
    reports: dict[str, bytes] = {}
    left_out, size = [], 0
    for file in sorted(files, key=lambda one: one.path):
        if file.size > FILE_BYTES or size + file.size > FOLDER_BYTES or len(reports) >= FOLDER_FILES:
            left_out.append(file.path)
            continue
        reports[f"{name}/{file.path}"] = file.read()
        size += file.size
    return Taken(reports=reports, problem=_problem(len(reports), left_out, is_cut=is_cut))


def below(folder: Path) -> Iterator[Found]:
    """The files of a folder of this machine; no links, nor what lies elsewhere."""
    inside = folder.resolve()
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink() and file.resolve().is_relative_to(inside):
            yield Found(path=file.relative_to(folder).as_posix(), size=file.stat().st_size, read=file.read_bytes)


def _problem(taken: int, left_out: list[str], *, is_cut: bool) -> str:
    if not (taken or left_out or is_cut):
        return "has no files"
    if not (left_out or is_cut):
        return ""
    limits = f"at most {FOLDER_FILES} files, {FILE_BYTES} bytes each and {FOLDER_BYTES} in all"
    named = f": {', '.join(left_out[:3])}{' …' if len(left_out) > 3 or is_cut else ''}" if left_out else ""
    return f"is larger than what is kept ({limits}); left out is part of it{named}"
