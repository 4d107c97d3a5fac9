"""Records: what is kept about server groups and their instances in Documents."""

from datetime import datetime

import msgspec

from gennaker.interfaces.clouds import Capacity, NewServerGroup
from gennaker.model.moniker import Moniker, parse


class InstanceRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An instance as it should be. Each attempt to run it is a process of its own."""

    number: int
    """Unique in the server group, never used again: greater numbers are newer."""
    port: int
    launched_at: datetime
    """Of this attempt."""
    attempt: int = 0
    crashes: int = 0
    """How often it has crashed in a row, without having been healthy for a while in between."""
    ended: str = ""
    """How the attempt before this one ended, in words."""
    is_leaving: bool = False
    """Told to finish its requests and stop; removed when it has ended."""


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server group as it should be."""

    new: NewServerGroup
    """As it was asked for; `image` with its digest."""
    created_at: datetime
    capacity: Capacity
    is_disabled: bool = False
    is_destroyed: bool = False
    """Its instances are leaving; the record goes with the last."""
    next_number: int = 0
    instances: tuple[InstanceRecord, ...] = ()

    @property
    def name(self) -> str:
        """The server group's name."""
        return self.new.name

    @property
    def moniker(self) -> Moniker:
        """What the name says."""
        return parse(self.new.name)

    def facts(self, one: InstanceRecord) -> dict[str, str]:
        """What every instance is told of itself, as environment variables."""
        return {
            "GENNAKER_SERVER_GROUP": self.name,
            "GENNAKER_VERSION": self.new.version,
            "GENNAKER_INSTANCE": str(one.number),
        }

    @property
    def wanted(self) -> int:
        """How many instances there should be."""
        return 0 if self.is_destroyed else self.capacity.desired


def run_name(group: str, number: int, attempt: int) -> str:
    """The run of one attempt."""
    return f"{group}/{number}/{attempt}"


def instance_id(group: str, number: int) -> str:
    """The instance's id as the port shows it."""
    return f"{group}-{number}"
