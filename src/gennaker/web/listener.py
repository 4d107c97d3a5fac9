"""Listener: an HTTP server on a socket that is bound already."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

_STOP_SECONDS = 5
"""How long open requests may finish when the server stops."""


class Listener(uvicorn.Server):
    """An HTTP server on a socket that is bound already; signals are the process's business."""

    def __init__(self, app: Callable[..., object], bound: socket.socket) -> None:
        """Nothing is served yet."""
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._bound = bound

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves on the bound socket."""
        await super().serve(sockets or [self._bound])
