"""One suite for every CI system: what they promise to the stages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace
from tests.fakes.ci_worlds import TOKEN, AzureWorld, GitHubWorld, GitLabWorld, JenkinsWorld, World, served

from gennaker.interfaces.ci import (
    BuildRequest,
    BuildResult,
    CannotTell,
    CiMissing,
    CiSystem,
    CiUnanswered,
    CiUnavailable,
    Started,
)
from gennaker.model.problems import Refused
from gennaker.plugins.azure_devops.pipelines import AzureDevOps
from gennaker.plugins.github.actions import GitHubActions
from gennaker.plugins.gitlab.pipelines import GitLab
from gennaker.plugins.jenkins.system import Jenkins
from gennaker.settings import CiSettings

Value = TypeVar("Value")
SYSTEMS: dict[str, tuple[type[World], Callable[[str, CiSettings], CiSystem]]] = {
    "jenkins": (JenkinsWorld, Jenkins),
    "github": (GitHubWorld, GitHubActions),
    "gitlab": (GitLabWorld, GitLab),
    "azure-devops": (AzureWorld, AzureDevOps),
}


class Bench:
    """A system and the world behind it."""

    def __init__(
        self, world: World, system: CiSystem, made: Callable[[CiSettings], CiSystem], settings: CiSettings
    ) -> None:
        self.world = world
        self.system = system
        self.made = made
        self.settings = settings
        self.request = BuildRequest(job=world.job, parameters={"branch": "main", "size": "large"}, key="gnk-0123456789")

    def started(self) -> Started:
        started = do(self.system.start(self.request))
        return do(self.system.numbered(self.request, started))

    def number(self) -> str:
        number = self.started().number
        assert number is not None
        return number


def do(work: Awaitable[Value]) -> Value:
    async def main() -> Value:
        return await work

    return asyncio.run(main())


@pytest.fixture(params=SYSTEMS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    world_type, made = SYSTEMS[request.param]
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with served(world_type()) as world:
        settings = world.settings(str(tmp_path / "token"))
        yield Bench(world, made("ci", settings), lambda other: made("ci", other), settings)


def test_it_says_its_name_and_type(bench: Bench) -> None:
    assert (bench.system.name, bench.system.type) == ("ci", bench.settings.type)


def test_a_started_build_has_its_parameters_and_gets_a_number(bench: Bench) -> None:
    number = bench.number()

    [run] = bench.world.runs
    assert number == str(run.number)
    assert (run.parameters["branch"], run.parameters["size"]) == ("main", "large")


def test_a_build_runs_until_it_has_ended(bench: Bench) -> None:
    number = bench.number()

    running = do(bench.system.build(bench.world.job, number))
    bench.world.finish(files={"app.jar": b"jar"})
    done = do(bench.system.build(bench.world.job, number))

    assert (running.result, running.info["building"]) == (BuildResult.BUILDING, True)
    assert (done.result, done.info["building"], done.info["result"]) == (BuildResult.SUCCESS, False, "SUCCESS")
    assert (done.info["number"], done.info["name"]) == (int(number), bench.world.job)
    assert done.info["url"] == done.url != ""
    assert done.info["scm"][0]["sha1"] == "abc123"  # type: ignore[index, call-overload]  # JSON
    [artifact] = done.info["artifacts"]  # type: ignore[misc]  # JSON
    assert artifact["type"].partition("/")[0] == bench.settings.type  # type: ignore[index, union-attr, call-overload]  # JSON


@pytest.mark.parametrize(
    ("ending", "result"),
    [("failure", BuildResult.FAILURE), ("aborted", BuildResult.ABORTED), ("unstable", BuildResult.UNSTABLE)],
)
def test_endings_are_told_apart(bench: Bench, ending: str, result: BuildResult) -> None:
    number = bench.number()
    is_known = ending != "unstable" or bench.world.has_unstable

    bench.world.finish(ending if is_known else "failure")

    assert do(bench.system.build(bench.world.job, number)).result is (result if is_known else BuildResult.FAILURE)


def test_properties_come_from_what_the_build_left(bench: Bench) -> None:
    number = bench.number()
    bench.world.finish(**bench.world.leave_properties("build.json", {"version": "1.2.3"}))

    assert do(bench.system.properties(bench.world.job, number, "build.json")) == {"version": "1.2.3"}


def test_properties_that_aren_t_there_are_missing(bench: Bench) -> None:
    number = bench.number()
    bench.world.finish()

    with pytest.raises(CiMissing):
        do(bench.system.properties(bench.world.job, number, "build.json"))


def test_the_log_is_read(bench: Bench) -> None:
    number = bench.number()
    bench.world.finish(log="compiled\nall well\n")

    assert "all well" in do(bench.system.log(bench.world.job, number))


def test_a_running_build_is_stopped_and_an_ended_one_left_alone(bench: Bench) -> None:
    started = bench.started()

    do(bench.system.stop(bench.world.job, started))
    do(bench.system.stop(bench.world.job, started))
    aborted = do(bench.system.build(bench.world.job, started.number or ""))
    second = bench.started()
    bench.world.finish()
    do(bench.system.stop(bench.world.job, second))

    assert aborted.result is BuildResult.ABORTED
    assert do(bench.system.build(bench.world.job, second.number or "")).result is BuildResult.SUCCESS


def test_a_start_whose_answer_was_lost_is_found_by_its_key(bench: Bench) -> None:
    assert do(bench.system.find(bench.request)) is None
    bench.world.loses_next_start = True

    with pytest.raises(CiUnanswered):
        do(bench.system.start(bench.request))
    found = do(bench.system.find(bench.request))

    assert found is not None
    assert do(bench.system.numbered(bench.request, found)).number == "1"
    assert do(bench.system.find(replace(bench.request, key="gnk-other"))) is None


def test_without_a_parameter_for_the_key_it_says_that_it_can_t_tell(bench: Bench) -> None:
    system = bench.made(replace(bench.settings, key_parameter=""))
    do(system.start(bench.request))

    with pytest.raises(CannotTell):
        do(system.find(bench.request))


def test_a_system_that_is_down_is_unavailable(bench: Bench) -> None:
    number = bench.number()
    bench.world.is_down = True

    with pytest.raises(CiUnavailable):
        do(bench.system.start(bench.request))
    with pytest.raises(CiUnavailable):
        do(bench.system.build(bench.world.job, number))
    assert len(bench.world.runs) == 1


def test_a_wrong_token_is_refused_and_an_unreadable_one_too(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")

    with pytest.raises(Refused, match="401"):
        do(bench.made(replace(bench.settings, token_file=str(tmp_path / "wrong"))).start(bench.request))
    with pytest.raises(Refused, match="token-file"):
        do(bench.made(replace(bench.settings, token_file=str(tmp_path / "none"))).start(bench.request))


def test_unknown_builds_are_missing(bench: Bench) -> None:
    with pytest.raises(CiMissing):
        do(bench.system.build(bench.world.job, "77"))
