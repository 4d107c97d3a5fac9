"""The folder that a demo is told in: its own, so that nobody's files and no earlier demo's are in its way."""

import tempfile
from pathlib import Path

from gennaker.demo.repository import SLUG
from gennaker.model.problems import Problem, Refused
from gennaker.transport import folder as data_folder

DATA = "data"
_MADE_BY_DEMOS = (DATA, SLUG, f"{SLUG}.git")


def temporary() -> Path:
    """A new one among the machine's temporary files. Raises Refused if there can't be one."""
    try:
        return Path(tempfile.mkdtemp(prefix="gennaker-demo-"))
    except OSError as error:
        raise Refused(
            Problem(
                code="demo.folder",
                message=f"The demo finds no place for temporary files: {error.strerror}.",
                remedy="Name a folder with --data, or a place with TMPDIR.",
            )
        ) from error


def claim(folder: Path) -> None:
    """Makes the folder if need be, and its data folder: of demos that start together only one can.

    Raises Refused if a demo is or was told in it, or it can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        in_the_way = _take(folder)
    except OSError as error:
        raise Refused(_unusable(folder, error)) from error
    if in_the_way:
        raise Refused(_used(folder, in_the_way))


def _take(folder: Path) -> list[str]:
    """What demos have made there; nothing: the folder is taken now."""
    if made := [name for name in _MADE_BY_DEMOS if (folder / name).exists()]:
        return made
    try:
        (folder / DATA).mkdir(mode=0o700)
    except FileExistsError:
        return [DATA]
    return []


def _used(folder: Path, made: list[str]) -> Problem:
    if pid := data_folder.holder(folder / DATA):
        return Problem(
            code="demo.folder",
            message=f"A demo is running (its server has pid {pid}) in {folder}.",
            remedy="End it with Ctrl-C where it was started, or name another folder with --data.",
        )
    return Problem(
        code="demo.folder",
        message=f"A demo has left {', '.join(made)} in {folder}.",
        remedy="Name another folder with --data, or remove what it has left.",
    )


def _unusable(folder: Path, error: OSError) -> Problem:
    return Problem(
        code="demo.folder",
        message=f"The demo can't use the folder {folder}: {error.strerror}.",
        remedy="Give yourself write permission, or name another folder with --data.",
    )
