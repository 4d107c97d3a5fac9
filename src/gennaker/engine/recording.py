"""Recordings: an execution's whole journal with the state that came of it, in one document that stands for itself.

Written by the native API (`/executions/{id}/journal`) and by `gennaker replay --export`; read again by later versions.
"""

import msgspec

from gennaker.engine.rules import Rules
from gennaker.interfaces.journal import RecordedEvent
from gennaker.model import codec, stored
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Submitted
from gennaker.model.execution import Execution, Head, Stage, StageMap
from gennaker.model.problems import Problem, Refused


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened to one execution."""

    v: int = 1
    """Version of this document's form."""
    engine_versions: tuple[str, ...] = ()
    """Versions of the engine that have applied the events, in order."""
    rules: Rules = Rules()
    """What the engine knew of stage types."""
    head: Head
    stages: tuple[Stage, ...] = ()
    """In the order in which they are shown."""
    events: tuple[RecordedEvent, ...]

    @property
    def execution(self) -> Execution:
        """The state as it was stored."""
        return Execution(head=self.head, stages=StageMap({stage.id: stage for stage in self.stages}))


def of(
    execution: Execution, events: tuple[RecordedEvent, ...], *, rules: Rules, engine_versions: tuple[str, ...]
) -> Recording:
    """The recording of an execution; events that came after the state was read are left out."""
    return Recording(
        engine_versions=engine_versions,
        rules=rules,
        head=execution.head,
        stages=tuple(execution.in_order()),
        events=tuple(one for one in events if one.number <= execution.head.version),
    )


def read(text: bytes | str) -> Recording:
    """Reads a recording of any version. Raises Refused."""
    try:
        found = stored.read(text, Recording)
    except msgspec.DecodeError as error:
        raise Refused(_unreadable(str(error))) from error
    except RecursionError as error:
        raise Refused(_unreadable("it is nested too deeply")) from error
    if not found.events or not isinstance(found.events[0].event, Submitted):
        raise Refused(_unreadable("it doesn't begin with the event Submitted"))
    return found


def to_json(recording: Recording) -> JsonObject:
    """The document."""
    value: Json = codec.to_json(recording)
    assert isinstance(value, dict)
    return value


def _unreadable(reason: str) -> Problem:
    return Problem(
        code="recording.unreadable",
        message=f"This is no recording of an execution: {reason}.",
        remedy="Make one with `gennaker replay EXECUTION --export FILE`.",
    )
