"""Free ports."""

import socket

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
