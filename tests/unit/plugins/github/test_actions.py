"""GitHub's workflows: which can be started, and whose are listed. What all CI systems promise is in tests/conformance/test_ci.py."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.ci_worlds import TOKEN, GitHubWorld, served
from tests.fakes.http_target import Answer

from gennaker.interfaces.ci import JobNames
from gennaker.plugins.github.actions import GitHubActions

FILE = "/repos/acme/app/contents/.github/workflows/build.yml"


@pytest.fixture
def world() -> Iterator[GitHubWorld]:
    with served(GitHubWorld()) as one:
        yield one


def system(world: GitHubWorld, folder: Path, token: str = TOKEN) -> GitHubActions:
    (folder / "token").write_text(token)
    return GitHubActions("main", world.settings(str(folder / "token")))


@pytest.mark.parametrize(
    ("file", "can_be_started"),
    [
        (b"on: workflow_dispatch", True),
        (b"on: [push, workflow_dispatch]", True),
        (b"on:\n  workflow_dispatch:\n", True),
        (b'"on": {push: {}, workflow_dispatch: {inputs: {}}}', True),
        (b"on: push", False),
        (b"on: {push: {branches: [main]}}", False),
        (b"on: [", False),
    ],
)
def test_a_workflow_is_buildable_if_it_can_be_started_by_hand(
    world: GitHubWorld, tmp_path: Path, file: bytes, can_be_started: bool
) -> None:
    world.say(FILE, Answer(body=file))

    found = asyncio.run(system(world, tmp_path).job(world.job))

    assert (found.is_buildable, [one.name for one in found.parameters]) == (can_be_started, ["ref"])


def test_one_that_isn_t_on_the_branch_is_not(world: GitHubWorld, tmp_path: Path) -> None:
    world.say(FILE, Answer(status=404))

    assert not asyncio.run(system(world, tmp_path).job(world.job)).is_buildable


def test_an_app_s_token_lists_what_its_installation_has(world: GitHubWorld, tmp_path: Path) -> None:
    world.say("/user/repos", Answer(status=403))
    world.say("/installation/repositories", Answer(body={"repositories": [{"full_name": "acme/app"}]}))

    found = asyncio.run(system(world, tmp_path, f"ghs_{TOKEN}").jobs())

    assert found == JobNames(names=(world.job,))


def test_more_repositories_than_a_hundred_cut_the_list(world: GitHubWorld, tmp_path: Path) -> None:
    more = {"Link": '<https://api.example.org/user/repos?page=2>; rel="next"'}
    world.say("/user/repos", Answer(body=[{"full_name": "acme/app"}], headers=more))

    assert asyncio.run(system(world, tmp_path).jobs()) == JobNames(names=(world.job,), is_cut=True)
