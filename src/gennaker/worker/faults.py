"""Faults of the engine's own, told from what the store and its leases raise, and what they cost: one execution's end."""

from datetime import datetime

from gennaker.model.event import CancelAsked

FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What applying an event raises only by a fault of ours; what the store and its leases raise is none of these."""


def cancellation(fault: Exception, *, at: datetime) -> CancelAsked:
    """The command that ends the execution which has met a fault."""
    reason = f"A fault in the engine: {type(fault).__name__}: {fault}. The server's log has the trace."
    return CancelAsked(at=at, by="gennaker", reason=reason)
