"""Free ports, and listening on one."""

import socket

import pytest

from gennaker.model.problems import Refused
from gennaker.transport import ports


def test_a_free_port_can_be_bound_and_is_the_same_for_the_same_key() -> None:
    port = ports.free("a key")

    assert port == ports.free("a key")
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))


def test_ports_that_are_taken_or_in_use_are_passed_over() -> None:
    first = ports.free("another key")
    second = ports.free("another key", {first})
    with socket.socket() as server:
        server.bind(("127.0.0.1", first))
        server.listen()

        assert not ports.is_free("127.0.0.1", first)
        assert ports.free("another key") != first
        assert ports.free("another key", {second}) not in {first, second}


def test_of_two_that_want_a_port_the_later_is_refused_at_once() -> None:
    with ports.listening("127.0.0.1", 0, "server.port") as first:
        port = first.getsockname()[1]

        with pytest.raises(Refused, match=rf"can't listen on 127\.0\.0\.1:{port}: .*set registry\.port"):
            ports.listening("127.0.0.1", port, "registry.port")

    ports.listening("127.0.0.1", port, "registry.port").close()


def test_the_parts_of_an_answer_do_not_wait_for_one_another() -> None:
    with ports.listening("127.0.0.1", 0, "server.port") as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
