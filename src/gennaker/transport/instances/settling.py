"""Settling: what a server group's record should become, given how its processes are. Pure.

The record is changed first, then processes are started and stopped to match it; so whatever is cut off is taken up
again from the record.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from gennaker.transport.instances.records import GroupRecord, InstanceRecord
from gennaker.transport.processes import ProcessState

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 30.0
CRASH_LOOP = 3
"""From so many crashes in a row on an instance counts as failed."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How the process of an instance's present attempt is."""

    state: ProcessState | None
    """None: there has been no start yet."""
    is_healthy: bool = False
    has_been_up: bool = False
    is_stable: bool = False
    """Healthy for so long that what crashed before is forgotten."""
    ending: str = ""
    """How it ended, in words."""

    @property
    def is_over(self) -> bool:
        """It ran and runs no more."""
        return self.state in (ProcessState.ENDED, ProcessState.GONE)


def settled(
    record: GroupRecord, seen: Mapping[int, Seen], *, port: Callable[[int, int], int], at: datetime
) -> GroupRecord:
    """The record after one look. `seen` is by instance number; `port` gives a free one for a number and attempt."""
    present = [instance for instance in record.instances if not _has_left(instance, seen[instance.number])]
    present = [_restarted(instance, seen[instance.number], port=port, at=at) for instance in present]
    staying = [instance for instance in present if not instance.is_leaving]
    missing = record.wanted - len(staying)
    numbers = range(record.next_number, record.next_number + max(0, missing))
    added = [InstanceRecord(number=number, port=port(number, 0), launched_at=at) for number in numbers]
    surplus = {instance.number for instance in _first_to_go(staying, seen)[: max(0, -missing)]}
    kept = [
        msgspec.structs.replace(instance, is_leaving=True) if instance.number in surplus else instance
        for instance in present
    ]
    return msgspec.structs.replace(record, instances=(*kept, *added), next_number=record.next_number + len(added))


def pause_seconds(crashes: int) -> float:
    """How long to wait before the next start after so many crashes in a row."""
    return min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (crashes - 1)) if crashes else 0.0


def _has_left(instance: InstanceRecord, seen: Seen) -> bool:
    return instance.is_leaving and seen.state is not ProcessState.RUNNING


def _restarted(
    instance: InstanceRecord, seen: Seen, *, port: Callable[[int, int], int], at: datetime
) -> InstanceRecord:
    if instance.is_leaving or not seen.is_over:
        return instance
    attempt = instance.attempt + 1
    return msgspec.structs.replace(
        instance,
        attempt=attempt,
        crashes=1 if seen.is_stable else instance.crashes + 1,
        ended=seen.ending,
        # One that never came up may have failed because somebody else took its port.
        port=instance.port if seen.has_been_up else port(instance.number, attempt),
        launched_at=at,
    )


def _first_to_go(staying: list[InstanceRecord], seen: Mapping[int, Seen]) -> list[InstanceRecord]:
    """Unhealthy ones before healthy ones, newer ones before older ones."""
    return sorted(staying, key=lambda instance: (seen[instance.number].is_healthy, -instance.number))
