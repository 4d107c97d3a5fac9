"""Rows of a commit: plain values in the order of the statements' columns, whichever database they are for."""

from collections.abc import Iterator, Sequence

import msgspec

from gennaker.interfaces.journal import Commit, ExecutionChange
from gennaker.model import codec, foreign
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import ExecutionKind, Head
from gennaker.store import chain
from gennaker.store.packing import Packing

Row = tuple[object, ...]
Packed = tuple[str, str | None]
"""Body and blobs: the last two values of most rows."""
HUGE_BYTES = 1_000_000
"""Values above it go to the database piece by piece."""


class ExecutionRows(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The rows of one execution's change."""

    id: str
    expected: int
    """Version in the store before; 0: it is new."""
    submission_key: str | None
    head: Row
    """version, status, head, blobs"""
    outline: "OutlineRows | None"
    """None: as it is stored."""
    is_complete: bool
    stages: list[Row]
    removed: list[Row]
    events: list[Row]


class OutlineRows(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What of an execution hardly ever changes."""

    columns: Row
    """kind, application, name, config_id, correlation_id, build_time"""
    row: Row
    """execution_id, body, blobs"""
    trigger: Row | None
    """execution_id, application, build_time, type, event_id; None: it isn't searched by its trigger"""


class CommitRows(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All that a commit writes."""

    blobs: list[tuple[str, bytes]]
    """digest, content"""
    executions: list[ExecutionRows]
    queues: list[tuple[str, int, str]]
    """key, version, body"""
    dropped: list[Row]
    effects: list[Row]
    handed_over: list[Row]
    audit: tuple[str, ...]

    @property
    def has_huge_values(self) -> bool:
        """Some value is too large to be a part of a statement beside others."""
        return bool(self.blobs) and any(len(content) > HUGE_BYTES for _, content in self.blobs)

    def parted(self) -> "tuple[list[tuple[str, bytes]], CommitRows]":
        """The huge values, and the commit without them."""
        if not self.has_huge_values:
            return [], self
        huge = [one for one in self.blobs if len(one[1]) > HUGE_BYTES]
        small = [one for one in self.blobs if len(one[1]) <= HUGE_BYTES]
        return huge, msgspec.structs.replace(self, blobs=small)

    @property
    def outbox(self) -> list[Row]:
        """All new rows of it, whosever they are."""
        return self.effects + self.handed_over


def of(commit: Commit, packing: Packing, engine_version: str) -> CommitRows:
    """Everything that can be done before the writer's turn is done."""
    packed = zip(packing.bodies, packing.references, strict=True)
    return CommitRows(
        blobs=packing.blobs(),
        executions=[_execution(change, packed, packing.outlined, engine_version) for change in commit.executions],
        queues=[(queue.key, queue.version, codec.encode(queue).decode()) for queue in commit.queues],
        dropped=[*zip(commit.dropped_effects)],
        effects=_effects(commit.effects, packed),
        handed_over=_effects(commit.handed_over, packed),
        audit=chain.encoded_entries(commit.audit),
    )


def _execution(
    change: ExecutionChange, packed: Iterator[Packed], outlined: set[str], engine_version: str
) -> ExecutionRows:
    head = change.head
    return ExecutionRows(
        id=head.id,
        expected=change.expected_version,
        submission_key=change.submission_key or None,
        head=(head.version, head.status.value, *next(packed)),
        outline=_outline(head, next(packed)) if head.id in outlined else None,
        is_complete=head.status.is_complete,
        stages=[(head.id, stage.id, body, blobs) for stage, (body, blobs) in zip(change.stages, packed, strict=False)],
        removed=[(head.id, stage_id) for stage_id in change.removed_stages],
        events=[
            (head.id, recorded.number, engine_version, recorded.ignored, body, blobs)
            for recorded, (body, blobs) in zip(change.events, packed, strict=False)
        ],
    )


def _outline(head: Head, packed: Packed) -> OutlineRows:
    correlation_id = head.trigger.get("correlationId")
    return OutlineRows(
        columns=(
            head.kind.value,
            head.application.lower(),
            head.name,
            head.pipeline_config_id,
            correlation_id if isinstance(correlation_id, str) else None,
            codec.microseconds(head.build_time),
        ),
        row=(head.id, *packed),
        trigger=_trigger(head) if head.kind is ExecutionKind.PIPELINE else None,
    )


def _trigger(head: Head) -> Row:
    event_id = foreign.text(head.trigger.get("eventId"))
    return (
        head.id,
        head.application.lower(),
        codec.microseconds(head.build_time),
        foreign.text(head.trigger.get("type")),
        event_id or None,
    )


def _effects(pending: Sequence[PendingEffect], packed: Iterator[Packed]) -> list[Row]:
    rows: list[Row] = []
    for one, (body, blobs) in zip(pending, packed, strict=False):
        due = None if one.due is None else codec.microseconds(one.due)
        rows.append((one.effect.key, one.execution_id, due, one.tries, body, blobs))
    return rows
