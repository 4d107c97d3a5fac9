"""Patience: asking an API server again after a hiccup, and waiting until a watch shows what was done.

Tasks outlast what is longer (`interfaces.outlasting`); who only looks is told.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gennaker.interfaces.api_servers import ApiFailure, ApiUnavailable
from gennaker.model.problems import UNAVAILABLE, Problem, Refused

PAUSES = (0.5, 1, 2)
"""Seconds between tries."""
_HICCUP = 5.0
"""Seconds: there is no try after them, be it that each takes long or that the server wants to be asked later (Retry-After)."""
_SEEN_WITHIN = 10.0
Found = TypeVar("Found")


async def patiently(ask: Callable[[], Awaitable[Found]], pauses: tuple[float, ...] = PAUSES) -> Found:
    """Asks again if the API server doesn't answer. Raises Refused, with the status `UNAVAILABLE` where it still doesn't."""
    ends = asyncio.get_running_loop().time() + _HICCUP
    for pause in (*pauses, None):
        try:
            return await ask()
        except ApiUnavailable as failure:
            wait = max(pause or 0.0, failure.after_seconds)
            if pause is None or asyncio.get_running_loop().time() + wait > ends:
                raise Refused(unavailable(failure), status=UNAVAILABLE) from failure
            await asyncio.sleep(wait)
    raise AssertionError("the last try returns or raises")


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """A watch that lags behind for longer is no failure of what was done; nor is one that may not be had."""
    ends = asyncio.get_running_loop().time() + _SEEN_WITHIN
    try:
        while not await is_so() and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110 - what is looked at tells nobody
            await asyncio.sleep(0.02)
    except (ApiFailure, Refused):
        return


def unavailable(failure: ApiFailure) -> Problem:
    """The API server doesn't answer."""
    said = str(failure)
    message = said if said.endswith((".", "!", "?")) else f"{said}."
    return Problem(code="kubernetes.unavailable", message=message, remedy="See to the API server and the line to it.")
