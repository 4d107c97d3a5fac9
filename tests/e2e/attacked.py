"""Attacks on a running server of a test that has one already."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from gennaker.model.codec import encode, to_json
from gennaker.store import audit_heads
from gennaker.store.audit_head import Head
from gennaker.transport.client import Client

_ANSWERS_WITHIN_SECONDS = 600.0


def by_two_lengths(api: httpx2.URL) -> None:
    """A proxy may take one of them and the server the other: then what seems to be a body is somebody's next request."""
    host = f"Host: {api.host}:{api.port}\r\n"
    lengths = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    hidden = f"GET /version HTTP/1.1\r\n{host}\r\n"
    with socket.create_connection((api.host, api.port or 0), timeout=_ANSWERS_WITHIN_SECONDS) as connection:
        connection.sendall(f"POST /login HTTP/1.1\r\n{host}{lengths}{hidden}".encode())
        answered = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert answered.count(b"HTTP/1.1") == 1, "the connection was closed"


def by_a_chain_cut_off(client: Client, data: Path, heads: Path) -> str:
    """A head outside, signed by this server, says that the chain was longer than it is; what the server finds."""
    later = Head(number=10_000, hash="0" * 64)
    signed = audit_heads.sign(later, at=datetime(2026, 1, 1, tzinfo=UTC), seed=audit_heads.seed(data, ""))
    with heads.open("ab") as opened:
        opened.write(encode(to_json(signed)) + b"\n")
    said = client.get("/api/v1/audit/verify")
    assert isinstance(said, dict)
    assert said["isIntact"] is False
    assert str(heads) in str(said["sentence"])
    return str(said["sentence"])
