"""Ports of loopback that nobody listens on just now, for servers of tests."""

import socket


def free_port() -> int:
    """One that the kernel gives."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
