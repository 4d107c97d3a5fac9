"""TLS handshakes: a connection whose handshake is cancelled is closed at once.

The HTTP client closes a connection whose handshake fails, but not one whose handshake is cancelled: nobody has it any
longer, and it stays open, on both sides, until garbage is collected. `HOOKS` belong to each client that lives on after its requests.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, runtime_checkable

import httpx2


@runtime_checkable
class _Stream(Protocol):
    async def aclose(self) -> None: ...


class _Connecting:
    """What one request tells of the connection that it opens, if it opens any."""

    def __init__(self) -> None:
        self._stream: _Stream | None = None

    async def heard(self, event: str, facts: Mapping[str, object]) -> None:
        """Called by the HTTP client at each of its steps (its extension `trace`)."""
        if event.endswith(".connect_tcp.complete"):
            found = facts.get("return_value")
            self._stream = found if isinstance(found, _Stream) else None
        elif event.endswith(".start_tls.failed") and self._stream is not None:
            await self._stream.aclose()


async def _watch(request: httpx2.Request) -> None:
    request.extensions["trace"] = _Connecting().heard


HOOKS: Mapping[str, list[Callable[..., Awaitable[None]]]] = {"request": [_watch]}
"""For a client's `event_hooks`."""
