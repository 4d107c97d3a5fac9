"""Which Gennaker a command means: options that all commands of a server share."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gennaker.cli import configuration, running
from gennaker.transport.client import Client


@Parameter(name="*")
@dataclass(frozen=True)
class Place:
    """Which Gennaker."""

    data: Annotated[
        Path | None, Parameter(help="The data folder (GENNAKER_DATA; default: ~/.local/share/gennaker).")
    ] = None
    config: Annotated[Path | None, Parameter(help="The settings file (default: gennaker.toml in the data folder).")] = (
        None
    )
    set: Annotated[list[str], Parameter(help="A setting: --set server.port=8084.", negative="")] = field(
        default_factory=list
    )

    def configured(self) -> configuration.Configured:
        """Settings of this place."""
        return configuration.read(data=self.data, file=self.config, flags=self.set, environment=os.environ)

    def client(self) -> Client:
        """A client of the server that runs on this place."""
        return Client(configuration.data_folder(self.data, os.environ))

    def client_of_starting(self) -> Client:
        """As `client`, of one that may have been started just now."""
        return running.patient_client(configuration.data_folder(self.data, os.environ))


HERE = Place()
