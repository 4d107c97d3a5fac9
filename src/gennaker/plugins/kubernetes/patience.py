"""Patience: asking an API server again while it doesn't answer, and waiting until a watch shows what was done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gennaker.interfaces.api_servers import ApiFailure, ApiUnavailable
from gennaker.model.problems import Problem, Refused

UNAVAILABLE = 503
_PAUSES = (0.5, 1, 2, 4, 8, 15, 15, 15, 15, 15)
"""Between tries of a change, in seconds: an API server may be gone for a minute."""
PAUSES_OF_LOOKS = (0.5, 1, 2)
_SEEN_WITHIN = 10.0
Found = TypeVar("Found")


async def patiently(ask: Callable[[], Awaitable[Found]], pauses: tuple[float, ...] = _PAUSES) -> Found:
    """Asks again while the API server doesn't answer. Raises Refused."""
    for pause in (*pauses, None):
        try:
            return await ask()
        except ApiUnavailable as failure:
            if pause is None:
                raise Refused(_unavailable(failure), status=UNAVAILABLE) from failure
            await asyncio.sleep(max(pause, failure.after_seconds))
    raise AssertionError("the last try returns or raises")


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """A watch that lags behind for longer is no failure of what was done; nor is one that may not be had."""
    ends = asyncio.get_running_loop().time() + _SEEN_WITHIN
    try:
        while not await is_so() and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110 - what is looked at tells nobody
            await asyncio.sleep(0.02)
    except (ApiFailure, Refused):
        return


def _unavailable(failure: ApiUnavailable) -> Problem:
    return Problem(code="kubernetes.unavailable", message=str(failure), remedy="Try again when it is back.")
