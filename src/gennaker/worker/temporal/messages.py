"""Messages: what workflows and activities tell one another through Temporal, and how it is written: JSON, by msgspec.

They live on in the histories of workflows that run: fields are only added, at the end and with a default.
"""

from datetime import datetime
from typing import Any

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    BinaryNullPayloadConverter,
    CompositePayloadConverter,
    EncodingPayloadConverter,
)

from gennaker.interfaces.shells import Parcel

EXECUTION = "gennaker-execution"
"""The workflow."""
LOOK = "look"
"""A signal, and the local activity that it brings about."""
STEP = "step"
PERFORM = "perform"


class Begin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a workflow is started with."""

    execution_id: str
    heartbeat_seconds: float
    """So long after its last sign of life an activity is given to another worker."""
    is_continued: bool = False
    """The run before has ended in order: nothing that is in the outbox was begun."""


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """An effect, as far as the workflow has to know it."""

    key: str
    due: datetime | None = None
    """Not before; None: at once."""
    is_performed: bool = True
    """False: it is answered by its step, without an activity."""
    after: str = ""
    """Not before all effects have ended whose keys begin so."""


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be done after a look or a step."""

    asked: tuple[Asked, ...] = ()
    dropped: tuple[str, ...] = ()
    """Keys of effects that are no longer wanted."""
    is_whole: bool = False
    """`asked` is everything: whatever else is at work is no longer wanted."""
    is_over: bool = False
    """The execution needs no workflow beyond what is asked."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An effect to be performed."""

    execution_id: str
    key: str
    is_repeat: bool = False
    """It may have been begun before this workflow run, or before it was Temporal's."""


class Performed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it."""

    event: Parcel | None = None
    """None: nothing that the execution has to be told."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to an effect, for its step."""

    execution_id: str
    key: str
    event: Parcel | None = None
    """None: the effect says it itself."""


class _Json(EncodingPayloadConverter):
    """Records and plain JSON; decoded by type, so everything that is sent has one."""

    @property
    def encoding(self) -> str:
        return "json/plain"

    def to_payload(self, value: object) -> Payload:
        return Payload(metadata={"encoding": self.encoding.encode()}, data=msgspec.json.encode(value))

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ANN401 - the base class's
        return msgspec.json.decode(payload.data, type=type_hint or Any)


class JsonPayloads(CompositePayloadConverter):
    """What Temporal's client is told to write payloads with."""

    def __init__(self) -> None:
        """Nothing is chosen."""
        super().__init__(BinaryNullPayloadConverter(), _Json())
