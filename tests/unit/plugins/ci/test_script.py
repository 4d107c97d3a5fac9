"""The script stage: Spinnaker's parameters for the job that runs scripts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests import building, make
from tests.fakes.ci_worlds import TOKEN, JenkinsWorld, served
from tests.fakes.virtual_time import RealTime
from tests.git_repositories import GitRepository
from tests.harness import Harness, problem_of, reached

from gennaker.engine import rules, why
from gennaker.engine.answers import Answer
from gennaker.interfaces.services import Services
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.ci import plugin as ci
from gennaker.plugins.jenkins import plugin as jenkins
from gennaker.settings import Settings

NAMES = (
    "SCRIPT_PATH",
    "COMMAND",
    "IMAGE_ID",
    "REGION_PARAM",
    "ENV_PARAM",
    "CLUSTER_PARAM",
    "CMC",
    "REPO_URL",
    "REPO_BRANCH",
)


def run(
    tmp_path: Path, *, job: str = "team/job/app", trigger: Any = None, **keys: Any
) -> tuple[Execution, JenkinsWorld]:
    (tmp_path / "token").write_text(TOKEN)
    world = JenkinsWorld()
    world.definitions = [{"name": name, "type": "StringParameterDefinition"} for name in NAMES]

    async def end(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "script", task="monitorScript")
        world.finish("success", files={"out.json": b'{"count": 3}'})

    with served(world):
        settings = Settings(
            ci={"main": world.settings(str(tmp_path / "token"))}, script_master="main" if job else "", script_job=job
        )
        harness = Harness(ci.plugin, jenkins.plugin, settings=settings, data=tmp_path)
        stage = make.stage_json("s", type="script", **keys)
        waits = str(keys.get("waitForCompletion", "")) != "false" and bool(job)
        return harness.run(make.config(stage), trigger, meanwhile=end if waits else None), world


def test_it_runs_the_script_job_with_what_the_stage_says(tmp_path: Path) -> None:
    execution, world = run(
        tmp_path,
        scriptPath="ops",
        command="clean.sh --all",
        account="prod",
        repoUrl="https://e.org/r.git",
        propertyFile="out.json",
    )

    stage = next(execution.top_level())
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [task.name for task in stage.tasks] == [
        "startScript",
        "waitForScriptStart",
        "monitorScript",
        "getBuildProperties",
    ]
    given = {key: value for key, value in world.runs[0].parameters.items() if value}
    assert given == {
        "SCRIPT_PATH": "ops",
        "COMMAND": "clean.sh --all",
        "ENV_PARAM": "prod",
        "REPO_URL": "https://e.org/r.git",
    }
    assert stage.outputs["count"] == 3


def test_a_strategy_s_run_fills_blanks_from_the_trigger(tmp_path: Path) -> None:
    parameters = {"strategy": True, "cluster": "shop-main", "region": "local", "account": "other"}

    _, world = run(tmp_path, trigger={"parameters": parameters}, command="x", account="prod", waitForCompletion="false")

    given = world.runs[0].parameters
    assert (given["CLUSTER_PARAM"], given["REGION_PARAM"], given["ENV_PARAM"]) == ("shop-main", "local", "prod")


def test_without_a_job_it_says_what_to_set(tmp_path: Path) -> None:
    execution, world = run(tmp_path, job="", command="x")

    assert execution.head.status is Status.TERMINAL
    assert "script-master" in problem_of(execution)
    assert world.runs == []


class Scripts:
    """A repository with a script, and an installation with the builder."""

    def __init__(self, folder: Path) -> None:
        self.repository = GitRepository(folder / "repository")
        script = (
            '#!/bin/sh\necho "cleaning $1 of $CLUSTER_PARAM on ${branch:-no} branch"\n'
            "echo '{\"cleaned\": 3}' > out.json\nexit ${2:-0}\n"
        )
        self.repository.commit("Begin", {"ops/clean.sh": script, "README": "-"})
        self._data = folder / "data"
        self.logs: list[str] = []

    def run(self, meanwhile: Any = None, **keys: Any) -> Execution:
        base = building.harness(self._data)
        # Between two looks at the builder ten seconds pass.
        time = RealTime(rate=20)
        harness = Harness(*base.plugins, ci.plugin, data=base.data, time=time, settings=base.settings)
        stage = make.stage_json("s", type="script", **{"scriptPath": "ops", "propertyFile": "out.json", **keys})
        self.rules = rules.from_stage_types([one for plugin in harness.plugins for one in plugin.stages])
        execution = harness.run(make.config(stage), meanwhile=meanwhile)
        kept = asyncio.run(harness.logs.list(execution.head.id))
        self.logs = [(base.data / one.path).read_text() for one in kept]
        return execution


@pytest.mark.slow
def test_where_no_job_is_set_the_builder_runs_the_command(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path)

    execution = scripts.run(
        command="sh clean.sh 'all ${branch}'",
        cluster="shop-main",
        repoUrl=str(scripts.repository.folder),
        repoBranch="main",
    )

    stage = next(execution.top_level())
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (stage.context["master"], stage.outputs["cleaned"]) == ("builder", 3)
    assert "cleaning all ${branch} of shop-main on no branch" in scripts.logs[0]


@pytest.mark.slow
def test_why_follows_a_script_into_the_build_that_runs_it(tmp_path: Path) -> None:
    scripts, go = Scripts(tmp_path), tmp_path / "go"
    found: list[Answer] = []

    async def ask(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "script", task="monitorScript")
        while not (found and found[0].about.startswith("build step")):
            facts = await services.executions.facts(execution_id)
            found[:] = why.explain(facts, scripts.rules).answers
            await asyncio.sleep(0.01)
        go.touch()

    execution = scripts.run(
        ask, command=f"while [ ! -e {go} ]; do sleep 0.05; done", repoUrl=str(scripts.repository.folder)
    )

    build_id = next(execution.top_level()).context["buildNumber"]
    (link,) = found[0].chain
    assert (found[0].execution_id, link.execution_id) == (build_id, execution.head.id)
    assert link.sentence == f"Stage s waits for build {build_id} of script in builder to end."


@pytest.mark.slow
def test_a_command_that_fails_fails_the_stage_and_what_it_has_left_is_taken(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path)

    execution = scripts.run(command="sh clean.sh some 7", repoUrl=str(scripts.repository.folder))

    stage = next(execution.top_level())
    assert execution.head.status is Status.TERMINAL
    assert "Job failed (see Gennaker)" in problem_of(execution)
    assert [one.outputs["cleaned"] for one in execution.children(stage.id)] == [3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"command": "true"}, "The script has no repository"),
        ({"repoUrl": "x"}, "The script has no command"),
        ({"command": "true", "master": "builder", "repoUrl": "/nowhere"}, "Job failed (see Gennaker)"),
    ],
)
def test_a_script_that_the_builder_cannot_run_says_why(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    assert said in problem_of(Scripts(tmp_path).run(**keys))
