"""The command of an image without a container: program, arguments, environment and folder, mapped onto the unpacked files.

The image's root is not the process's root. So that images work that keep to their own folder, absolute paths that
exist in the image are mapped: the program, arguments, the working folder, and the entries of search paths. Not: users,
volumes, anything else that takes a container to be true; `docs/` says so.
"""

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gennaker.model.problems import Problem, Refused
from gennaker.plugins.local.images import ImageFiles

_SEARCH_PATHS = frozenset({"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "NODE_PATH", "GEM_PATH", "CLASSPATH"})
_PYTHONS = frozenset({"python", "python3", f"python3.{sys.version_info.minor}"})


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What to start."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    stop_signal: int


def command(
    files: ImageFiles, *, given: tuple[str, ...] = (), environment: Mapping[str, str], host_path: str
) -> Command:
    """The process for an image. `given` replaces entrypoint and command; `host_path` is this machine's PATH.

    Raises Refused if the image doesn't say what to run, or its program is nowhere.
    """
    wished = given or (*files.run.entrypoint, *files.run.command)
    if not wished:
        raise Refused(_nothing_to_run(files.reference))
    merged = {"PYTHONDONTWRITEBYTECODE": "1", **files.run.environment, **environment}
    mapped = {
        name: _mapped_search_path(files.root, value) if name in _SEARCH_PATHS else value
        for name, value in merged.items()
    }
    own_path = mapped.get("PATH", "")
    mapped["PATH"] = f"{own_path}{os.pathsep}{host_path}" if own_path else host_path
    folder = files.root / files.run.working_folder.lstrip("/")
    program = _program(files, wished[0], mapped["PATH"], folder)
    arguments = tuple(_mapped(files.root, argument) for argument in wished[1:])
    return Command(
        argv=(program, *arguments),
        environment=mapped,
        folder=folder if folder.is_dir() else files.root,
        stop_signal=_stop_signal(files.run.stop_signal),
    )


def _program(files: ImageFiles, name: str, path: str, folder: Path) -> str:
    if "/" in name:
        inside = files.root / name.lstrip("/") if name.startswith("/") else folder / name
        if inside.is_file():
            return str(inside)
        name = Path(name).name  # `/usr/local/bin/python3` of an image that was built for a base it doesn't hold.
    found = shutil.which(name, path=path)
    if found is None and name in _PYTHONS:
        found = sys.executable
    if found is None:
        raise Refused(_no_program(files.reference, name))
    return found


def _stop_signal(name: str) -> int:
    """`SIGQUIT`, `QUIT` or `3`; TERM where the image names none that exists."""
    if name.isdigit():
        return int(name)
    full = name if name.startswith("SIG") else f"SIG{name}"
    return signal.Signals[full] if full in signal.Signals.__members__ else signal.SIGTERM


def _mapped(root: Path, text: str) -> str:
    """A path inside the image if there is such a file, else the text as it is."""
    if len(text) > 1 and text.startswith("/") and (root / text.lstrip("/")).exists():
        return str(root / text.lstrip("/"))
    return text


def _mapped_search_path(root: Path, text: str) -> str:
    """Entries that exist in the image, in order; the machine's own places are added by the caller where they belong."""
    entries = [_mapped(root, entry) for entry in text.split(os.pathsep) if entry]
    return os.pathsep.join(entry for entry in entries if not entry.startswith("/") or entry.startswith(str(root)))


def _nothing_to_run(reference: str) -> Problem:
    return Problem(
        code="image.nothing_to_run",
        message=f"The image {reference} has neither an entrypoint nor a command.",
        remedy="Add CMD or ENTRYPOINT to its Dockerfile, or give the job a command.",
    )


def _no_program(reference: str, name: str) -> Problem:
    return Problem(
        code="image.no_program",
        message=f"The program {name!r} of the image {reference} is neither in the image nor on this machine.",
        remedy="The provider `local` runs an image's files without a container: put the program into the image.",
    )
