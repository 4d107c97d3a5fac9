"""Queues: what one execution can't decide alone. One row each, keyed by what it is about.

`pipeline:<config id>` holds who runs and who waits; `cluster:<account>:<region>:<cluster>` holds reserved server-group
numbers.
"""

import msgspec


class Waiting(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An execution that waits for its turn."""

    execution_id: str
    limit_concurrent: bool
    max_concurrent: int


class Queue(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """State of one queue."""

    key: str
    version: int = 0
    running: tuple[str, ...] = ()
    """Executions that have begun and not ended, oldest first; paused ones are in `held` instead."""
    held: tuple[str, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    """Oldest first."""
    numbers: dict[str, int] = {}
    """Reserved server-group numbers by holder."""
