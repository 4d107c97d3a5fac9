"""The build stage from end to end: real git, real processes, a real registry, the real engine."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.building import BUILD_FILE, FILES, SERVICE, FreshClients, harness, notes, pipeline
from tests.git_repositories import GitRepository
from tests.harness import TESTER, Harness, ended, problem_of, reached
from tests.registry_servers import own_registry
from tests.waiting import until_found

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model import waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked, RestartAsked
from gennaker.model.execution import Execution, Stage
from gennaker.model.foreign import mappings
from gennaker.model.statuses import Status
from gennaker.transport.processes import Processes, ProcessState

pytestmark = pytest.mark.slow

TASKS = ("checkoutWorkspace", "runSteps", "buildImage", "pushImage", "publishArtifacts")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[FreshClients]:
    (tmp_path / "registry").mkdir()
    with own_registry(tmp_path / "registry") as host:
        yield FreshClients(host)


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "repository")


def the_stage(execution: Execution) -> Stage:
    return next(execution.top_level())


def problem(execution: Execution) -> JsonObject:
    """The failed stage's problem with its details."""
    problems = the_stage(execution).context["problems"]
    assert isinstance(problems, list)
    assert isinstance(problems[0], dict)
    return problems[0]


def steps(execution: Execution) -> list[JsonObject]:
    listed = the_stage(execution).outputs["steps"]
    assert isinstance(listed, list)
    return [step for step in listed if isinstance(step, dict)]


def image(execution: Execution) -> JsonObject:
    found = the_stage(execution).outputs["image"]
    assert isinstance(found, dict)
    return found


def undisturbed(execution: Execution) -> JsonObject:
    """The outputs without what differs from run to run: times, and ids in the logs' places."""
    told: list[Json] = [{key: step[key] for key in step if key not in {"seconds", "log"}} for step in steps(execution)]
    return {**the_stage(execution).outputs, "steps": told}


def build(
    place: Harness,
    repository: GitRepository,
    files: Mapping[str, str],
    *,
    subject: str = "Begin",
    keys: JsonObject | None = None,
) -> Execution:
    commit = repository.commit(subject, files)
    return place.run(pipeline(repository.folder, commit, keys))


def test_the_sample_becomes_an_image_with_evidence_for_everything(tmp_path: Path, registry: FreshClients) -> None:
    repository = GitRepository.of_sample(tmp_path / "repository")
    commit = repository.git("rev-parse", "HEAD").strip()
    place = harness(tmp_path / "data", registry)

    execution = place.run(pipeline(repository.folder, commit))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [(step["kind"], step["status"]) for step in steps(execution)] == [
        ("dependencies", "SUCCEEDED"),
        ("unit-tests", "SUCCEEDED"),
        ("integration-tests", "SUCCEEDED"),
        ("lint", "SUCCEEDED"),
        ("static-analysis", "SUCCEEDED"),
        ("sbom", "SUCCEEDED"),
        ("scan", "NOT_SCANNED"),
    ]
    built = image(execution)
    assert built["tag"] == f"1.2.3-{commit[:7]}"
    assert built["pinned"] == f"{registry.host}/shop@{built['digest']}"
    assert the_stage(execution).outputs["artifacts"] == [
        {
            "type": "docker/image",
            "name": f"{registry.host}/shop",
            "version": built["tag"],
            "reference": built["pinned"],
            "metadata": {"digest": built["digest"]},
        }
    ]
    facts = asyncio.run(registry.inspect("shop", str(built["tag"])))
    assert facts is not None
    assert facts.digest == built["digest"]
    assert facts.created == "2026-09-21T14:13:20Z"
    assert facts.run.labels["org.opencontainers.image.revision"] == commit
    kept = asyncio.run(place.evidence.list(execution.head.id))
    assert sorted(item.kind for item in kept) == ["junit", "junit", "sarif", "sarif", "sbom"]
    logs = asyncio.run(place.logs.list(execution.head.id))
    assert [log.name for log in logs] == [step["name"] for step in steps(execution)]
    assert all((tmp_path / "data" / log.path).is_file() for log in logs)
    assert not list((tmp_path / "data" / "builds").iterdir())


def test_the_same_commit_gives_the_same_digest_wherever_it_is_built(tmp_path: Path, registry: FreshClients) -> None:
    built = []
    for name in ("one", "other"):
        repository = GitRepository(tmp_path / name / "repository")
        execution = build(harness(tmp_path / name / "data", registry), repository, FILES)
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
        built.append(image(execution))

    assert built[0] == built[1]


def test_a_build_that_is_killed_everywhere_runs_no_step_twice(
    tmp_path: Path, repository: GitRepository, registry: FreshClients
) -> None:
    commit = repository.commit("Begin", FILES)
    calm = harness(tmp_path / "calm", registry)
    wild = harness(tmp_path / "wild", registry)
    points = [f"effect.{when}:RunTask:build.{task}" for task in TASKS for when in ("before", "after")]
    points += [f"effect.after:RunTask:build.runSteps#{number}" for number in (2, 3)]

    expected = calm.run(pipeline(repository.folder, commit))
    found = wild.run(pipeline(repository.folder, commit), kill_at=points)

    assert found.head.status is Status.SUCCEEDED, problem_of(found)
    assert set(points) <= set(wild.probe.seen) | {f"{points[3]}#{number}" for number in (2, 3)}
    assert undisturbed(found) == undisturbed(expected)
    assert notes(tmp_path / "wild") == 1
    assert len(asyncio.run(wild.evidence.list(found.head.id))) == 1
    assert asyncio.run(registry.tags("shop")) == (image(expected)["tag"],)


def test_a_step_goes_on_while_the_server_is_dead(tmp_path: Path, repository: GitRepository) -> None:
    slow = "service: shop\nsteps: [{name: Slow, run: echo run >> $HOME/../../../../../../notes; sleep 2.5}]\n"
    commit = repository.commit("Begin", {**FILES, f"{SERVICE}/build.yaml": slow})
    place = harness(tmp_path / "data")

    execution = place.run(pipeline(repository.folder, commit), kill_at=["effect.before:RunTask:build.runSteps#3"])

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.probe.seen.count("effect.before:RunTask:build.runSteps") > 3, "it was not polled, so not killed"
    assert notes(place.data) == 1


def test_a_restarted_stage_begins_anew(tmp_path: Path, repository: GitRepository, registry: FreshClients) -> None:
    again = BUILD_FILE.replace("run: cp", "run: test -e $HOME/../../../../../../good && cp")
    commit = repository.commit("Begin", {**FILES, f"{SERVICE}/build.yaml": again})
    place = harness(tmp_path / "data", registry)
    failed = place.run(pipeline(repository.folder, commit))
    assert failed.head.status is Status.TERMINAL
    (place.data / "good").touch()
    ends: list[Execution] = []

    async def restart(services: Services) -> None:
        asked = RestartAsked(at=datetime.now(UTC), stage_id=the_stage(failed).id, by="ada")  # noqa: TID251 - real time
        await services.executions.tell(failed.head.id, asked, TESTER)
        ends.append(await ended(services, failed.head.id))

    place.do(restart)

    assert ends[0].head.status is Status.SUCCEEDED, problem_of(ends[0])
    assert [step["status"] for step in steps(ends[0])] == ["SUCCEEDED", "SUCCEEDED"]
    assert notes(place.data) == 2
    logs = asyncio.run(place.logs.list(failed.head.id))
    assert len({log.path for log in logs}) == 4, "each attempt has logs of its own"


def test_a_failing_step_stops_the_build_and_shows_the_end_of_its_log(
    tmp_path: Path, repository: GitRepository, registry: FreshClients
) -> None:
    broken = BUILD_FILE.replace("run: cp", "run: for i in $(seq 40); do echo line $i; done; exit 3; cp")
    place = harness(tmp_path / "data", registry)

    execution = build(place, repository, {**FILES, f"{SERVICE}/build.yaml": broken})

    assert execution.head.status is Status.TERMINAL
    assert problem_of(execution).startswith("Build: The step 'Tests' exited with status 3.")
    failed = steps(execution)[1]
    details = problem(execution)["details"]
    assert details == {
        "step": "Tests",
        "exitStatus": 3,
        "log": failed["log"],
        "tail": "\n".join(f"line {number}" for number in range(11, 41)),
    }
    assert [step["status"] for step in steps(execution)] == ["SUCCEEDED", "FAILED"]
    assert asyncio.run(registry.tags("shop")) == ()


def test_failing_tests_are_named(tmp_path: Path, repository: GitRepository) -> None:
    report = '<testsuite><testcase classname="t" name="price"><failure message="1 != 2"/></testcase></testsuite>'

    execution = build(harness(tmp_path / "data"), repository, {**FILES, "junit.xml": report})

    assert "its report says: 1 of 1 test failed (t.price)" in problem_of(execution)


@pytest.mark.parametrize("kind", ["lint", "scan"])
def test_a_report_of_another_shape_fails_its_step_and_is_named(
    tmp_path: Path, repository: GitRepository, kind: str
) -> None:
    steps_of_one = f"service: shop\nsteps:\n  - {{name: Look, kind: {kind}, run: cp ../../found.json ., reports: {{sarif: found.json}}}}\n"
    found = '{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": {"level": "error"}}]}'

    execution = build(
        harness(tmp_path / "data"), repository, {**FILES, f"{SERVICE}/build.yaml": steps_of_one, "found.json": found}
    )

    assert [step["status"] for step in steps(execution)] == ["FAILED"]
    assert (
        "The step 'Look' has a sarif report found.json that can't be used: /runs/0/results is wrong: "
        "expected `array | null`, got `object`." in problem_of(execution)
    )


def test_a_step_is_stopped_at_its_time_limit(tmp_path: Path, repository: GitRepository) -> None:
    slow = BUILD_FILE.replace("run: cp", "timeout: 0.3\n    run: sleep 60; cp")

    execution = build(harness(tmp_path / "data"), repository, {**FILES, f"{SERVICE}/build.yaml": slow})

    assert "The step 'Tests' was stopped at its time limit of 0.3 s." in problem_of(execution)


def test_a_step_whose_program_is_nowhere_says_so(tmp_path: Path, repository: GitRepository) -> None:
    absent = BUILD_FILE.replace("run: cp ../../junit.xml reports/unit.xml", "run: [no-such-program]")

    execution = build(harness(tmp_path / "data"), repository, {**FILES, f"{SERVICE}/build.yaml": absent})

    assert "The step 'Tests' could not be started: No such file or directory" in problem_of(execution)


def test_cancelling_ends_the_running_step_and_removes_the_workspace(tmp_path: Path, repository: GitRepository) -> None:
    slow = BUILD_FILE.replace("run: cp", "run: sleep 600; cp")
    commit = repository.commit("Begin", {**FILES, f"{SERVICE}/build.yaml": slow})
    place = harness(tmp_path / "data")

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "build", task="runSteps")
        processes = Processes(place.data / "logs")

        async def has_begun() -> bool:
            return any("02-tests" in run.name for run in await processes.list())

        await until_found(has_begun, "the second step")
        await services.executions.tell(execution_id, CancelAsked(at=datetime.now(UTC), by="ada"), TESTER)  # noqa: TID251 - real processes run in real time

    execution = place.run(pipeline(repository.folder, commit), meanwhile=cancel, afterwards=timedelta(seconds=1))

    assert execution.head.status is Status.CANCELED
    runs = asyncio.run(Processes(place.data / "logs").list())
    assert [run.state for run in runs] == [ProcessState.ENDED, ProcessState.ENDED]
    assert not list((place.data / "builds").rglob("workspace"))


def test_workspaces_stay_where_the_settings_say_so(tmp_path: Path, repository: GitRepository) -> None:
    files = {**FILES, f"{SERVICE}/build.yaml": "service: shop\n"}
    place = harness(tmp_path / "data", keeps=True)

    execution = build(place, repository, files)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [path.name for path in (place.data / "builds").glob("*/*/0/files/checkout/workspace/*")] != []
    assert the_stage(execution).outputs["artifacts"] == []


def test_builds_wait_for_a_free_builder_and_say_so(tmp_path: Path, repository: GitRepository) -> None:
    may_end = tmp_path / "may-end"
    slow = (
        f"service: shop\nsteps: [{{name: Slow, timeout: 600, run: 'until test -e {may_end}; do sleep 0.02; done'}}]\n"
    )
    commit = repository.commit("Begin", {**FILES, f"{SERVICE}/build.yaml": slow})
    place = harness(tmp_path / "data", concurrent=1)
    said: list[str] = []
    ends: list[Execution] = []

    async def both(services: Services) -> None:
        config = pipeline(repository.folder, commit)
        first = await services.executions.submit(Submission(config=config, key="first"), TESTER)
        await reached(services, first, "build", task="runSteps")
        second = await services.executions.submit(Submission(config=config, key="second"), TESTER)

        async def is_told() -> bool:
            found = await services.executions.get(second)
            assert found is not None
            waits = [waiting.said(task.waiting_for) for task in the_stage(found).tasks]
            said.extend(one for one in waits if "builder" in one)
            return bool(said)

        await until_found(is_told, "the second to wait for a builder")
        may_end.touch()
        ends.extend([await ended(services, one) for one in (first, second)])

    place.do(both)

    assert said == ["a free builder: 1 of 1 at work, 0 before this one"]
    assert [one.head.status for one in ends] == [Status.SUCCEEDED, Status.SUCCEEDED]
    first_end, second_steps = the_stage(ends[0]).end_time, the_stage(ends[1]).tasks[1].start_time
    assert first_end is not None
    assert second_steps is not None
    assert first_end <= second_steps


def test_other_content_under_the_same_tag_is_refused_by_the_registry(
    tmp_path: Path, repository: GitRepository, registry: FreshClients
) -> None:
    same = {**FILES, f"{SERVICE}/build.yaml": f'{BUILD_FILE}  tag: "{{version}}"\n'}
    place = harness(tmp_path / "data", registry)
    first = build(place, repository, same)

    second = build(place, repository, {f"{SERVICE}/app.py": "print('other')\n"}, subject="Change")

    assert second.head.status is Status.TERMINAL
    assert "The tag shop:1.2.3 names sha256:" in problem_of(second)
    assert asyncio.run(registry.resolve("shop", "1.2.3")) == image(first)["digest"]


def test_commits_since_are_told_newest_first_and_only_those_that_concern_the_service(
    tmp_path: Path, repository: GitRepository
) -> None:
    repository.commit("Begin", {**FILES, f"{SERVICE}/build.yaml": "service: shop\ndepends-on: [libs]\n"})
    repository.commit("Change the library", {"libs/a.txt": "1"})
    repository.commit("Change another service", {"services/cart/a.txt": "1"})
    commit = repository.commit("Change the shop", {f"{SERVICE}/app.py": "1"})

    execution = harness(tmp_path / "data").run(pipeline(repository.folder, commit))

    told = the_stage(execution).outputs["commits"]
    assert isinstance(told, list)
    assert [one["subject"] for one in told if isinstance(one, dict)] == [
        "Change the shop",
        "Change the library",
        "Begin",
    ]
    assert told[0] == the_stage(execution).outputs["commit"]
    assert told[0] == {"hash": commit, "subject": "Change the shop", "author": "Ada", "at": "2026-09-21T14:16:20Z"}


BROKEN_FILE = "service: [a]\nsteps:\n  - nam: x\n    run: [true]\n    timeout: soon\n"


def test_a_build_that_fails_at_once_tells_of_its_commit_all_the_same(tmp_path: Path, repository: GitRepository) -> None:
    execution = build(harness(tmp_path / "data"), repository, {**FILES, f"{SERVICE}/build.yaml": BROKEN_FILE})

    outputs = the_stage(execution).outputs
    assert execution.head.status is Status.TERMINAL
    assert outputs["commits"] == [outputs["commit"]]
    assert [one["subject"] for one in mappings(outputs["commits"])] == ["Begin"]


@pytest.mark.parametrize(
    ("files", "keys", "said"),
    [
        (
            {f"{SERVICE}/build.yaml": BROKEN_FILE},
            {},
            [
                "4 problems:",
                "services/shop/build.yaml, line 1: service: it must be a text.",
                "line 3: steps.0.nam: this key is unknown; did you mean `name`?",
                "line 3: steps.0: it lacks `name`.",
                "line 5: steps.0.timeout: it must be a number of seconds",
            ],
        ),
        ({f"{SERVICE}/build.yaml": "steps: [\n"}, {}, ["build.yaml, line 2: it is not YAML"]),
        ({f"{SERVICE}/VERSION": "1.2 beta"}, {}, ["services/shop/VERSION holds '1.2 beta'", "such as 1.2.3"]),
        ({}, {"service": "services/nothing"}, ["has no folder services/nothing", "Correct the stage's `service`"]),
        ({}, {"service": "."}, ["has no build file build.yaml", "docs/build-file.md"]),
        ({}, {"service": "../.."}, ["leads out of the repository"]),
        ({}, {"commit": "f" * 40}, [f"has no commit {'f' * 40}", "Push it"]),
        ({}, {"commit": "${trigger.hash}"}, ["Start the pipeline by a push"]),
        (
            {},
            {"repository": "/nowhere/repository.git"},
            ["/nowhere/repository.git can't be read: there is no such folder"],
        ),
        ({}, {"repository": "--upload-pack=x"}, ["neither an absolute path nor the address"]),
        ({}, {"registryAccount": "other"}, ["There is no docker-registry account 'other'", "local-registry"]),
        (
            {f"{SERVICE}/Dockerfile": "FROM scratch\nCOPI a b\nEXPOSE many\nCOPY nothing /x\n"},
            {},
            ["line 2", "COPI"],
        ),
        ({f"{SERVICE}/Dockerfile": "FROM scratch\nCOPY nothing /x\n"}, {}, ["line 2", "nothing"]),
        ({f"{SERVICE}/Dockerfile": "FROM python:3.12\n"}, {}, ["'python:3.12' is not available", "FROM scratch"]),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    tmp_path: Path,
    repository: GitRepository,
    registry: FreshClients,
    files: Mapping[str, str],
    keys: dict[str, Json],
    said: list[str],
) -> None:
    execution = build(harness(tmp_path / "data", registry), repository, {**FILES, **files}, keys=keys)

    assert execution.head.status is Status.TERMINAL
    found = problem_of(execution) + str(problem(execution))
    assert [sentence for sentence in said if sentence not in found] == [], found
