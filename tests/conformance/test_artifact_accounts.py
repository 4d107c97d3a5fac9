"""One suite for every kind of artifact account: what those rely on who read what an artifact refers to."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.conformance import subjects
from tests.fakes.ci_worlds import TOKEN, JenkinsWorld, served
from tests.fakes.http_target import Answer, Asked, Target, running

from gennaker.interfaces import artifacts
from gennaker.interfaces.artifacts import ArtifactAccount, ArtifactUnavailable
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.artifacts.accounts import FileAccount
from gennaker.plugins.jenkins.files import JenkinsFiles
from gennaker.plugins.jenkins.system import Jenkins
from gennaker.settings import ArtifactAccountSettings

SUBJECTS: dict[str, type[ArtifactAccount]] = {
    "http": FileAccount,
    "github": FileAccount,
    "gitlab": FileAccount,
    "bitbucket": FileAccount,
    "jenkins": JenkinsFiles,
}
CONTENT = bytes(range(256)) * 40


class Bench:
    """Accounts named `mine` of one server, and an artifact whose content it has."""

    def __init__(self, target: Target, made: Callable[[], ArtifactAccount], artifact: JsonObject) -> None:
        self.target = target
        self.made = made
        self.artifact: JsonObject = {"artifactAccount": "mine", **artifact}

    def fetch(self, **changed: str) -> bytes:
        return asyncio.run(self.made().fetch({**self.artifact, **changed}))

    def answers(self, answer: Answer) -> None:
        """To everything from now on."""
        self.target.respond = lambda _: answer


@contextmanager
def files(kind: Any, token: Path) -> Iterator[Bench]:
    def respond(asked: Asked) -> Answer:
        return Answer(body=CONTENT) if urlsplit(asked.path).path == "/a/deploy.yml" else Answer(status=404)

    with running(respond) as target:
        settings = ArtifactAccountSettings(
            type=kind, address=target.url, token_file=str(token), use_content_api=kind == "github"
        )
        artifact: JsonObject = {"type": f"{kind}/file", "reference": f"{target.url}/a/deploy.yml", "version": "main"}
        yield Bench(target, lambda: FileAccount("mine", settings), artifact)


@contextmanager
def jenkins(token: Path) -> Iterator[Bench]:
    world = JenkinsWorld()
    with served(world):
        world.run({})
        world.finish("success", files={"deploy.yml": CONTENT})
        settings = world.settings(str(token))
        artifact: JsonObject = {
            "type": "jenkins/file",
            "name": world.job,
            "version": "1",
            "reference": "target/deploy.yml",
        }
        yield Bench(world.target, lambda: JenkinsFiles(Jenkins("mine", settings)), artifact)


@pytest.fixture(params=subjects.params(SUBJECTS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with jenkins(token) if request.param == "jenkins" else files(request.param, token) as made:
        assert type(made.made()) is SUBJECTS[request.param]
        yield made


def test_it_has_its_name_and_the_types_that_it_reads(bench: Bench) -> None:
    account = bench.made()

    assert account.name == "mine"
    assert bench.artifact["type"] in account.types


def test_content_is_read_byte_for_byte_as_often_as_it_is_asked_for(bench: Bench) -> None:
    assert bench.fetch() == CONTENT
    assert bench.fetch() == CONTENT


def test_an_artifact_finds_its_account_by_name(bench: Bench) -> None:
    found = asyncio.run(artifacts.content({"mine": bench.made()}, bench.artifact))

    assert found == CONTENT


def test_what_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused) as refused:
        bench.fetch(reference=f"{bench.artifact['reference']}.gone")

    assert refused.value.problems[0].code.startswith("artifact.")


@pytest.mark.parametrize("status", [401, 403])
def test_what_it_may_not_read_is_refused(bench: Bench, status: int) -> None:
    bench.answers(Answer(status=status))

    with pytest.raises(Refused):
        bench.fetch()


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(status=429), Answer(is_dropped=True)])
def test_a_server_that_does_not_answer_now_may_answer_later(bench: Bench, answer: Answer) -> None:
    answering = bench.target.respond
    bench.answers(answer)

    with pytest.raises(ArtifactUnavailable):
        bench.fetch()

    bench.target.respond = answering
    assert bench.fetch() == CONTENT


def test_an_artifact_without_a_reference_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused):
        bench.fetch(reference="")
