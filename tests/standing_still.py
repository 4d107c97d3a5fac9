"""A way to a server that can stand still: nothing is answered any more, and no connection is closed, as behind a dead network."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Way(NamedTuple):
    """Where it begins, and what makes it stand still."""

    port: int
    stand_still: threading.Event


@contextmanager
def way_to(port: int) -> Iterator[Way]:
    """Hands on what comes to a free port to this one, and back, until it is to stand still."""
    way = Way(port=0, stand_still=threading.Event())
    ends: list[socket.socket] = []

    def take() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return  # the way is closed
            far = socket.create_connection(("127.0.0.1", port))
            ends.extend((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_hand_on, args=(one, other, way.stand_still), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=take, daemon=True).start()
        try:
            yield way._replace(port=listening.getsockname()[1])
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for one in ends:
                one.close()


def _hand_on(one: socket.socket, other: socket.socket, stand_still: threading.Event) -> None:
    try:
        while data := one.recv(65_536):
            if stand_still.is_set():
                return
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one of the two has gone
