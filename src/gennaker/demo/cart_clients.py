"""Clients of the cart that hold on while it is updated: a slow export, a WebSocket, a keep-alive connection."""

import base64
import http.client
import os
import socket
import threading
import time


class HoldingOn:
    """Three clients of one address, each in a thread; what happened to them is told by `outcome`."""

    def __init__(self, address: str, *, slow_seconds: float) -> None:
        """They begin at once."""
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self._slow_seconds = slow_seconds
        self._is_ending = threading.Event()
        self.slow = self.socket = self.keep_alive = "did not begin"
        self._threads = [
            threading.Thread(target=run, daemon=True) for run in (self._export, self._talk, self._keep_asking)
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Waits for the slow export; ends the others."""
        self._threads[0].join(self._slow_seconds + 30)
        self._is_ending.set()
        for thread in self._threads[1:]:
            thread.join(10)

    @property
    def is_well(self) -> bool:
        """Nobody was cut off."""
        return (self.slow, self.keep_alive) == ("whole", "never broken") and self.socket.startswith("closed in order")

    def _export(self) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=60)
        try:
            self.slow = "cut off"
            connection.request("GET", f"/slow?seconds={self._slow_seconds:g}")
            body = connection.getresponse().read()
            self.slow = "whole" if body.endswith(b"done\n") else "cut off"
        except (OSError, http.client.HTTPException) as error:
            self.slow = f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    def _keep_asking(self) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=15)
        self.keep_alive = "never broken"
        while not self._is_ending.wait(0.02):
            try:
                connection.request("GET", "/cart")
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    self.keep_alive = f"answered {answer.status}"
            except (OSError, http.client.HTTPException) as error:
                self.keep_alive = f"{type(error).__name__}: {error}"
                connection.close()
        connection.close()

    def _talk(self) -> None:
        """Echoes until told that the server goes (close frame 1001) or that the demo ends."""
        try:
            with socket.create_connection((self._host, self._port), timeout=60) as talking:
                self.socket = self._echo(talking)
        except OSError as error:
            self.socket = f"{type(error).__name__}: {error}"

    def _echo(self, talking: socket.socket) -> str:
        key = base64.b64encode(os.urandom(16)).decode()
        talking.sendall(
            f"GET /live HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        reader = talking.makefile("rb")
        if b"101" not in reader.readline():
            return "was not accepted"
        while reader.readline() not in (b"\r\n", b""):
            pass
        messages = 0
        talking.settimeout(20)
        while True:
            first = reader.read(2)
            if len(first) < 2:
                return f"cut off after {messages} messages"
            payload = reader.read(first[1] & 0x7F)
            if first[0] & 0x0F == 8:
                talking.sendall(_frame(8, payload[:2]))
                return f"closed in order after {messages} messages (code {int.from_bytes(payload[:2], 'big')})"
            messages += 1
            if self._is_ending.is_set():
                talking.sendall(_frame(8, (1000).to_bytes(2, "big")))
                return f"closed in order after {messages} messages (by the client)"
            time.sleep(0.1)
            talking.sendall(_frame(1, b"still here"))


def _frame(opcode: int, payload: bytes) -> bytes:
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked
