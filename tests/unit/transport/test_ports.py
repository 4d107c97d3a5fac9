"""Free ports, and listening on one."""

import resource
import socket
import subprocess
import sys
from pathlib import Path

import psutil
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


def test_two_processes_that_choose_before_anybody_listens_choose_different_ones(tmp_path: Path) -> None:
    key = str(tmp_path)
    chooses = "import sys; from gennaker.transport import ports; print(ports.free(sys.argv[1]), flush=True); input()"
    command = [sys.executable, "-c", chooses, key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        theirs = int(other.stdout.readline())

        ours = ports.free(key)
        other.stdin.write("\n")

    assert ours != theirs


def test_of_many_ports_only_the_newest_are_kept_from_others() -> None:
    before = psutil.Process().num_fds()

    for number in range(1_000):
        ports.free(f"key {number}")

    assert psutil.Process().num_fds() - before < 700


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


ANY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "limit"),
    [
        (256, 300, 300),
        (1_024, 9_000, 8_192),
        (1_024, ANY, 8_192),
        (9_000, 9_000, 9_000),
        (1_048_576, 1_048_576, 1_048_576),
        (ANY, ANY, ANY),
    ],
)
def test_as_many_files_may_be_open_as_are_needed_and_allowed(soft: int, hard: int, limit: int) -> None:
    assert ports.raised_limit(soft, hard) == limit


def test_no_more_files_are_reckoned_with_than_are_needed_however_many_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reckoned(soft: int, hard: int) -> int:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
        return ports.room_for_files()

    assert [reckoned(9_000, 9_000), reckoned(1_048_576, 1_048_576), reckoned(ANY, ANY)] == [8_192] * 3


def test_the_limit_of_open_files_is_raised() -> None:
    script = (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (100, 120)); from gennaker.transport import ports; "
        "print(ports.room_for_files(), r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600)

    assert done.stdout.split() == ["120", "120"]
