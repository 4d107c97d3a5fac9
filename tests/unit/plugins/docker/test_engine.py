"""What Docker itself says: answers taken down from 20.10.24 and 29 (moby 2.0.0-beta.24), ids shortened."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.model.problems import Refused
from gennaker.plugins.docker import problems
from gennaker.plugins.docker.containers import Containers
from gennaker.plugins.docker.engine import Engine
from gennaker.settings import DockerSettings

_NOT_RUNNING = "Cannot kill container: 69a0db4b: Container 69a0db4b is not running"
_IN_PROGRESS = "removal of container b46e0bc9 is already in progress"
_OF_A_START = (
    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
)
_OF_A_NETWORK = (
    "failed to set up container networking: driver failed programming external connectivity on endpoint p (1): "
)

Answering = Callable[[str], tuple[int, str]]
"""What it says to a method, a path and a body: the status and, if that is no success, the words."""


@asynccontextmanager
async def an_engine(folder: Path, answer: Answering) -> AsyncIterator[Engine]:
    """Says as little as one can."""

    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        length = re.search(r"content-length: ([0-9]+)", head, re.IGNORECASE)
        sent = await reader.readexactly(int(length[1])) if length else b""
        status, said = answer(" ".join((method, path.partition("?")[0], sent.decode())).strip())
        body = json.dumps({"message": said} if said else {}).encode()
        writer.write(b"HTTP/1.1 %d -\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
        writer.close()

    socket = folder / "engine.sock"
    async with await asyncio.start_unix_server(let_in, socket):
        yield Engine("prod", DockerSettings(address=f"unix://{socket}"))


class Versions:
    """An engine that speaks these versions of the API."""

    def __init__(self, oldest: str, newest: str) -> None:
        self.oldest, self.newest = oldest, newest
        self.asked: list[str] = []

    def __call__(self, asked: str) -> tuple[int, str]:
        self.asked.append(asked)
        version = asked.split("/")[1].removeprefix("v")
        if _number(version) < _number(self.oldest):
            said = f"client version {version} is too old. Minimum supported API version is {self.oldest}"
            return 400, f"{said}, please upgrade your client to a newer version"
        if _number(version) > _number(self.newest):
            return 400, f"client version {version} is too new. Maximum supported API version is {self.newest}"
        return 200, ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_an_engine_is_asked_in_a_version_that_it_speaks_also_after_it_was_replaced(tmp_path: Path) -> None:
    speaks = Versions("1.12", "1.41")

    async def story() -> None:
        async with an_engine(tmp_path, speaks) as engine:
            await engine.memory_bytes()
            speaks.oldest, speaks.newest = "1.44", "1.52"
            await engine.memory_bytes()
            await engine.pull("registry.example/shop:1")
            async with engine.lines("/events", about="Its events can't be followed", query={}, seconds=30.0) as lines:
                assert [line async for line in lines] == ["{}"]
            speaks.oldest, speaks.newest = "1.12", "1.43"
            await engine.memory_bytes()

    asyncio.run(story())

    assert speaks.asked == [
        "GET /v1.41/info",
        "GET /v1.41/info",
        "GET /v1.44/info",
        "POST /v1.44/images/create",
        "GET /v1.44/events",
        "GET /v1.44/info",
        "GET /v1.43/info",
    ]


def test_what_is_sent_is_sent_again_in_the_other_version(tmp_path: Path) -> None:
    speaks = Versions("1.44", "1.52")

    async def story() -> None:
        async with an_engine(tmp_path, speaks) as engine:
            path, about = "/containers/create", "It can't be made"
            assert await engine.ask("POST", path, about=about, body={"Image": "shop"}) is not None

    asyncio.run(story())

    assert speaks.asked == [
        'POST /v1.41/containers/create {"Image":"shop"}',
        'POST /v1.44/containers/create {"Image":"shop"}',
    ]


def test_an_engine_that_is_too_old_is_said_to_be_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with an_engine(tmp_path, Versions("1.12", "1.40")) as engine:
            with pytest.raises(Refused, match=r"Maximum supported API version is 1\.40") as refused:
                await engine.memory_bytes()
            assert [one.code for one in refused.value.problems] == ["docker.version"]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "docker.registry_unreachable",
            'Get "https://192.0.2.2:1/v2/": dial tcp 192.0.2.2:1: connect: connection refused',
        ),
        (
            "docker.registry_unreachable",
            'failed to resolve reference "192.0.2.2:1/web:1": failed to do request: dial tcp 192.0.2.2:1: connect: connection refused',
        ),
        ("image.unknown", "manifest for 127.0.0.1:5000/web:2 not found: manifest unknown: There is no image web:2."),
        ("image.unknown", 'failed to resolve reference "127.0.0.1:5000/web:2": 127.0.0.1:5000/web:2: not found'),
        ("docker.registry_denied", 'Get "http://127.0.0.1:5000/v2/web/manifests/2": no basic auth credentials'),
        (
            "docker.registry_denied",
            "unexpected status from HEAD request to http://127.0.0.1:5000/v2/web/manifests/2: 401 Unauthorized",
        ),
        (
            "docker.plain_registry",
            'Head "https://10.0.0.9:5000/v2/": tls: first record does not look like a TLS handshake',
        ),
        (
            "docker.no_space",
            "failed to register layer: Error processing tar file(exit status 1): write /lib/x.so: no space left on device",
        ),
        ("image.digest_mismatch", "filesystem layer verification failed for digest sha256:5573f3d9"),
        ("docker.network", "network moon not found"),
        ("docker.network", "failed to set up container networking: network moon not found"),
        ("docker.command", f'{_OF_A_START}exec: "/nothing": stat /nothing: no such file or directory: unknown'),
        ("docker.command", f'{_OF_A_START}exec: "/app/server.py": permission denied: unknown'),
        (
            "docker.command",
            f'{_OF_A_START}error during container init: exec: "/tmp": is a directory: unknown: permission denied',
        ),
        ("docker.port", f"{_OF_A_NETWORK}Bind for 127.0.0.1:34568 failed: port is already allocated"),
        ("docker.port", f"{_OF_A_NETWORK}failed to bind host port 127.0.0.1:44409/tcp: address already in use"),
        (
            "docker.instance_host",
            f"{_OF_A_NETWORK}Error starting userland proxy: listen tcp4 198.51.100.7:34567: bind: cannot assign requested address",
        ),
        ("docker.mount", 'invalid mount config for type "bind": bind source path does not exist: /srv/nothing'),
        ("docker.refused", "unable to find user nobodyknows: no matching entries in passwd file"),
    ],
)
def test_docker_s_words_become_a_sentence_that_says_what_to_do(code: str, said: str) -> None:
    (problem,) = problems.refused(said, account="prod", about="It can't be started").problems

    assert (problem.code, problem.message.count(said)) == (code, 1)


def test_a_container_that_somebody_else_removes_already_is_removed(tmp_path: Path) -> None:
    async def story() -> None:
        async with an_engine(tmp_path, lambda _: (409, _IN_PROGRESS)) as engine:
            await _containers(engine).remove("b46e0bc9")
        async with an_engine(tmp_path, lambda _: (409, "another conflict")) as engine:
            with pytest.raises(Refused, match="another conflict"):
                await _containers(engine).remove("b46e0bc9")

    asyncio.run(story())


def test_one_that_has_ended_gets_no_signal_and_no_failure_comes_of_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with an_engine(tmp_path, lambda _: (409, _NOT_RUNNING)) as engine:
            await _containers(engine).signal("69a0db4b", "SIGTERM")
        async with an_engine(tmp_path, lambda _: (400, "Invalid signal: SIGFOO")) as engine:
            with pytest.raises(Refused, match="Invalid signal"):
                await _containers(engine).signal("69a0db4b", "SIGFOO")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "Could not find the file /app/out in container 69a0db4b"),
        (500, "lstat /app/report.xml/out: not a directory"),
    ],
)
def test_a_report_that_is_nowhere_was_not_written(tmp_path: Path, status: int, said: str) -> None:
    async def story() -> None:
        async with an_engine(tmp_path, lambda _: (status, said)) as engine:
            taken = await _containers(engine).reports("69a0db4b", "junit", "/app/out")
            assert taken.problem == "was not written"

    asyncio.run(story())


def _containers(engine: Engine) -> Containers:
    return Containers(engine, DockerSettings(address="unix:///unused"), ResolvedSecrets(Masker()))
