"""Decoding rows: on the loop while they are small together, in a thread where many small ones would hold it up."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from gennaker.store.here import ROW_BYTES

Decoded = TypeVar("Decoded")
_ON_THE_LOOP: Final = 4 * ROW_BYTES
"""Characters. Measured as JSON objects on a machine of 2026 (CPython 3.11): 1.3 ms in three rows, 1.6 ms in 15, 2.1 ms in 949, 2.4 ms
in 1,472, so that a machine four times as slow keeps to the 10 ms for which the loop may be held up. Less would be no gain: a thread
and back takes 65 µs on an idle machine, milliseconds on a busy one, and Python's lock lets only one of the two go on anyway."""
_ROW: Final = 128
"""What any row takes, however short: as long as so many characters: short and long ones then cost the same within a factor of two."""


async def decoded(rows: Sequence[Any], make: Callable[..., Decoded], *, text: int) -> tuple[Decoded, ...]:
    """Each row's columns made into one, in order; `text`: which column is the long one."""

    def every() -> tuple[Decoded, ...]:
        return tuple(make(*row) for row in rows)

    is_small = sum(len(row[text]) + _ROW for row in rows) <= _ON_THE_LOOP
    return every() if is_small else await asyncio.to_thread(every)
