"""Replaying: whether a recording gives its state again, and what the execution looked like after any event."""

import msgspec

from gennaker.engine import advance, differences, replay
from gennaker.engine.differences import Difference
from gennaker.engine.recording import Recording
from gennaker.model.event import Submitted
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem, Refused


class Verdict(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of replaying."""

    is_same: bool
    sentence: str
    events: int
    engine: str
    """Version that replayed."""
    recorded_by: tuple[str, ...]
    """Versions that had applied the events."""
    at_event: int | None = None
    """The first event that this engine takes otherwise; None: none, or only the last state shows it."""
    differences: tuple[Difference, ...] = ()


def check(recording: Recording, *, engine: str) -> Verdict:
    """Folds the journal and compares, event by event whether it was ignored, and the last state bit for bit."""
    execution = replay.accepted(recording.head)
    parted: tuple[int, Difference] | None = None
    for recorded in recording.events:
        step = advance.advance(execution, recorded.event, recording.rules)
        execution = step.execution
        if parted is None and step.ignored != recorded.ignored:
            parted = recorded.number, Difference(pointer="/ignored", before=recorded.ignored, after=step.ignored)
    found = differences.of_states(recording.execution, execution)
    is_same = parted is None and not found
    return Verdict(
        is_same=is_same,
        sentence=_sentence(recording, engine, is_same=is_same, parted=parted, found=found),
        events=len(recording.events),
        engine=engine,
        recorded_by=recording.engine_versions,
        at_event=parted[0] if parted else None,
        differences=((parted[1],) if parted else ()) + found,
    )


def at(recording: Recording, number: int) -> Execution:
    """The state after event number `number`. Raises Refused."""
    if not 1 <= number <= len(recording.events):
        raise Refused(
            Problem(
                code="replay.no_event",
                message=f"There is no event {number}: the journal has {len(recording.events)} events.",
                remedy=f"Name one from 1 to {len(recording.events)}.",
            ),
            status=404,
        )
    first = recording.events[0].event
    assert isinstance(first, Submitted)
    return replay.fold((one.event for one in recording.events[:number]), recording.rules)


def _sentence(
    recording: Recording,
    engine: str,
    *,
    is_same: bool,
    parted: tuple[int, Difference] | None,
    found: tuple[Difference, ...],
) -> str:
    count = len(recording.events)
    if is_same:
        return f"{count} events give the stored state again, bit for bit."
    where = f"at event {parted[0]}" if parted else f"in the last state at {found[0].pointer}"
    foreign = [one for one in recording.engine_versions if one != engine]
    if foreign:
        return (
            f"A semantic difference: engine {engine} takes what engine {', '.join(foreign)} has recorded otherwise, "
            f"first {where}. The execution keeps its stored state."
        )
    return (
        f"The journal does not give the stored state, first {where}: a fault of the engine, or the store was changed."
    )
