"""Replay: folding an execution's journal gives its state again, bit for bit.

The first event carries the execution as it was accepted; every later one is applied by `advance`. Used by recovery
checks, by the simulator and to answer what an execution looked like after event n.
"""

from collections.abc import Iterable

from gennaker.engine import advance
from gennaker.engine.rules import Rules
from gennaker.model.event import Event, Submitted
from gennaker.model.execution import Execution, Head


class NoBeginning(ValueError):
    """A journal that doesn't begin with Submitted belongs to no execution, or is cut off."""


def fold(events: Iterable[Event], rules: Rules) -> Execution:
    """The state after these events, the first of which is Submitted. Raises NoBeginning."""
    given = iter(events)
    first = next(given, None)
    if not isinstance(first, Submitted):
        raise NoBeginning(f"a journal begins with Submitted, not with {type(first).__name__}")
    execution = advance.advance(accepted(first.head), first, rules).execution
    for event in given:
        execution = advance.advance(execution, event, rules).execution
    return execution


def accepted(head: Head) -> Execution:
    """An execution before its first event."""
    return Execution(
        head=Head(id=head.id, application="", authentication=head.authentication, build_time=head.build_time)
    )
