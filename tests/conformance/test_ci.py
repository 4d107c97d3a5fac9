"""One suite for every CI system: what they promise to the stages."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace
from tests import building
from tests.building import SERVICE
from tests.conformance import subjects
from tests.fakes.ci_worlds import TOKEN, AzureWorld, GitHubWorld, GitLabWorld, JenkinsWorld, World, served
from tests.git_repositories import GitRepository
from tests.harness import TESTER, ended

from gennaker.interfaces.ci import (
    MOST_JOBS,
    BuildRequest,
    BuildResult,
    CannotTell,
    CiMissing,
    CiSystem,
    CiUnanswered,
    CiUnavailable,
    JobNames,
    Started,
)
from gennaker.interfaces.executions import Executions, Found
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution
from gennaker.model.problems import Refused
from gennaker.plugins.azure_devops.pipelines import AzureDevOps
from gennaker.plugins.build.ci_system import Builder
from gennaker.plugins.github.actions import GitHubActions
from gennaker.plugins.gitlab.pipelines import GitLab
from gennaker.plugins.jenkins.system import Jenkins
from gennaker.settings import CiSettings
from gennaker.worker.core import Core

Value = TypeVar("Value")
SYSTEMS: dict[str, tuple[type[World], Callable[[str, CiSettings], CiSystem]]] = {
    "jenkins": (JenkinsWorld, Jenkins),
    "github": (GitHubWorld, GitHubActions),
    "gitlab": (GitLabWorld, GitLab),
    "azure-devops": (AzureWorld, AzureDevOps),
}


SUBJECTS: dict[str, type[CiSystem]] = {
    "jenkins": Jenkins,
    "github": GitHubActions,
    "gitlab": GitLab,
    "azure-devops": AzureDevOps,
    "builder": Builder,
}


class Bench:
    """A system and the world behind it."""

    sha = "abc123"
    artifact_kinds: tuple[str, ...]
    parameters = frozenset({"branch", "size"})

    def __init__(
        self, world: World, system: CiSystem, made: Callable[[CiSettings], CiSystem], settings: CiSettings
    ) -> None:
        self.world = world
        self.system = system
        self.made = made
        self.settings = settings
        self.artifact_kinds = (settings.type,)
        self.request = BuildRequest(job=world.job, parameters={"branch": "main", "size": "large"}, key="gnk-0123456789")

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        return asyncio.run(work)

    def started(self, key: str = "gnk-0123456789") -> Started:
        request = replace(self.request, key=key)
        started = self.do(self.system.start(request))
        return self.do(self.system.numbered(request, started))

    def number(self) -> str:
        number = self.started().number
        assert number is not None
        return number


class BuilderWorld(World):
    """The built-in builder in a running installation; each build waits until the test says how it ends."""

    job = SERVICE

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._ending = folder / "ending"
        self.repository = GitRepository(folder / "repository")
        script = (
            f"while [ ! -s {self._ending} ]; do sleep 0.05; done; cat {self._ending}; ! grep -q failure {self._ending}"
        )
        build_file = f"service: shop\nsteps:\n  - name: Wait\n    run: [sh, -c, '{script}']\n"
        self.sha = self.repository.commit("Begin", {f"{SERVICE}/build.yaml": build_file, f"{SERVICE}/VERSION": "1.2.3"})
        self._harness = building.harness(folder / "data")
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over: asyncio.Event
        self.core: Core
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._live(),))
        self._thread.start()
        assert self._ready.wait(300)

    async def _live(self) -> None:
        self._over = asyncio.Event()
        async with self._harness.process() as self.core:
            self._ready.set()
            await self._over.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(300)
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(600)

    def finish(self, result: str = "success", *, files: dict[str, bytes] | None = None, log: str = "") -> None:
        executions = self.core.services.executions
        [newest] = self.do(found(executions, limit=1))
        if result == "aborted":
            asked = CancelAsked(at=self.core.services.clock.now(), by="ada")
            self.do(executions.tell(newest.head.id, asked, TESTER))
        self._ending.write_text(f"{result}\n{log}")
        self.do(ended(self.core.services, newest.head.id))
        self._ending.unlink()

    def leave_properties(self, file: str, properties: dict[str, str]) -> dict[str, Any]:
        return {}


async def found(executions: Executions, *, limit: int) -> Sequence[Execution]:
    return await executions.find(Found(limit=limit))


class BuilderBench(Bench):
    """The builder; what only HTTP can do is left to the others."""

    def __init__(self, world: BuilderWorld) -> None:
        self._world = world
        self.world = world
        self.system = Builder(world.core.services)
        self.sha = world.sha
        self.artifact_kinds = ()
        self.parameters = frozenset({"repository", "branch", "commit", "registryAccount"})
        parameters = {"repository": str(world.repository.folder), "branch": "main"}
        self.request = BuildRequest(job=SERVICE, parameters=parameters, key="gnk-0123456789")

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self._world.do(work)


@pytest.fixture(params=subjects.params(SUBJECTS, slow=("builder",)))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "builder":
        world = BuilderWorld(tmp_path)
        try:
            builder = BuilderBench(world)
            assert type(builder.system) is SUBJECTS["builder"]
            yield builder
        finally:
            world.close()
    else:
        with served_bench(request.param, tmp_path) as one:
            assert type(one.system) is SUBJECTS[request.param]
            yield one


@pytest.fixture(params=SYSTEMS)
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Those that are asked over HTTP."""
    with served_bench(request.param, tmp_path) as one:
        yield one


@contextmanager
def served_bench(name: str, tmp_path: Path) -> Iterator[Bench]:
    world_type, made = SYSTEMS[name]
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with served(world_type()) as world:
        settings = world.settings(str(tmp_path / "token"))
        yield Bench(world, made("ci", settings), lambda other: made("ci", other), settings)


def test_it_says_its_name_and_type(bench: Bench) -> None:
    assert bench.system.name
    assert bench.system.type in {"jenkins", "github", "gitlab", "azure-devops", "builder"}


def test_a_started_build_has_its_parameters_and_gets_a_number(foreign: Bench) -> None:
    number = foreign.number()

    [run] = foreign.world.runs
    assert number == str(run.number)
    assert (run.parameters["branch"], run.parameters["size"]) == ("main", "large")


def test_a_build_runs_until_it_has_ended(bench: Bench) -> None:
    number = bench.number()

    running = bench.do(bench.system.build(bench.world.job, number))
    bench.world.finish(files={"app.jar": b"jar"})
    done = bench.do(bench.system.build(bench.world.job, number))

    assert (running.result, running.info["building"]) == (BuildResult.BUILDING, True)
    assert (done.result, done.info["building"], done.info["result"]) == (BuildResult.SUCCESS, False, "SUCCESS")
    assert (str(done.info["number"]), done.info["name"]) == (number, bench.world.job)
    assert done.info["url"] == done.url != ""
    assert done.info["scm"][0]["sha1"] == bench.sha  # type: ignore[index, call-overload]  # JSON
    kinds = tuple(one["type"].partition("/")[0] for one in done.info["artifacts"])  # type: ignore[index, union-attr, call-overload]  # JSON
    assert kinds == bench.artifact_kinds


@pytest.mark.parametrize(
    ("ending", "result"),
    [("failure", BuildResult.FAILURE), ("aborted", BuildResult.ABORTED), ("unstable", BuildResult.UNSTABLE)],
)
def test_endings_are_told_apart(bench: Bench, ending: str, result: BuildResult) -> None:
    number = bench.number()
    is_known = ending != "unstable" or bench.world.has_unstable

    bench.world.finish(ending if is_known else "failure")

    assert bench.do(bench.system.build(bench.world.job, number)).result is (result if is_known else BuildResult.FAILURE)


def test_properties_come_from_what_the_build_left(bench: Bench) -> None:
    number = bench.number()
    bench.world.finish(**bench.world.leave_properties("build.json", {"version": "1.2.3"}))

    assert bench.do(bench.system.properties(bench.world.job, number, "build.json"))["version"] == "1.2.3"


def test_properties_that_aren_t_there_are_missing(bench: Bench) -> None:
    number = bench.number()
    bench.world.finish()

    with pytest.raises(CiMissing):
        bench.do(bench.system.properties(bench.world.job, number, "other.json"))


def test_the_log_is_read(bench: Bench) -> None:
    number = bench.number()
    bench.world.finish(log="compiled\nall well\n")

    assert "all well" in bench.do(bench.system.log(bench.world.job, number))


def test_a_running_build_is_stopped_and_an_ended_one_left_alone(bench: Bench) -> None:
    started = bench.started()

    bench.do(bench.system.stop(bench.world.job, started))
    bench.do(bench.system.stop(bench.world.job, started))
    aborted = bench.do(bench.system.build(bench.world.job, started.number or ""))
    second = bench.started("gnk-second")
    bench.world.finish()
    bench.do(bench.system.stop(bench.world.job, second))

    assert aborted.result is BuildResult.ABORTED
    assert bench.do(bench.system.build(bench.world.job, second.number or "")).result is BuildResult.SUCCESS


def test_a_start_whose_answer_was_lost_is_found_by_its_key(foreign: Bench) -> None:
    assert foreign.do(foreign.system.find(foreign.request)) is None
    foreign.world.loses_next_start = True

    with pytest.raises(CiUnanswered):
        foreign.do(foreign.system.start(foreign.request))
    found = foreign.do(foreign.system.find(foreign.request))

    assert found is not None
    assert foreign.do(foreign.system.numbered(foreign.request, found)).number == "1"
    assert foreign.do(foreign.system.find(replace(foreign.request, key="gnk-other"))) is None


def test_the_number_is_found_by_the_queue_s_id_alone(bench: Bench) -> None:
    started = bench.started()

    found_again = bench.do(bench.system.numbered(bench.request, Started(queue_id=started.queue_id)))

    assert found_again == started


def test_the_same_key_is_found_again(bench: Bench) -> None:
    started = bench.started()

    found_again = bench.do(bench.system.find(bench.request))
    other = bench.do(bench.system.find(replace(bench.request, key="gnk-other")))

    assert found_again is not None
    assert bench.do(bench.system.numbered(bench.request, found_again)).number == started.number
    assert other is None


def test_without_a_parameter_for_the_key_it_says_that_it_can_t_tell(foreign: Bench) -> None:
    system = foreign.made(replace(foreign.settings, key_parameter=""))
    foreign.do(system.start(foreign.request))

    with pytest.raises(CannotTell):
        foreign.do(system.find(foreign.request))


def test_a_system_that_is_down_is_unavailable(foreign: Bench) -> None:
    number = foreign.number()
    foreign.world.is_down = True

    with pytest.raises(CiUnavailable):
        foreign.do(foreign.system.start(foreign.request))
    with pytest.raises(CiUnavailable):
        foreign.do(foreign.system.build(foreign.world.job, number))
    assert len(foreign.world.runs) == 1


def test_a_wrong_token_is_refused_and_an_unreadable_one_too(foreign: Bench, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")

    with pytest.raises(Refused, match="401"):
        foreign.do(foreign.made(replace(foreign.settings, token_file=str(tmp_path / "wrong"))).start(foreign.request))
    with pytest.raises(Refused, match="token-file"):
        foreign.do(foreign.made(replace(foreign.settings, token_file=str(tmp_path / "none"))).start(foreign.request))


def test_unknown_builds_are_missing(bench: Bench) -> None:
    with pytest.raises(CiMissing):
        bench.do(bench.system.build(bench.world.job, "77"))


def test_what_was_built_is_listed_with_its_builds_the_newest_first(bench: Bench) -> None:
    first = bench.number()
    bench.world.finish("failure")
    second = bench.started("gnk-second").number or ""

    listed = bench.do(bench.system.builds(bench.world.job))
    jobs = bench.do(bench.system.jobs())

    states = [bench.do(bench.system.build(bench.world.job, number)) for number in (second, first)]
    assert [(one["result"], str(one["number"])) for one in listed] == [("BUILDING", second), ("FAILURE", first)]
    assert list(listed) == [{**one.info, "artifacts": []} for one in states]
    assert jobs == JobNames(names=(bench.world.job,))
    bench.world.finish()


def test_a_job_says_what_it_takes_but_for_the_key(bench: Bench) -> None:
    job = bench.do(bench.system.job(bench.world.job))

    assert (job.name, job.is_buildable) == (bench.world.job, True)
    assert {one.name for one in job.parameters} - {"ref"} == bench.parameters


def test_parameters_have_defaults_and_choices(foreign: Bench) -> None:
    found = {one.name: one for one in foreign.do(foreign.system.job(foreign.world.job)).parameters}

    assert (found["branch"].default, found["branch"].description, found["branch"].choices) == (
        "main",
        "What is built",
        (),
    )
    assert (found["size"].default, found["size"].choices) == ("small", ("small", "large"))


def test_a_long_list_of_jobs_is_cut_and_says_so(foreign: Bench) -> None:
    foreign.world.others = MOST_JOBS + 1

    found = foreign.do(foreign.system.jobs())

    assert found.is_cut
    assert len(found.names) == len(set(found.names)) == MOST_JOBS


def test_an_unknown_job_is_missing_and_a_system_that_is_down_has_no_empty_lists(foreign: Bench) -> None:
    unknown = foreign.world.unknown_job

    with pytest.raises(CiMissing):
        foreign.do(foreign.system.job(unknown))
    with suppress(CiMissing):
        assert foreign.do(foreign.system.builds(unknown)) == ()
    foreign.world.is_down = True
    with pytest.raises(CiUnavailable):
        foreign.do(foreign.system.jobs())
    for ask in (foreign.system.job, foreign.system.builds):
        with pytest.raises(CiUnavailable):
            foreign.do(ask(foreign.world.job))


@pytest.mark.parametrize("named", ["..", "../../../user", "%2e%2e", "1?x=y"])
def test_a_number_or_job_that_leads_elsewhere_is_not_asked_for(foreign: Bench, named: str) -> None:
    folder = foreign.world.job.rpartition("/")[0]

    with pytest.raises((Refused, CiMissing)):
        foreign.do(foreign.system.build(foreign.world.job, named))
    for ask in (foreign.system.job, foreign.system.builds):
        with pytest.raises((Refused, CiMissing)):
            foreign.do(ask(f"{folder}/{named}"))
    assert not [one for one in foreign.world.target.asked if "/../" in one.path or one.path.startswith("/user")]
