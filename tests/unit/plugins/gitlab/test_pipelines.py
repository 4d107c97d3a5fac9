"""GitLab's projects as jobs. What all CI systems promise is in tests/conformance/test_ci.py."""

import asyncio
from pathlib import Path

from tests.fakes.ci_worlds import TOKEN, GitLabWorld, served
from tests.fakes.http_target import Answer

from gennaker.interfaces.ci import JobParameter
from gennaker.plugins.gitlab.pipelines import GitLab

PROJECT = "/api/v4/projects/acme%2Fapp"


def test_without_the_branch_only_the_branch_can_be_chosen_and_an_archived_project_isn_t_built(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with served(GitLabWorld()) as world:
        world.say(f"{PROJECT}/ci/lint", Answer(status=404, body={"message": "404 Not Found"}))
        world.say(PROJECT, Answer(body={"name_with_namespace": "Acme / App", "archived": True}))

        found = asyncio.run(GitLab("main", world.settings(str(tmp_path / "token"))).job(world.job))

    assert [(one.name, one.default) for one in found.parameters] == [("ref", "main")]
    assert not found.is_buildable


def test_variables_of_older_servers_are_symbols(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    merged = "---\n:variables:\n  :size:\n    :description: Of the machine\n    :value: small\n  :hidden: '1'\n"
    with served(GitLabWorld()) as world:
        world.say(f"{PROJECT}/ci/lint", Answer(body={"valid": True, "merged_yaml": merged}))

        found = asyncio.run(GitLab("main", world.settings(str(tmp_path / "token"))).job(world.job))

    assert found.parameters[1:] == (JobParameter(name="size", default="small", description="Of the machine"),)
