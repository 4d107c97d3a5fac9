"""Refusals: what can't be done now for one of many. It is told once, and tried again after pauses that grow."""

import asyncio
from collections.abc import Set as AbstractSet

import msgspec
import structlog

log = structlog.get_logger()

_PAUSES = (1.0, 30.0)
"""Seconds before it is tried again: the first time, and at most."""


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    why: str
    wanted: object
    pause: float
    again_at: float
    """Loop time."""


class Refusals:
    """What was refused at last, by server group or run."""

    def __init__(self, provider: str) -> None:
        """Nothing was. `provider`: the cloud provider's name."""
        self._provider = provider
        self._refused: dict[str, _Refusal] = {}

    def is_due(self, name: str, wanted: object) -> bool:
        """Whether it is to be tried. Where something else is wanted than was refused: at once."""
        last = self._refused.get(name)
        return last is None or last.wanted != wanted or asyncio.get_running_loop().time() >= last.again_at

    def refused(self, name: str, wanted: object, why: str) -> None:
        """It can't be done now."""
        last = self._refused.get(name)
        if last is None or last.why != why:
            log.warning("instances.refused", provider=self._provider, of=name, why=why)
        shortest, longest = _PAUSES
        is_same = last is not None and last.wanted == wanted
        pause = min(2 * last.pause, longest) if last is not None and is_same else shortest
        again_at = asyncio.get_running_loop().time() + pause
        self._refused[name] = _Refusal(why=why, wanted=wanted, pause=pause, again_at=again_at)

    def done(self, name: str) -> None:
        """It isn't refused any more."""
        self._refused.pop(name, None)

    def forget(self, groups: AbstractSet[str]) -> None:
        """Drops what is known about all other server groups and their runs."""
        self._refused = {name: last for name, last in self._refused.items() if name.partition("/")[0] in groups}
