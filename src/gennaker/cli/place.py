"""Which Gennaker a command means: options that all commands of a server share."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gennaker.cli import configuration, contexts, running
from gennaker.model.problems import Problem, Refused
from gennaker.transport.client import Client, Remote


@Parameter(name="*")
@dataclass(frozen=True)
class Folder:
    """A data folder of this machine. Another server can be named, too, and is refused with a sentence."""

    data: Annotated[
        Path | None, Parameter(help="The data folder (GENNAKER_DATA; default: ~/.local/share/gennaker).")
    ] = None
    config: Annotated[Path | None, Parameter(help="The settings file (default: gennaker.toml in the data folder).")] = (
        None
    )
    set: Annotated[list[str], Parameter(help="A setting: --set server.port=8084.", negative="")] = field(
        default_factory=list
    )
    context: Annotated[str | None, Parameter(show=False)] = None

    def configured(self) -> configuration.Configured:
        """Settings of this place."""
        return configuration.read(data=self.data, file=self.config, flags=self.set, environment=os.environ)

    def local(self) -> configuration.Configured:
        """As `configured`, for what is done on a data folder. Raises Refused where another server is named."""
        self.refuse_context()
        return self.configured()

    def refuse_context(self) -> None:
        """Raises Refused where `--context` is given: this command works on a data folder of this machine."""
        if self.context is not None:
            raise Refused(_local_only(self.context))

    def where(self) -> Path | Remote:
        """Which server is meant: `--context` or `--data`, else what the environment names, else the context in use. Raises Refused."""
        if self.context is not None and self.data is not None:
            raise Refused(_two())
        named = self.context if self.data is None else contexts.LOCAL
        if named is None:
            named = os.environ.get("GENNAKER_CONTEXT") or (contexts.LOCAL if os.environ.get("GENNAKER_DATA") else None)
        found = contexts.find(contexts.file(os.environ), named)
        return configuration.data_folder(self.data, os.environ) if found is None else found

    def local_client(self) -> Client:
        """A client of the server on a data folder of this machine. Raises Refused where another one is meant."""
        self.refuse_context()
        where = self.where()
        if isinstance(where, Remote):
            raise Refused(_local_only(where.address))
        return Client(where)


@Parameter(name="*")
@dataclass(frozen=True)
class Place(Folder):
    """Which Gennaker: a data folder of this machine, or a server elsewhere."""

    context: Annotated[
        str | None,
        Parameter(help="A server that `gennaker context add` has kept (GENNAKER_CONTEXT; default: the one in use)."),
    ] = None

    def client(self) -> Client:
        """A client of the server that is meant."""
        return Client(self.where())

    def client_of_starting(self) -> Client:
        """As `client`, of one that may have been started just now."""
        where = self.where()
        return Client(where) if isinstance(where, Remote) else running.patient_client(where)


def _local_only(context: str) -> Problem:
    return Problem(
        code="context.local_only",
        message=f"This command works on a data folder of this machine, not on {context!r}.",
        remedy="Run it on the server's machine, with --data.",
    )


def _two() -> Problem:
    return Problem(code="context.two", message="--context and --data name two servers.", remedy="Give one of them.")


HERE = Place()
HERE_ONLY = Folder()
