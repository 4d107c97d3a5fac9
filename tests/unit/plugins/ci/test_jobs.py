"""Job stages over a Jenkins and a GitHub: tasks, outputs, failures, crashes, cancelling."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests import make
from tests.fakes.ci_worlds import TOKEN, AzureWorld, GitHubWorld, GitLabWorld, JenkinsWorld, World, served
from tests.fakes.http_target import Answer
from tests.harness import TESTER, Harness, ended, problem_of, reached

from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.event import CancelAsked, RestartAsked
from gennaker.model.execution import Execution, Stage
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForObject
from gennaker.plugins.azure_devops import plugin as azure_devops
from gennaker.plugins.ci import plugin as ci
from gennaker.plugins.github import plugin as github
from gennaker.plugins.gitlab import plugin as gitlab
from gennaker.plugins.jenkins import plugin as jenkins
from gennaker.settings import Settings

PROPERTIES = b"version=1.2.3\nnote=all\\u0020well\n"


class Place:
    """An installation with one CI system."""

    def __init__(self, world: World, data: Path, stage_type: str) -> None:
        (data / "token").write_text(TOKEN)
        self.world = world
        self.settings = world.settings(str(data / "token"))
        self.stage_type = stage_type
        self.data = data
        self.logs: dict[str, str] = {}
        """What was kept of the builds' logs, by name."""

    def run(self, *, kill_at: tuple[str, ...] = (), meanwhile: Any = None, **keys: Any) -> Execution:
        installed = Settings(ci={"main": self.settings})
        plugins = (ci.plugin, jenkins.plugin, github.plugin, gitlab.plugin, azure_devops.plugin)
        harness = Harness(*plugins, settings=installed, data=self.data)
        stage = make.stage_json("b", type=self.stage_type, **{"master": "main", "job": self.world.job, **keys})
        execution = harness.run(
            make.config(stage), kill_at=kill_at, meanwhile=meanwhile, afterwards=timedelta(seconds=1)
        )
        kept = asyncio.run(harness.logs.list(execution.head.id))
        self.logs = {one.name: (self.data / one.path).read_text() for one in kept}
        return execution

    def ended_by(self, result: str, *, number: bool = True, files: dict[str, bytes] | None = None) -> Any:
        """Ends the build once it is watched."""

        async def end(services: Services, execution_id: str) -> None:
            if not number:
                await reached(services, execution_id, self.stage_type, task="waitForJenkinsJobStart")
                self.world.give_number()
            await reached(services, execution_id, self.stage_type, task="monitorJenkinsJob")
            self.world.finish(result, files=files)

        return end


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with served(JenkinsWorld()) as world:
        yield Place(world, tmp_path, "jenkins")


def stage_of(execution: Execution) -> Stage:
    return next(execution.top_level())


def test_a_job_is_started_followed_and_its_properties_become_outputs(place: Place) -> None:
    place.world.wants_number_at_once = False
    files = {"build.properties": PROPERTIES, "app.jar": b"jar"}

    execution = place.run(
        meanwhile=place.ended_by("success", number=False, files=files),
        parameters={"branch": "${'re' + 'lease'}", "size": "small"},
        propertyFile="build.properties",
        expectedArtifacts=[{"id": "jar", "matchArtifact": {"type": "jenkins/file", "reference": ".*jar"}}],
    )

    stage = stage_of(execution)
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.world.runs[0].parameters["branch"] == "release"
    assert [task.name for task in stage.tasks] == [
        "startJenkinsJob",
        "waitForJenkinsJobStart",
        "monitorJenkinsJob",
        "getBuildProperties",
        "getBuildArtifacts",
        "bindProducedArtifacts",
    ]
    outputs: Any = stage.outputs
    assert (outputs["queuedBuild"], outputs["buildNumber"], outputs["buildInfo"]["result"]) == (101, 1, "SUCCESS")
    assert (outputs["version"], outputs["note"]) == ("1.2.3", "all well")
    assert outputs["propertyFileContents"] == {"version": "1.2.3", "note": "all well"}
    assert stage.context["version"] == "1.2.3"
    assert [one["reference"] for one in outputs["artifacts"]] == ["target/app.jar"]


def test_packages_of_a_build_are_artifacts_by_their_names(place: Place) -> None:
    files = {"shop_1.2.3_amd64.deb": b"deb", "notes.txt": b"text"}
    expected = [{"id": "package", "matchArtifact": {"type": "deb", "name": "shop"}}]

    execution = place.run(meanwhile=place.ended_by("success", files=files), expectedArtifacts=expected)

    outputs: Any = stage_of(execution).outputs
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    [bound] = outputs["resolvedExpectedArtifacts"]
    assert (bound["boundArtifact"]["name"], bound["boundArtifact"]["version"]) == ("shop", "1.2.3")
    assert [(one["type"], one["name"]) for one in outputs["buildInfo"]["artifacts"]] == [
        ("deb", "shop"),
        ("jenkins/file", place.world.job),
    ]


@pytest.mark.parametrize(
    ("result", "keys", "status", "said"),
    [
        ("failure", {}, Status.TERMINAL, ["Job failed (see Jenkins)"]),
        ("aborted", {}, Status.CANCELED, ["Job was aborted (see Jenkins)"]),
        ("unstable", {}, Status.TERMINAL, ["Job is unstable"]),
        ("unstable", {"markUnstableAsSuccessful": "true"}, Status.SUCCEEDED, []),
    ],
)
def test_the_build_s_result_decides_and_is_told_in_orcas_words(
    place: Place, result: str, keys: dict[str, Any], status: Status, said: list[str]
) -> None:
    execution = place.run(meanwhile=place.ended_by(result), **keys)

    assert execution.head.status is status
    context: Any = stage_of(execution).context
    assert context["buildInfo"]["result"] == result.upper()
    assert context.get("exception", {"details": {"errors": []}})["details"]["errors"] == said
    if said:
        assert f"build 1 of {place.world.job} in main" in context["problems"][0]["remedy"]


def test_what_waits_for_a_build_names_its_number_and_where_to_look_at_it(place: Place) -> None:
    seen: list[ForObject] = []

    async def look(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "jenkins", task="monitorJenkinsJob")
        while not seen:
            found = await services.executions.get(execution_id)
            assert found is not None
            waits = [task.waiting_for for task in stage_of(found).tasks]
            seen.extend(one for one in waits if isinstance(one, ForObject) and one.url)
            await asyncio.sleep(0.01)
        place.world.finish("failure")

    execution = place.run(meanwhile=look)

    [problem] = foreign.mappings(stage_of(execution).context["problems"])
    assert (seen[0].name, seen[0].place, seen[0].observed) == (f"1 of {place.world.job}", "main", "BUILDING")
    assert seen[0].url.endswith(f"/job/{place.world.job}/1/")
    assert foreign.mapping(problem["details"])["url"] == seen[0].url


def test_a_failed_build_s_properties_are_looked_at_all_the_same(place: Place) -> None:
    execution = place.run(
        meanwhile=place.ended_by("failure", files={"build.properties": PROPERTIES}), propertyFile="build.properties"
    )

    children = list(execution.children(stage_of(execution).id))
    assert [(one.type, one.status) for one in children] == [("getProperties", Status.SUCCEEDED)]
    assert children[0].outputs["version"] == "1.2.3"


@pytest.mark.parametrize("files", [{}, {"build.properties": b""}, {"build.json": b"{}"}])
def test_properties_that_are_missing_or_empty_fail_the_stage(place: Place, files: dict[str, bytes]) -> None:
    file = next(iter(files), "build.properties")

    execution = place.run(meanwhile=place.ended_by("success", files=files), propertyFile=file)

    assert execution.head.status is Status.TERMINAL
    assert f"Expected properties file {file}" in problem_of(execution)


def test_without_waiting_it_ends_with_the_number(place: Place) -> None:
    execution = place.run(waitForCompletion="false")

    assert execution.head.status is Status.SUCCEEDED
    assert stage_of(execution).outputs["buildNumber"] == 1
    assert place.world.runs[0].result == ""


def test_a_start_that_was_cut_off_starts_nothing_twice(place: Place) -> None:
    after = "effect.after:RunTask:jenkins.startJenkinsJob"

    execution = place.run(kill_at=(after,), waitForCompletion=False)

    assert execution.head.status is Status.SUCCEEDED
    assert len(place.world.runs) == 1


def test_a_start_that_never_arrived_is_made_after_a_look(place: Place) -> None:
    execution = place.run(kill_at=("effect.before:RunTask:jenkins.startJenkinsJob",), waitForCompletion=False)

    assert execution.head.status is Status.SUCCEEDED
    assert len(place.world.runs) == 1


def test_a_lost_answer_starts_nothing_twice(place: Place) -> None:
    place.world.loses_next_start = True

    execution = place.run(waitForCompletion=False)

    assert execution.head.status is Status.SUCCEEDED
    assert len(place.world.runs) == 1


def test_where_nobody_can_tell_a_person_decides(place: Place) -> None:
    place.settings = replace(place.settings, key_parameter="")
    place.world.loses_next_start = True

    execution = place.run()

    assert execution.head.status is Status.TERMINAL
    assert "unknown" in problem_of(execution)
    assert len(place.world.runs) == 1


@pytest.mark.parametrize("is_queued", [True, False])
def test_cancelling_stops_the_build_or_takes_it_out_of_the_queue(place: Place, is_queued: bool) -> None:
    place.world.wants_number_at_once = not is_queued
    task = "waitForJenkinsJobStart" if is_queued else "monitorJenkinsJob"

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "jenkins", task=task)
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    execution = place.run(meanwhile=cancel)

    assert execution.head.status is Status.CANCELED
    assert place.world.runs[0].result == ("cancelled-in-queue" if is_queued else "aborted")


def test_a_restart_builds_anew_and_remembers_the_build_before(place: Place) -> None:
    async def twice(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "jenkins", task="monitorJenkinsJob")
        place.world.finish("failure")
        failed = await ended(services, execution_id)
        again = RestartAsked(at=services.clock.now(), stage_id=stage_of(failed).id, by="ada")
        await services.executions.tell(execution_id, again, TESTER)
        await reached(services, execution_id, "jenkins", task="monitorJenkinsJob")
        place.world.finish("success")

    execution = place.run(meanwhile=twice)

    context: Any = stage_of(execution).context
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (context["buildNumber"], context["buildInfo"]["result"]) == (2, "SUCCESS")
    assert context["restartDetails"]["previousBuildInfo"]["result"] == "FAILURE"
    assert [run.result for run in place.world.runs] == ["failure", "success"]


def test_the_log_grows_with_the_build_and_is_kept(place: Place) -> None:
    seen: list[str] = []

    async def build(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "jenkins", task="monitorJenkinsJob")
        for line in ("fetched\n", "compiled\n"):
            place.world.runs[0].log += line
            await services.clock.sleep_until(services.clock.now() + timedelta(seconds=21))
            [log] = await services.logs.list(execution_id)
            seen.append((services.data / log.path).read_text())
        place.world.finish("failure", log=f"{place.world.runs[0].log}2 tests failed\n")

    place.run(meanwhile=build)

    assert seen == ["fetched\n", "fetched\ncompiled\n"]
    assert place.logs == {"main: team/job/app 1": "fetched\ncompiled\n2 tests failed\n"}


def test_a_long_log_is_read_again_at_the_end_only(place: Place) -> None:
    long = "x" * 300_000

    async def build(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "jenkins", task="monitorJenkinsJob")
        place.world.runs[0].log = long
        await services.clock.sleep_until(services.clock.now() + timedelta(minutes=5))
        place.world.finish("success", log=f"{long}\nDone.\n")

    place.run(meanwhile=build)

    polls, reads = (
        sum(one.path.startswith(f"/job/{place.world.job}/1/{what}") for one in place.world.target.asked)
        for what in ("api/json", "consoleText")
    )
    assert polls > 20
    assert reads <= 3  # perhaps a first one before it was long
    assert place.logs == {"main: team/job/app 1": f"{long}\nDone.\n"}


def test_a_log_that_cannot_be_read_fails_nothing_and_says_so(place: Place) -> None:
    respond = place.world.target.respond
    place.world.target.respond = lambda asked: (
        Answer(status=403, body=b"no logs for you") if asked.path.endswith("/consoleText") else respond(asked)
    )

    execution = place.run(meanwhile=place.ended_by("success"))

    assert execution.head.status is Status.SUCCEEDED
    [said] = place.logs.values()
    assert said.startswith("The log of build 1 of team/job/app can't be read: main answered 403")


def test_a_build_that_was_taken_out_of_the_queue_fails(place: Place) -> None:
    place.world.wants_number_at_once = False

    async def remove(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "jenkins", task="waitForJenkinsJobStart")
        place.world.runs[0].result = "cancelled-in-queue"

    assert "taken out of the queue" in problem_of(place.run(meanwhile=remove))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"parameters": {"size": "huge"}}, "doesn't allow 'huge'"),
        ({"master": "other"}, "no CI system 'other'"),
        ({"job": "nothing"}, "404"),
    ],
)
def test_what_can_t_be_started_says_why(place: Place, keys: dict[str, Any], said: str) -> None:
    execution = place.run(**keys)

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)
    assert place.world.runs == []


def test_a_system_that_is_down_is_waited_for(place: Place) -> None:
    place.world.is_down = True

    async def repair(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "jenkins")
        await services.clock.sleep_until(services.clock.now() + timedelta(minutes=2))
        place.world.is_down = False

    execution = place.run(meanwhile=repair, waitForCompletion=False)

    assert execution.head.status is Status.SUCCEEDED
    assert len(place.world.runs) == 1


@pytest.mark.parametrize("tells_ids", [True, False])
def test_a_workflow_s_run_is_found_whether_the_dispatch_says_its_id_or_not(tmp_path: Path, tells_ids: bool) -> None:
    world = GitHubWorld()
    world.tells_ids = tells_ids
    with served(world):
        place = Place(world, tmp_path, "githubActions")

        execution = place.run(parameters={"branch": "x"}, waitForCompletion=False)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert stage_of(execution).outputs["buildNumber"] == 1


@pytest.mark.parametrize(
    ("world", "stage_type", "task"),
    [
        (GitLabWorld(), "gitlabCi", "monitorGitlabCiJob"),
        (AzureWorld(), "azureDevOps", "monitorAzureDevOpsJob"),
        (GitHubWorld(), "githubActions", "monitorGithubActionsJob"),
    ],
)
def test_other_systems_builds_are_followed_to_their_ends(
    tmp_path: Path, world: World, stage_type: str, task: str
) -> None:
    async def end(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, stage_type, task=task)
        world.finish(**world.leave_properties("out.json", {"version": "1.2.3"}))

    with served(world):
        place = Place(world, tmp_path, stage_type)
        execution = place.run(parameters={"branch": "x"}, propertyFile="out.json", meanwhile=end)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert stage_of(execution).outputs["version"] == "1.2.3"


@pytest.mark.parametrize("stage_type", ["travis", "wercker", "concourse", "awsCodeBuild", "googleCloudBuild"])
def test_systems_that_are_not_offered_say_so(place: Place, stage_type: str) -> None:
    place.stage_type = stage_type

    execution = place.run()

    assert execution.head.status is Status.TERMINAL
    assert f"has the type {stage_type!r}, which Spinnaker has and Gennaker doesn't offer" in problem_of(execution)
