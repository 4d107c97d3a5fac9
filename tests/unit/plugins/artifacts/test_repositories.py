"""Git repositories as archives: which commit and which files, and that an account reaches its own repositories only."""

import asyncio
import io
import tarfile
from pathlib import Path

import pytest
from tests.fakes.http_target import Answer, running
from tests.git_repositories import GitRepository

from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.model.problems import Refused
from gennaker.plugins.artifacts.repositories import RepositoryAccount
from gennaker.settings import ArtifactAccountSettings

pytestmark = pytest.mark.slow


def account(address: str, token: Path | None = None) -> RepositoryAccount:
    settings = ArtifactAccountSettings(type="git", address=address, username="ada", token_file=str(token or ""))
    return RepositoryAccount("git", settings)


def names(found: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(found), mode="r:gz") as archive:
        return [one.name for one in archive if one.isfile()]


def test_a_branch_a_tag_or_a_commit_whole_or_in_part(tmp_path: Path) -> None:
    made = GitRepository(tmp_path / "team" / "shop")
    first = made.commit("First", {"a.yaml": "1", "deploy/b.yaml": "1"})
    made.git("tag", "v1")
    made.commit("Second", {"c.yaml": "1"})
    of_team = account(f"{tmp_path}/team/")
    artifact = {"type": "git/repo", "reference": str(tmp_path / "team" / "shop"), "version": "main"}

    def fetch(**keys: str) -> list[str]:
        return names(asyncio.run(of_team.fetch({**artifact, **keys})))

    assert fetch() == ["a.yaml", "c.yaml", "deploy/b.yaml"]
    assert fetch(version="v1") == fetch(version=first) == ["a.yaml", "deploy/b.yaml"]
    assert fetch(location="deploy") == ["deploy/b.yaml"]
    for wrong in ({"version": "none"}, {"version": ""}, {"location": "none"}, {"location": "../.."}):
        with pytest.raises(Refused):
            fetch(**wrong)


@pytest.mark.parametrize(
    "reference",
    ["https://host/teams/shop", "https://host/team/../other/shop", "https://evil/team/shop", "/etc", "", "ext::sh"],
)
def test_other_repositories_are_refused_before_anything_is_asked(reference: str) -> None:
    with pytest.raises(Refused, match="its own begin with https://host/team"):
        asyncio.run(account("https://host/team").fetch({"type": "git/repo", "reference": reference}))


def test_credentials_are_sent_and_said_to_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    with running(lambda _: Answer(status=503)) as target:
        of_team = account(f"{target.url}/team/", tmp_path / "token")
        with pytest.raises(ArtifactUnavailable) as failed:
            asyncio.run(of_team.fetch({"type": "git/repo", "reference": f"{target.url}/team/shop"}))

    assert target.asked[0].headers["authorization"] == "Basic YWRhOnQwa2Vu"
    assert "t0ken" not in str(failed.value)
