"""Where the demo's notifications arrive: a real mail server and a real webhook receiver, both on loopback."""

import json
import socket
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler

from gennaker.model.codec import JsonObject


class MailSink:
    """Takes mail and keeps it."""

    def __init__(self) -> None:
        """Listens on a free port from now on."""
        self.mails: list[Message] = []
        sink = self

        class Keeper(MessageHandler):
            def handle_message(self, message: Message) -> None:
                sink.mails.append(message)

        self.port = _free_port()
        self._controller = Controller(Keeper(), hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def to(self, address: str) -> list[Message]:
        """Mail to an address."""
        return [mail for mail in self.mails if address in str(mail["To"])]

    def close(self) -> None:
        """Stops listening."""
        self._controller.stop()


class WebhookSink:
    """Takes webhook notifications and keeps their bodies."""

    def __init__(self) -> None:
        """Listens on a free port from now on."""
        self.received: list[JsonObject] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
                sink.received.append({**body, "path": self.path})
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stays quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._server.server_port}"

    def at(self, path: str) -> list[JsonObject]:
        """What was sent to a path."""
        return [body for body in self.received if body.get("path") == path]

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
