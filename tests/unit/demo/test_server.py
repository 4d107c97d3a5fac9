"""The demo's server: several at the same time, and what keeps one from starting is said at once."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from gennaker.demo.server import DemoServer
from gennaker.model.problems import Refused
from gennaker.transport import tls
from gennaker.transport.client import server as announced

pytestmark = pytest.mark.slow

ANY_PORTS = ("server.port=0", "registry.port=0")
NOTICED_WITHIN_SECONDS = 100
"""A server that isn't ready is waited for longer than this."""
Make = Callable[..., DemoServer]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with contextlib.ExitStack() as stack:

        def made(name: str, *flags: str) -> DemoServer:
            server = DemoServer(tmp_path / name, flags)
            stack.callback(server.stop_everything)
            return server

        yield made


def test_two_at_the_same_time_have_addresses_of_their_own(make: Make) -> None:
    with (
        contextlib.closing(make("one", *ANY_PORTS).start()) as one,
        contextlib.closing(make("two", *ANY_PORTS).start()) as two,
    ):
        assert one.address != two.address
        for client in (one, two):
            assert client.get("/api/v1/executions", application="any", limit="1") is not None


def test_any_address_of_loopback_will_do(make: Make) -> None:
    server = make("data", "server.host=127.0.0.2", *ANY_PORTS)
    with contextlib.closing(server.start()) as client:
        assert client.address.startswith("http://127.0.0.2:")
        assert client.get("/api/v1/executions", application="any", limit="1") is not None
        with httpx2.Client(trust_env=False, verify=tls.trusted(), timeout=600) as http:
            assert http.get(f"http://{announced(server.data).registry}/v2/").status_code == 200


def test_a_port_in_use_ends_the_server_with_a_sentence(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = make("data", f"server.port={port}", "registry.port=0")
        began = time.monotonic()

        with pytest.raises(Refused) as caught:
            server.start()

    assert time.monotonic() - began < NOTICED_WITHIN_SECONDS
    said = str(caught.value)
    assert "ended with status 1 before it was ready" in said
    assert f"can't listen on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


def test_the_announcement_of_a_killed_server_is_not_taken_for_this_one_s(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = make("data", f"server.port={other.getsockname()[1]}", "registry.port=0")
        server.data.mkdir()
        (server.data / "token").write_text("a token")
        (server.data / "server.json").write_text('{"pid": 1, "api": "http://127.0.0.1:1", "registry": "127.0.0.1:2"}')

        with pytest.raises(Refused, match="ended with status 1"):
            server.start()


def test_what_can_not_be_ended_is_said(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("no folder")

    with pytest.raises(Refused, match=f"Something is left running: .*{file}.*gennaker stop --all --data {file}"):
        DemoServer(file).stop_everything()


def test_what_ends_it_is_given_its_settings(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("server.port = 'none'\n")
    server = DemoServer(tmp_path, ("registry.port=none",), config=config)

    with pytest.raises(Refused) as caught:
        server.stop_everything()

    assert "The setting server.port is 'none'" in str(caught.value)
    assert "The setting registry.port is 'none'" in str(caught.value)
    again = f"gennaker stop --all --data {tmp_path} --set registry.port=none --config {config}"
    assert caught.value.problems[0].remedy == f"Try again with `{again}`."
    assert server.command("audit", "verify")[3:5] == ["audit", "verify"]
    assert server.command("audit", "verify")[5:] == server.command("stop", "--all")[5:]
