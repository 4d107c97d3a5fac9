"""Build info of triggers: asked for where a trigger names a build, over a Jenkins that follows the vendor's API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import make
from tests.fakes.ci_worlds import TOKEN, JenkinsWorld, served
from tests.fakes.http_target import Answer
from tests.harness import Harness, problem_of

from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.plugins.jenkins import plugin as jenkins
from gennaker.settings import Settings

BUILD = {"type": "jenkins", "master": "main", "job": "team/job/app", "buildNumber": 1}


@pytest.fixture
def world() -> Iterator[JenkinsWorld]:
    found = JenkinsWorld()
    with served(found):
        found.run({})
        found.finish("success", files={"out.json": b'{"version": "1.2.3"}', "app.jar": b"jar"})
        yield found


def run(world: JenkinsWorld, folder: Path, trigger: JsonObject, **settings: Any) -> Execution:
    (folder / "token").write_text(TOKEN)
    known = Settings(**{"ci": {"main": world.settings(str(folder / "token"))}, **settings})
    said: JsonObject = make.stage_json(
        "a", type="wait", waitTime=0, said="${trigger.properties.version} of ${trigger.buildInfo.scm[0].sha1}"
    )
    return Harness(flow.plugin, jenkins.plugin, settings=known).run(make.config(said), trigger)


def test_a_trigger_that_names_a_build_gets_to_know_it_and_its_properties(world: JenkinsWorld, tmp_path: Path) -> None:
    execution = run(world, tmp_path, {**BUILD, "propertyFile": "out.json"})

    trigger: Any = execution.head.trigger
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (trigger["buildInfo"]["number"], trigger["buildInfo"]["result"]) == (1, "SUCCESS")
    assert trigger["properties"] == {"version": "1.2.3"}
    assert next(execution.top_level()).context["said"] == "1.2.3 of abc123"
    assert trigger["artifacts"] == []


def test_a_manual_start_takes_over_the_build_s_artifacts(world: JenkinsWorld, tmp_path: Path) -> None:
    execution = run(world, tmp_path, {**BUILD, "type": "manual"})

    trigger: Any = execution.head.trigger
    assert [one["reference"] for one in trigger["artifacts"]] == ["target/out.json", "target/app.jar"]


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ({**BUILD, "buildNumber": 7}, "The build 7 of team/job/app in main"),
        ({**BUILD, "propertyFile": "other.json"}, "has archived no file 'other.json'"),
        ({**BUILD, "master": "other"}, "the settings name no such CI system"),
    ],
)
def test_what_cannot_be_read_ends_the_execution_with_the_reason(
    world: JenkinsWorld, tmp_path: Path, trigger: JsonObject, said: str
) -> None:
    execution = run(world, tmp_path, trigger)

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)


def test_a_system_that_is_restarting_is_asked_again(world: JenkinsWorld, tmp_path: Path) -> None:
    respond = world.target.respond
    first_is_down = iter([Answer(status=503)])
    world.target.respond = lambda asked: next(first_is_down, None) or respond(asked)

    assert run(world, tmp_path, BUILD).head.status is Status.SUCCEEDED
    assert len(world.target.asked) == 2


@pytest.mark.parametrize("trigger", [{**BUILD, "buildInfo": {"number": 1}}, {"type": "manual", "job": "x"}, BUILD])
def test_nobody_is_asked_for_what_is_known_or_cannot_be(
    world: JenkinsWorld, tmp_path: Path, trigger: JsonObject
) -> None:
    is_bare = trigger == BUILD

    execution = run(world, tmp_path, trigger, **({"ci": {}} if is_bare else {}))

    assert execution.head.status is Status.SUCCEEDED
    assert execution.head.trigger.get("buildInfo") == trigger.get("buildInfo")
    assert world.target.asked == []
