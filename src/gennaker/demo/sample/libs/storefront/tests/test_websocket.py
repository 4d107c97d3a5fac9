"""WebSockets speak as RFC 6455 says."""

import asyncio
import struct

import pytest
from storefront import websocket
from storefront.http import Request
from storefront.websocket import WebSocket


class Peer:
    """A WebSocket and what it has written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_finished = False
        self.socket = WebSocket(self.written.append, self._finish)

    def _finish(self) -> None:
        self.is_finished = True


def masked(opcode: int, payload: bytes, *, is_final: bool = True) -> bytes:
    mask = b"\x01\x02\x03\x04"
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack("!H", size)
    return bytes([(0x80 if is_final else 0) | opcode]) + length + mask + websocket.unmasked(mask, payload)


def after(*frames: bytes) -> tuple[Peer, list[str | bytes | None]]:
    async def run() -> tuple[Peer, list[str | bytes | None]]:
        peer = Peer()
        for byte in b"".join(frames):
            peer.socket.feed(bytes([byte]))
        received = []
        while not received or received[-1] is not None:
            received.append(await asyncio.wait_for(peer.socket.receive(), 0.01) if peer.is_finished else None)
        return peer, received

    return asyncio.run(run())


def test_the_key_is_answered_as_the_standard_has_it() -> None:
    assert websocket.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_fragments_are_joined_and_pings_between_them_answered() -> None:
    close = masked(8, struct.pack("!H", 1000))

    peer, received = after(
        masked(1, "grü".encode()[:3], is_final=False), masked(9, b"?"), masked(0, "ü!".encode()[1:]), close
    )

    assert received == ["grü!", None]
    assert peer.written == [b"\x8a\x01?", b"\x88\x02\x03\xe8"]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x01a", 1002),  # not masked
        (masked(3, b""), 1002),  # unknown opcode
        (b"\xc1" + masked(1, b"a")[1:], 1002),  # an extension's bit
        (masked(9, b"", is_final=False), 1002),  # a fragment of a control frame
        (masked(0, b"a"), 1002),  # goes on with nothing
        (masked(1, b"\xff"), 1007),
        (masked(8, b"\x03"), 1002),
        (masked(8, struct.pack("!H", 1006)), 1002),
    ],
)
def test_whoever_breaks_the_protocol_is_told_how(frame: bytes, code: int) -> None:
    peer, received = after(frame)

    assert received == [None]
    assert int.from_bytes(peer.written[0][2:4], "big") == code
    assert peer.is_finished


def test_the_server_closes_first_and_waits_for_the_answer() -> None:
    async def run() -> Peer:
        peer = Peer()
        peer.socket.close(websocket.GOING_AWAY, "bye")
        peer.socket.send("dropped")
        assert not peer.is_finished
        peer.socket.feed(masked(8, struct.pack("!H", 1001)))
        assert await peer.socket.receive() is None
        return peer

    peer = asyncio.run(run())

    assert peer.written == [b"\x88\x05\x03\xe9bye"]
    assert peer.is_finished


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, None),
        ({"upgrade": "h2c"}, 426),
        ({"sec-websocket-version": "8"}, 426),
        ({"sec-websocket-key": "short"}, 400),
    ],
)
def test_handshakes_are_checked(change: dict[str, str], status: int | None) -> None:
    headers = {
        "upgrade": "websocket",
        "connection": "keep-alive, Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }

    refusal = websocket.refusal(Request("GET", "/live", "", "1.1", {**headers, **change}))

    assert (refusal and refusal.status) == status
