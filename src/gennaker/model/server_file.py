"""The file by which a running server is found."""

import msgspec


class ServerFile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`<data>/server.json`: where a running server is; written when it is ready, removed when it ends."""

    pid: int
    api: str
    """`http://127.0.0.1:8084`"""
    registry: str
    """`127.0.0.1:5000`"""
    stop_seconds: float = 0.0
    """So long it may take to end (`server.stop-seconds`)."""
    process: str = ""
    """Tells it from a later process of the same id; empty where that can't be told (no /proc)."""
