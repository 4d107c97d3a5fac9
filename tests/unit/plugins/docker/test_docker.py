"""What the docker provider makes of an engine's words, and of a pipeline's."""

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.docker import engine, options, problems, runs
from gennaker.plugins.docker.images import EngineImage
from gennaker.plugins.docker.options import Options
from gennaker.settings import DockerSettings


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
