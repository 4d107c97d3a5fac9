"""What the docker provider makes of an engine's words, and of a pipeline's."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.fakes.documents import MemoryStore

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.interfaces.clouds import Capacity, NewServerGroup, Place
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.docker import engine, options, problems, runs
from gennaker.plugins.docker.images import EngineImage
from gennaker.plugins.docker.options import Options
from gennaker.plugins.docker.provider import Account, Parts
from gennaker.settings import DockerSettings
from gennaker.worker.clock import SystemClock, SystemIds


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", "docker.no_space"),
        ('Get "https://127.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client', "docker.plain_registry"),
        ("Digest did not match, expected sha256:aa, got sha256:bb", "image.digest_mismatch"),
        (
            "pull access denied for shop, repository does not exist or may require 'docker login'",
            "docker.registry_denied",
        ),
        ("manifest for shop:9 not found: manifest unknown: manifest unknown", "image.unknown"),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", "docker.registry_unreachable"),
        ("unable to find network with name or ID moon: network not found", "docker.network"),
        ("network moon not found", "docker.network"),
        ("Bind for 127.0.0.1:8080 failed: port is already allocated", "docker.port"),
        ('exec: "/nothing": stat /nothing: no such file or directory', "docker.command"),
        ("something quite new", "docker.refused"),
    ],
)
def test_an_engines_words_become_a_sentence_that_says_what_to_do(said: str, code: str) -> None:
    (problem,) = problems.refused(said, account="prod", about="The image shop can't be pulled").problems

    assert problem.code == code
    assert problem.message.startswith("The image shop can't be pulled: ")
    assert said in problem.message
    assert problem.remedy


def test_frames_of_both_streams_become_one_text() -> None:
    framed = b"\x01\0\0\0\0\0\0\x03hi\n" + b"\x02\0\0\0\0\0\0\x04err\n"

    assert engine.output(framed) == "hi\nerr\n"
    assert engine.output(b"a terminal has no frames") == "a terminal has no frames"
    assert engine.output(b"") == ""


@pytest.mark.parametrize(("text", "size"), [("", 0), ("256m", 2**28), ("2G", 2**31), ("8388608", 2**23)])
def test_memory_is_written_as_on_dockers_command_line(text: str, size: int) -> None:
    assert options.memory_bytes(text) == size


def test_the_port_is_said_by_the_option_the_variables_or_the_image() -> None:
    one, many = EngineImage(reference="i", id="1", ports=(3000,)), EngineImage(reference="i", id="1", ports=(1, 2))
    told = EngineImage(reference="i", id="1", ports=(1, 2), environment={"PORT": "9000"})

    assert runs.port_of(one, Options(port=80), {"PORT": "81"}) == 80
    assert runs.port_of(one, Options(), {"PORT": "81"}) == 81
    assert runs.port_of(told, Options(), {}) == 9000
    assert runs.port_of(one, Options(), {}) == 3000
    assert runs.port_of(EngineImage(reference="i", id="1"), Options(), {}) == 8080
    with pytest.raises(Refused, match="several ports"):
        runs.port_of(many, Options(), {})


def test_only_jobs_may_run_in_the_machines_network_and_only_where_that_is_allowed() -> None:
    told: JsonObject = {"container": {"networks": ["host"]}}

    assert options.of_job(told, DockerSettings(host_network=True)).networks == ("host",)
    with pytest.raises(Refused, match="may not run in the machine's own network"):
        options.of_job(told, DockerSettings())
    with pytest.raises(Refused, match="Instances can't run in the machine's own network"):
        options.of_server_group(told, DockerSettings(host_network=True))


@pytest.mark.parametrize("network", ["container:0123abcd", "ns:/proc/1/ns/net", "", "a b", "host\n"])
def test_what_is_no_networks_name_is_refused(network: str) -> None:
    with pytest.raises(Refused, match="is no network's name"):
        options.of_job({"container": {"networks": [network]}}, DockerSettings(host_network=True))


def test_the_machines_network_is_named_alone() -> None:
    with pytest.raises(Refused, match="is in no other"):
        options.of_job({"container": {"networks": ["backend", "host"]}}, DockerSettings(host_network=True))


@pytest.mark.parametrize("container", [{"command": ["test"]}, {"port": 80}], ids=["command", "port"])
def test_what_only_instances_have_is_refused_of_jobs(container: JsonObject) -> None:
    with pytest.raises(Refused, match="Jobs have no"):
        options.of_job({"container": container}, DockerSettings())


@contextlib.asynccontextmanager
async def an_engine_that(folder: Path, answers: bytes) -> AsyncIterator[DockerSettings]:
    """Says this to everything, and is silent then."""

    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers)
        await reader.read()
        writer.close()

    socket = folder / "engine.sock"
    async with await asyncio.start_unix_server(let_in, socket):
        yield DockerSettings(address=f"unix://{socket}", pull_timeout_seconds=0.05, request_timeout_seconds=0.05)


def test_a_pull_that_has_had_its_time_is_not_begun_anew_and_a_silent_engine_is_waited_for(tmp_path: Path) -> None:
    async def story() -> tuple[Refused, Refused]:
        async with an_engine_that(tmp_path, b"") as settings:
            asked = engine.Engine("prod", settings)
            with pytest.raises(problems.EngineUnreachable, match=r"no answer within 0\.05 s") as pulled:
                await asked.pull("registry.example/shop:1")
            with pytest.raises(problems.EngineUnreachable) as looked:
                await asked.memory_bytes()
            return pulled.value, looked.value

    pulled, looked = asyncio.run(story())

    assert pulled.status == 504
    assert "pull-timeout-seconds" in pulled.problems[0].remedy
    assert looked.is_unavailable


@pytest.mark.parametrize(
    "said",
    [
        "container 47f0 does not exist in database: no such container",
        "no such container",
        "container 47f0 has already been removed",
    ],
)
def test_a_container_that_goes_while_an_engine_looks_at_it_is_not_there(tmp_path: Path, said: str) -> None:
    async def story() -> None:
        async with an_engine_that(tmp_path, _a_failure(said)) as settings:
            asked = engine.Engine("prod", replace(settings, request_timeout_seconds=30.0))
            assert await asked.ask("GET", "/containers/47f0/json", about="It can't be looked at") is None
            assert await asked.ask("DELETE", "/containers/47f0", about="It can't be removed") is None
            with pytest.raises(Refused, match=r"It can't be started: the engine of the account prod refuses it"):
                await asked.ask("POST", "/containers/47f0/start", about="It can't be started")

    asyncio.run(story())


def test_an_engine_that_fails_to_look_tells_nothing_about_what_runs(tmp_path: Path) -> None:
    async def story() -> None:
        async with an_engine_that(tmp_path, _a_failure("database is locked")) as settings:
            asked = engine.Engine("prod", replace(settings, request_timeout_seconds=30.0))
            for path in ("/containers/47f0/json", "/containers/json", "/info", "/containers/47f0/logs"):
                with pytest.raises(
                    problems.EngineUnreachable, match=r"engine .* prod fails: database is locked"
                ) as one:
                    await asked.ask("GET", path, about="It can't be looked at")
                assert one.value.is_unavailable
            with pytest.raises(Refused, match=r"refuses it: database is locked") as other:
                await asked.ask("POST", "/containers/47f0/kill", about="It can't be stopped")
            assert other.value.status == 422

    asyncio.run(story())


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_a_proxy_says_in_an_engines_place_is_no_refusal(tmp_path: Path, status: int) -> None:
    async def story() -> None:
        async with an_engine_that(tmp_path, _a_failure("try again", status)) as settings:
            patient = replace(settings, request_timeout_seconds=30.0, pull_timeout_seconds=30.0)
            asked = engine.Engine("prod", patient)
            for path in ("/containers/47f0/start", "/containers/create", "/containers/47f0/kill"):
                with pytest.raises(problems.EngineUnreachable, match=r"It can't be done: .* fails: try again"):
                    await asked.ask("POST", path, about="It can't be done")
            with pytest.raises(problems.EngineUnreachable, match="fails: try again"):
                await asked.pull("shop")
            with pytest.raises(problems.EngineUnreachable, match="fails: try again"):
                async with asked.lines("/events", about="It can't be heard", query={}, seconds=30.0):
                    pass

    asyncio.run(story())


def test_what_an_engine_can_not_do_is_a_refusal(tmp_path: Path) -> None:
    async def story() -> None:
        async with an_engine_that(tmp_path, _a_failure("this driver has no logs", 501)) as settings:
            asked = engine.Engine("prod", replace(settings, request_timeout_seconds=30.0))
            with pytest.raises(Refused, match="refuses it: this driver has no logs") as one:
                await asked.ask("GET", "/containers/47f0/logs", about="Its log can't be read")
            assert not one.value.is_unavailable

    asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "answers with something else than JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "broke off its answer"),
    ],
)
def test_an_answer_that_can_not_be_read_tells_nothing_about_what_runs(tmp_path: Path, answer: bytes, said: str) -> None:
    async def story() -> None:
        async with an_engine_that(tmp_path, answer) as settings:
            asked = engine.Engine("prod", replace(settings, request_timeout_seconds=30.0))
            with pytest.raises(problems.EngineUnreachable, match=said):
                await asked.ask("GET", "/containers/json", about="They can't be listed")

    asyncio.run(story())


def _a_failure(said: str, status: int = 500) -> bytes:
    body = json.dumps({"cause": said, "message": said, "response": status})
    return f"HTTP/1.1 {status} Something\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_an_engine_that_does_not_say_how_much_memory_it_has_refuses_nothing(tmp_path: Path) -> None:
    new = NewServerGroup(
        key="k",
        name="shop-prod-v000",
        application="shop",
        place=Place(account="prod", region="local"),
        image="shop",
        capacity=Capacity(min=1, desired=1, max=1),
    )

    async def story() -> None:
        said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        async with an_engine_that(tmp_path, said) as settings:
            parts = Parts(
                data=tmp_path,
                documents=MemoryStore(),
                registries={},
                secrets=ResolvedSecrets(Masker()),
                clock=SystemClock(),
                ids=SystemIds(),
            )
            await Account("prod", replace(settings, request_timeout_seconds=30.0), parts).check_memory(
                new, Options(memory="1g")
            )

    asyncio.run(story())
