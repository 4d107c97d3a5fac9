"""Artifact accounts over servers that follow the vendors' file APIs: who is asked for what, and with which credentials."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.fakes.ci_worlds import TOKEN, JenkinsWorld, served
from tests.fakes.http_target import Answer, Asked, Target, running
from tests.harness import Harness

from gennaker.interfaces import artifacts
from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.artifacts import plugin as files
from gennaker.plugins.jenkins import plugin as jenkins
from gennaker.settings import ArtifactAccountSettings, Settings

CONTENT = b"kind: Deployment\n"


@pytest.fixture
def target() -> Iterator[Target]:
    with running(lambda _: Answer(body=CONTENT)) as one:
        yield one


@pytest.fixture
def other() -> Iterator[Target]:
    with running(lambda _: Answer(body=CONTENT)) as one:
        yield one


def fetch(artifact: JsonObject, *allowed: str, **accounts: ArtifactAccountSettings) -> bytes:
    settings = Settings(artifact_accounts=accounts, webhook_hosts=allowed)
    return content(Harness(files.plugin, jenkins.plugin, settings=settings), artifact)


def content(harness: Harness, artifact: JsonObject) -> bytes:
    found: list[bytes] = []

    async def work(services: Services) -> None:
        found.append(await artifacts.content(services.artifacts, artifact))

    try:
        harness.do(work)
    except* (ArtifactUnavailable, Refused) as group:
        raise group.exceptions[0] from group
    return found[0]


def account(folder: Path, kind: Any, address: str = "", **keys: Any) -> ArtifactAccountSettings:
    (folder / "token").write_text("t0ken\n")
    return ArtifactAccountSettings(type=kind, address=address, token_file=str(folder / "token"), **keys)


def test_content_that_an_artifact_carries_needs_no_account() -> None:
    encoded = base64.b64encode(CONTENT).decode()

    assert fetch({"type": "embedded/base64", "reference": encoded, "artifactAccount": "embedded-artifact"}) == CONTENT
    with pytest.raises(Refused, match="isn't base64"):
        fetch({"type": "remote/base64", "reference": "ref://shop/abc"})


def test_a_file_of_anybody_s_is_read_without_credentials(target: Target) -> None:
    artifact: JsonObject = {"type": "http/file", "reference": f"{target.url}/a.yml?x=1"}

    assert fetch(artifact, target.address) == CONTENT
    assert fetch({**artifact, "artifactAccount": "no-auth-http-account"}, target.address) == CONTENT
    assert target.paths() == ["GET /a.yml?x=1"] * 2
    with pytest.raises(Refused, match="inside this machine"):
        fetch(artifact)


@pytest.mark.parametrize(
    ("kind", "keys", "name", "value"),
    [
        ("http", {"username": "ada"}, "authorization", f"Basic {base64.b64encode(b'ada:t0ken').decode()}"),
        ("http", {}, "authorization", "Bearer t0ken"),
        ("bitbucket", {}, "authorization", "Bearer t0ken"),
        ("gitlab", {}, "private-token", "t0ken"),
        ("github", {"use_content_api": True}, "authorization", "token t0ken"),
    ],
)
def test_an_account_signs_in_as_its_vendor_wants_it_and_at_its_own_address_only(
    target: Target, other: Target, tmp_path: Path, kind: str, keys: dict[str, Any], name: str, value: str
) -> None:
    mine = account(tmp_path, kind, target.url, **keys)
    artifact: JsonObject = {"type": f"{kind}/file", "artifactAccount": "mine"}

    assert fetch({**artifact, "reference": f"{target.url}/f"}, mine=mine) == CONTENT
    assert fetch({**artifact, "reference": f"{other.url}/f"}, other.address, mine=mine) == CONTENT

    assert target.asked[0].headers[name] == value
    assert name not in other.asked[0].headers


def test_a_redirect_elsewhere_takes_no_credentials_along(target: Target, other: Target, tmp_path: Path) -> None:
    target.respond = lambda _: Answer(status=302, headers={"Location": f"{other.url}/blob"})
    artifact: JsonObject = {"type": "gitlab/file", "artifactAccount": "mine", "reference": f"{target.url}/f"}

    assert fetch(artifact, other.address, mine=account(tmp_path, "gitlab", target.url)) == CONTENT

    assert "private-token" in target.asked[0].headers
    assert "private-token" not in other.asked[0].headers


@pytest.mark.parametrize(("version", "ref"), [({}, "master"), ({"version": "release/1 & 2"}, "release%2F1%20%26%202")])
@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_version_is_the_branch_tag_or_commit(
    target: Target, kind: Any, version: JsonObject, ref: str, tmp_path: Path
) -> None:
    artifact: JsonObject = {
        "type": f"{kind}/file",
        "artifactAccount": "mine",
        "reference": f"{target.url}/f",
        **version,
    }

    fetch(artifact, mine=account(tmp_path, kind, target.url, use_content_api=True))

    assert target.paths() == [f"GET /f?ref={ref}"]


def test_github_s_contents_api_says_where_the_file_is(target: Target, other: Target, tmp_path: Path) -> None:
    def respond(asked: Asked) -> Answer:
        assert urlsplit(asked.path).path == "/repos/acme/app/contents/deploy.yml"
        return Answer(body={"type": "file", "name": "deploy.yml", "download_url": f"{other.url}/acme/app/x?token=AB"})

    target.respond = respond
    reference = f"{target.url}/repos/acme/app/contents/deploy.yml"
    artifact: JsonObject = {"type": "github/file", "artifactAccount": "mine", "reference": reference}
    mine = account(tmp_path, "github", target.url)

    assert fetch(artifact, other.address, mine=mine) == CONTENT
    assert other.paths() == ["GET /acme/app/x?token=AB"]
    assert "authorization" not in other.asked[0].headers

    target.respond = lambda _: Answer(body=[{"type": "file"}])
    with pytest.raises(Refused, match="is no file of GitHub's contents API"):
        fetch(artifact, mine=mine)


def test_an_archived_file_of_a_jenkins_is_read_by_job_build_and_path(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    world = JenkinsWorld()
    with served(world):
        world.run({})
        world.finish("success", files={"my app.jar": b"jar"})
        harness = Harness(jenkins.plugin, settings=Settings(ci={"main": world.settings(str(tmp_path / "token"))}))
        artifact: JsonObject = {
            "type": "jenkins/file",
            "artifactAccount": "main",
            "name": world.job,
            "version": "1",
            "reference": "target/my app.jar",
        }

        assert content(harness, artifact) == b"jar"
        for wrong, said in (
            ({"reference": "target/other.jar"}, "answered 404"),
            ({"reference": "../../api/json"}, "names nothing of main"),
            ({"name": "../team"}, "names nothing of main"),
        ):
            with pytest.raises(Refused, match=said):
                content(harness, {**artifact, **wrong})


@pytest.mark.parametrize(
    ("answer", "failure", "said"),
    [
        (Answer(status=404), Refused, "answered 404"),
        (Answer(status=401), Refused, "Look whether the account mine may read it"),
        (Answer(status=500), Refused, "answered 500"),
        (Answer(status=503), ArtifactUnavailable, "answered 503"),
        (Answer(status=429), ArtifactUnavailable, "answered 429"),
        (Answer(is_dropped=True), ArtifactUnavailable, "broke off"),
    ],
)
def test_what_may_pass_is_told_from_what_is_wrong(
    target: Target, tmp_path: Path, answer: Answer, failure: type[Exception], said: str
) -> None:
    target.respond = lambda _: answer
    artifact: JsonObject = {"type": "http/file", "artifactAccount": "mine", "reference": f"{target.url}/secret?key=1"}

    with pytest.raises(failure, match=said) as raised:
        fetch(artifact, mine=account(tmp_path, "http", target.url))
    if answer.status != 200:
        assert "key=1" not in str(raised.value)


@pytest.mark.parametrize(
    ("artifact", "said"),
    [
        ({"type": "s3/object", "artifactAccount": "mine"}, "Types that can be read here are"),
        ({"type": "http/file", "artifactAccount": "nobody"}, "Set its `artifactAccount` to mine or no-auth"),
        ({"type": "github/file", "artifactAccount": "mine"}, "names the account 'mine', by which it can't be read"),
        ({"type": "gitlab/file"}, "names no account"),
        ({}, "The artifact of type ''"),
    ],
)
def test_an_artifact_without_a_fitting_account_says_which_there_are(
    tmp_path: Path, artifact: JsonObject, said: str
) -> None:
    with pytest.raises(Refused) as raised:
        fetch(artifact, mine=account(tmp_path, "http"))
    assert said in str(raised.value)


def test_a_missing_token_file_is_said(target: Target) -> None:
    mine = ArtifactAccountSettings(type="http", address=target.url, token_file="/nonexistent/token")

    with pytest.raises(Refused, match=r"artifact-accounts.mine.token-file can't be read"):
        fetch({"type": "http/file", "artifactAccount": "mine", "reference": f"{target.url}/f"}, mine=mine)
