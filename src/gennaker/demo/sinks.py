"""Where the demo's notifications arrive: a real mail server and a real webhook receiver, both on loopback."""

import json
import socket
import threading
from asyncio import AbstractServer
from collections.abc import Awaitable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler

from gennaker.model.codec import JsonObject

_STARTS_WITHIN_SECONDS = 180.0


class _SmtpServer(Controller):
    """Listens on a free port that nobody else can take between choosing and listening."""

    def __init__(self, handler: MessageHandler) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        host, port = self._listening.getsockname()
        super().__init__(handler, hostname=host, port=port, ready_timeout=_STARTS_WITHIN_SECONDS)

    def _create_server(self) -> Awaitable[AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listening)


class MailSink:
    """Takes mail and keeps it."""

    def __init__(self) -> None:
        """Listens on a free port from now on."""
        self.mails: list[Message] = []
        sink = self

        class Keeper(MessageHandler):
            def handle_message(self, message: Message) -> None:
                sink.mails.append(message)

        self._controller = _SmtpServer(Keeper())
        self._controller.start()

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        return self._controller.port

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
