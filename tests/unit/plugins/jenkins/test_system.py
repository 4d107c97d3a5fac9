"""Jenkins' jobs as its own API has them. What all CI systems promise is in tests/conformance/test_ci.py."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.fakes.ci_worlds import TOKEN, JenkinsWorld, served
from tests.fakes.http_target import Answer

from gennaker.interfaces.ci import Job, JobNames, JobParameter
from gennaker.plugins.jenkins.system import Jenkins


def test_a_secret_s_default_is_left_out_and_neighbours_are_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with served(JenkinsWorld()) as world:
        secret = {"name": "key", "type": "PasswordParameterDefinition", "defaultParameterValue": {"value": "hidden"}}
        flag = {"name": "dry", "type": "BooleanParameterDefinition", "defaultParameterValue": {"value": True}}
        described = {
            "displayName": "App",
            "buildable": False,
            "concurrentBuild": True,
            "color": "disabled",
            "property": [{}, {"parameterDefinitions": [secret, flag]}],
            "upstreamProjects": [{"name": "libs"}],
            "downstreamProjects": [{"name": "deploy"}],
        }
        world.say("/job/app/api/json", Answer(body=described))

        found = asyncio.run(Jenkins("main", world.settings(str(tmp_path / "token"))).job("app"))

    assert found == Job(
        name="app",
        display_name="App",
        color="disabled",
        is_buildable=False,
        parameters=(
            JobParameter(name="key", type="PasswordParameterDefinition"),
            JobParameter(name="dry", default="true", type="BooleanParameterDefinition"),
        ),
        upstream=("libs",),
        downstream=("deploy",),
    )


def test_a_folder_can_t_be_built(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with served(JenkinsWorld()) as world:
        world.say("/job/team/api/json", Answer(body={"displayName": "team"}))

        found = asyncio.run(Jenkins("main", world.settings(str(tmp_path / "token"))).job("team"))

    assert not found.is_buildable


def job_of(levels: int) -> tuple[dict[str, Any], str]:
    """A folder with a job within so many folders, and the job's path."""
    names = [*(f"folder{level}" for level in range(levels)), "app"]
    found: dict[str, Any] = {"name": names[-1]}
    for name in reversed(names[:-1]):
        found = {"name": name, "jobs": [found]}
    return {"jobs": [found]}, "/job/".join(names)


def selected(value: dict[str, Any], fields: str) -> dict[str, Any]:
    """What Jenkins' `tree` leaves of an answer: `name`, and `jobs` with what is within brackets."""
    found = {"name": value["name"]} if "name" in value else {}
    if (at := fields.find("jobs[")) >= 0 and "jobs" in value:
        found["jobs"] = [selected(one, fields[at + len("jobs[") : fields.rindex("]")]) for one in value["jobs"]]
    return found


@pytest.mark.parametrize("levels", [0, 1, 8, 9, 10])
def test_jobs_are_found_eight_folders_deep_and_what_is_deeper_is_said_to_be_left_out(
    tmp_path: Path, levels: int
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    described, path = job_of(levels)
    with served(JenkinsWorld()) as world:
        system = Jenkins("main", world.settings(str(tmp_path / "token")))
        world.say("/api/json", Answer(body={}))
        asyncio.run(system.jobs())
        (tree,) = parse_qs(urlsplit(world.target.asked[-1].path).query)["tree"]
        world.say("/api/json", Answer(body=selected(described, tree)))

        found = asyncio.run(system.jobs())

    is_within = levels <= 8
    assert found == JobNames(names=(path,) if is_within else (), is_cut=not is_within)


def test_an_empty_folder_is_no_job_however_deep_it_is(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    deepest: dict[str, Any] = {"name": "folder", "jobs": []}
    for _ in range(8):
        deepest = {"name": "folder", "jobs": [deepest]}
    with served(JenkinsWorld()) as world:
        world.say("/api/json", Answer(body={"jobs": [deepest]}))

        found = asyncio.run(Jenkins("main", world.settings(str(tmp_path / "token"))).jobs())

    assert found == JobNames(names=())
