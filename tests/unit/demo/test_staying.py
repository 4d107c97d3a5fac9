"""What is left running with --keep: until Ctrl-C, or until the server is stopped; only a bad end of the server is one."""

import contextlib
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests import waiting

from gennaker.demo import staying
from gennaker.demo.server import DemoServer
from gennaker.demo.telling import Teller

pytestmark = pytest.mark.slow

WAITS_SECONDS = 600


class Said(io.StringIO):
    """What was said; knows when people have been told that everything is left running."""

    def __init__(self) -> None:
        super().__init__()
        self.is_left_running = threading.Event()

    def write(self, text: str) -> int:
        if "left running" in text:
            self.is_left_running.set()
        return super().write(text)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DemoServer]:
    made = DemoServer(tmp_path / "data", ("server.port=0", "registry.port=0"))
    yield made
    made.stop_everything()


def stays(server: DemoServer, then: Callable[[], object]) -> tuple[str, list[str]]:
    """What is said, and what has failed, when this happens once people know where the page is."""
    said = Said()
    teller = Teller(Console(file=said))

    def person() -> None:
        assert said.is_left_running.wait(WAITS_SECONDS)
        then()

    with contextlib.closing(server.start()) as client:
        thread = threading.Thread(target=person)
        thread.start()
        staying.until_ctrl_c(server, client, teller)
        waiting.joined(thread)
    return said.getvalue(), teller.failures


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Tests that run in the background are started with SIGINT ignored, and would wait for ever."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_is_a_good_end(server: DemoServer) -> None:
    said, failures = stays(server, lambda: os.kill(os.getpid(), signal.SIGINT))

    assert "/ui/sign-in?once=" in said
    assert f"gennaker link --data {server.data}" in " ".join(said.split())
    assert failures == []
    assert server.is_running(), "it is ended afterwards, with all that it has started"


def test_so_is_a_server_that_somebody_has_stopped(server: DemoServer) -> None:
    _, failures = stays(server, lambda: os.kill(server.pid, signal.SIGTERM))

    assert failures == []


def test_a_server_that_was_killed_fails_the_demo(server: DemoServer) -> None:
    _, failures = stays(server, lambda: os.kill(server.pid, signal.SIGKILL))

    assert failures == ["the server was stopped and has ended well (found: status -9)"]
