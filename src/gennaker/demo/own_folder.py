"""The folder that a demo is told in: its own, so that nobody's files and no earlier demo's are in its way.

It is its server's data folder, so that all commands take the same `--data` as the demo; what only the story needs (the
repository, the visitors' logs) lies in a folder of its own below it.
"""

import tempfile
from pathlib import Path

from gennaker.model.problems import Problem, Refused
from gennaker.transport import folder as data_folder

OWN = "demo"
_OF_SERVERS = ("gennaker.db", "gennaker.lock")


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
    """Makes the folder if need be, and the story's below: of demos that start together only one can.

    Raises Refused if a demo is or was told in it, if it is another server's, or if it can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any((folder / name).exists() for name in _OF_SERVERS):
            raise Refused(_used(folder))
        (folder / OWN).mkdir(mode=0o700)
    except FileExistsError as error:
        raise Refused(_used(folder) if folder.is_dir() else _unusable(folder, error)) from error
    except OSError as error:
        raise Refused(_unusable(folder, error)) from error


def _used(folder: Path) -> Problem:
    pid = data_folder.holder(folder)
    is_of_demo = (folder / OWN).exists()
    if pid is not None:
        return Problem(
            code="demo.folder",
            message=f"A {'demo' if is_of_demo else 'server'} is running (pid {pid}) in {folder}.",
            remedy="End it with Ctrl-C where it was started, or name another folder with --data.",
        )
    whose = "An earlier demo" if is_of_demo else "A server"
    return Problem(
        code="demo.folder",
        message=f"{whose} has left its data in {folder}.",
        remedy="Name another folder with --data, or remove that one if nobody needs it.",
    )


def _unusable(folder: Path, error: OSError) -> Problem:
    return Problem(
        code="demo.folder",
        message=f"The demo can't use the folder {folder}: {error.strerror}.",
        remedy="Give yourself write permission, or name another folder with --data.",
    )
