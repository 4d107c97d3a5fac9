"""What a program must offer so that load balancers can be served by it, and how it is found on this machine."""

import importlib.metadata
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routing
from gennaker.model.codec import decode
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.proxies.records import ProxyRecord
from gennaker.transport import processes

_OF_ADMINISTRATORS = ("/usr/local/sbin", "/usr/sbin")
"""Where Debian puts servers, and where an ordinary user's PATH doesn't look."""


_Answer = TypeVar("_Answer")


class Unanswered(Exception):
    """The program doesn't answer, or not yet."""


def read(answer: bytes, kind: type[_Answer]) -> _Answer:
    """What a program has answered. Raises Unanswered for what can't be read so."""
    try:
        return decode(answer, kind)
    except msgspec.DecodeError as error:
        raise Unanswered(f"its answer can't be read: {error}") from error


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A program that must be there."""

    title: str
    """`HAProxy`"""
    file: str
    """`haproxy`"""
    package: str
    """What to install: a sentence's object."""
    distribution: str = ""
    """The Python package that may hold it."""


class ProxyProgram(Protocol):
    """One kind of program. Its files lie in a folder of their own for each start, in which it is started."""

    name: str
    """Of the traffic provider."""
    wanted: Wanted
    routing: frozenset[Routing]
    """What it can route by."""
    stop_signal: signal.Signals
    """Lets requests under way end."""

    def argv(self, executable: str, folder: Path) -> tuple[str, ...]:
        """The command line."""
        ...

    def write(self, folder: Path, record: ProxyRecord) -> None:
        """Writes what it is started with."""
        ...

    async def apply(self, folder: Path, record: ProxyRecord, pid: int) -> None:
        """Makes the shares those of the record, in one switch; returns when they are in force.

        Does nothing where they are. Raises Unanswered, or Refused.
        """
        ...

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        """Requests under way by address, also of those that are leaving; None: it can't be told. Raises Unanswered."""
        ...

    async def states(self, folder: Path, record: ProxyRecord) -> Mapping[str, Health]:
        """As the port TellsHealth. Raises Unanswered."""
        ...


def found(wanted: Wanted, named: str) -> str:
    """The path of the program: the one that the settings name, else an installed one. Raises Refused."""
    path = os.pathsep.join((processes.host_path(), *_OF_ADMINISTRATORS))
    if named:
        own = shutil.which(named, path=path)
        if own is None:
            raise Refused(_not_there(wanted, named), status=501)
        return own
    packaged = _packaged(wanted) if wanted.distribution else None
    installed = packaged or shutil.which(wanted.file, path=path)
    if installed is None:
        raise Refused(_missing(wanted), status=501)
    return installed


def _packaged(wanted: Wanted) -> str | None:
    try:
        files = importlib.metadata.distribution(wanted.distribution).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.name == wanted.file)
    return next((str(path.resolve()) for path in paths if path.exists() and path.stat().st_size > 1_000_000), None)


def _not_there(wanted: Wanted, named: str) -> Problem:
    return Problem(
        code=f"{wanted.file}.no_program",
        message=f"The program {named!r} of the setting traffic.programs.{wanted.file} doesn't exist.",
        remedy=f"Correct the setting, or remove it to use the {wanted.title} that is installed.",
    )


def _missing(wanted: Wanted) -> Problem:
    return Problem(
        code=f"{wanted.file}.no_program",
        message=f"There is no {wanted.title}.",
        remedy=f"Install {wanted.package}, or set traffic.programs.{wanted.file} to a {wanted.title} of your own.",
    )
