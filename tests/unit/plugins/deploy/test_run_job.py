"""Jobs: begun once, followed to their end, their reports kept."""

import base64
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.fakes.rollouts import NEW, FakePlace
from tests.harness import TESTER, problem_of, reached

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked, Done, TaskResult
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import run_job

REPORT = (
    b'<?xml version="1.0"?><testsuites><testsuite name="a" tests="5" failures="1" errors="1" skipped="1"/></testsuites>'
)


def pipeline(**keys: Json) -> JsonObject:
    stage: JsonObject = {
        "refId": "1",
        "type": "runJob",
        "name": "Tests",
        "account": "local",
        "region": "local",
        "cloudProvider": "fake",
        "image": NEW,
        "command": ["run", "tests"],
        "reports": {"junit": "report.xml"},
        **keys,
    }
    return {"application": "shop", "stages": [stage]}


def run(place: FakePlace, keys: JsonObject | None = None, **ending: object) -> Execution:
    async def end_it(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runJob", task="waitOnJobCompletion")
        await services.clock.sleep_until(services.clock.now() + timedelta(seconds=3))
        job_id, job = next(iter(place.cloud.jobs.items()))
        place.cloud.jobs[job_id] = replace(job, **ending)

    return place.harness.run(pipeline(**keys or {}), meanwhile=end_it)


def test_a_job_that_ends_well_leaves_its_report() -> None:
    place = FakePlace()

    execution = run(place, state=Health.SUCCEEDED, exit_status=0, reports={"junit": REPORT})

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    outputs = next(execution.in_order()).outputs
    assert outputs["jobStatus"] == {"jobState": "Succeeded", "id": next(iter(place.cloud.jobs)), "exitStatus": 0}
    [report] = outputs["reports"]  # type: ignore[misc]  # a list of one
    assert report["summary"] == {"tests": 5, "passed": 2, "failed": 2, "skipped": 1}  # type: ignore[index, call-overload]  # a map


def test_the_files_of_a_folder_are_kept_each_as_what_it_is() -> None:
    place = FakePlace()
    reports = {"junit/cart.xml": REPORT, "junit/log.txt": b"said", "files/a/shot.PNG": b"png", "page": b"<html>"}
    keys: JsonObject = {"reports": {"junit": "out/xml", "files": "out/files", "page": "out/index.html"}}

    execution = run(place, keys, state=Health.FAILED, exit_status=1, reports={**reports, "junit/shop.xml": REPORT})

    found = place.harness.time.run(place.harness.evidence.list(execution.head.id))
    assert {one.name: (one.kind, one.media_type) for one in found} == {
        "Tests.junit/cart.xml": ("junit", "application/xml"),
        "Tests.junit/shop.xml": ("junit", "application/xml"),
        "Tests.junit/log.txt": ("file", "text/plain"),
        "Tests.files/a/shot.PNG": ("file", "image/png"),
        "Tests.page": ("file", "text/html"),
    }
    assert "4 of 10 tests failed" in problem_of(execution)


def test_the_values_of_a_property_file_become_outputs_and_context() -> None:
    reports = {"spinnaker.properties": b"colour=red\nsize: 3\n"}

    execution = run(FakePlace(), {"propertyFile": "out/job.properties"}, state=Health.SUCCEEDED, reports=reports)

    stage = next(execution.in_order())
    found = {"colour": "red", "size": "3"}
    assert {key: stage.outputs.get(key) for key in found} == found
    assert stage.outputs["propertyFileContents"] == stage.context["propertyFileContents"] == found
    assert stage.outputs["reports"] == []


def test_a_property_file_that_is_not_there_fails_the_stage() -> None:
    execution = run(FakePlace(), {"propertyFile": "out/job.json"}, state=Health.SUCCEEDED)

    assert execution.head.status is Status.TERMINAL
    assert "Expected properties file out/job.json" in problem_of(execution)


def test_a_stage_may_put_nothing_out() -> None:
    execution = run(FakePlace(), {"noOutput": "true"}, state=Health.SUCCEEDED)

    assert next(execution.in_order()).outputs == {}


def test_the_values_of_an_artifact_become_outputs() -> None:
    content = base64.b64encode(b'{"colour": "red"}').decode()
    keys: JsonObject = {
        "consumeArtifactSource": "artifact",
        "consumeArtifact": {"type": "embedded/base64", "reference": content},
    }

    execution = run(FakePlace(), keys, state=Health.SUCCEEDED)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert next(execution.in_order()).outputs["colour"] == "red"


@pytest.mark.parametrize(
    "keys",
    [
        {"manifest": {"kind": "Job"}},
        {"manifest": {"kind": "Job"}, "type": "runJobManifest", "alias": "runJob"},
        {"source": "artifact", "manifestArtifactId": "x", "type": "runJobManifest", "alias": "runJob"},
        {"source": "artifact", "manifestArtifact": {"reference": "x"}},
    ],
    ids=["by hand", "by Spinnaker's editor", "from an artifact, by Spinnaker's editor", "from an artifact"],
)
def test_a_job_of_kubernetes_is_run_by_the_stage_for_manifests(keys: JsonObject) -> None:
    async def take(context: TaskContext) -> TaskResult:
        found: JsonObject = {"ran": context.stage.context.get("source", "text")}
        return Done(context={"jobStatus": {"jobState": "Succeeded"}}, outputs=found)

    tasks = (TaskType(name="take", run=take),)
    kind = StageType(name="runJobManifest", label="", about="", spec=StageSpec, tasks=tasks)

    execution = FakePlace(Plugin(name="manifests", stages=(kind,))).harness.run(pipeline(**keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    (child,) = (one for one in execution.in_order() if one.parent_id is not None)
    assert (child.type, child.name, child.outputs) == ("runJobManifest", "Tests", {"ran": keys.get("source", "text")})
    stage = next(execution.top_level())
    assert stage.outputs == child.outputs
    assert stage.context["jobStatus"] == {"jobState": "Succeeded"}, "whether it puts anything out or not"


def test_a_job_that_fails_says_how_many_tests_failed() -> None:
    execution = run(
        FakePlace(), state=Health.FAILED, exit_status=1, reason="The process exited with 1.", reports={"junit": REPORT}
    )

    assert execution.head.status is Status.TERMINAL
    assert "The process exited with 1. 2 of 5 tests failed." in problem_of(execution)


def test_a_cancelled_stage_stops_its_job() -> None:
    place = FakePlace()

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runJob", task="waitOnJobCompletion")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ann"), TESTER)

    place.run(pipeline(), meanwhile=cancel)

    assert [job.state for job in place.cloud.jobs.values()] == [Health.FAILED]


def test_a_kill_never_starts_a_second_job() -> None:
    place = FakePlace()
    place.harness.run(pipeline(waitForCompletion=False), kill_at=("effect.after:RunTask:runJob.runJob",))

    assert len([1 for operation, _ in place.faults.calls if operation == "run_job"]) == 2
    assert len(place.cloud.jobs) == 1


def test_a_report_without_suites_counts_nothing() -> None:
    assert run_job.junit_summary(b"not xml") == {"tests": 0, "passed": 0, "failed": 0, "skipped": 0}


@pytest.mark.parametrize("again", [b"<testsuite ", b"<testsuite \"'", b"<testsuites><"])
def test_a_report_of_unfinished_tags_is_looked_through_once(again: bytes) -> None:
    report = again * 100_000 + b'<testsuite tests="00004" failures="1" errors="9999999999999999999999">'

    assert run_job.junit_summary(report) == {"tests": 4, "passed": 3, "failed": 1, "skipped": 0}


@pytest.mark.parametrize(
    ("keys", "minutes", "said"),
    [
        ({}, 5, "The job of Tests finds no room: 0/3 nodes. Make room"),
        ({"jobTimeout": "PT7M"}, 7, "its time was over"),
        ({"stageTimeoutMs": 6 * 60_000}, 6, "timed out after 6 minutes"),
    ],
)
def test_a_job_without_room_is_waited_for_as_long_as_the_stage_says(keys: JsonObject, minutes: int, said: str) -> None:
    place = FakePlace()

    async def no_room(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runJob", task="waitOnJobCompletion")
        began = services.clock.now()
        job_id, job = next(iter(place.cloud.jobs.items()))
        late = began + timedelta(minutes=5)
        place.cloud.jobs[job_id] = replace(job, reason="0/3 nodes.", is_unplaced=True, fails_at=late)
        if "jobTimeout" in keys:
            await services.clock.sleep_until(began + timedelta(minutes=7))
            place.cloud.jobs[job_id] = replace(job, state=Health.FAILED, reason="its time was over")

    execution = place.harness.run(pipeline(**keys), meanwhile=no_room)

    assert said in problem_of(execution)
    assert execution.head.end_time is not None
    assert execution.head.start_time is not None
    assert round((execution.head.end_time - execution.head.start_time).total_seconds() / 60) == minutes
    assert [name for name, _ in place.faults.calls] == ["run_job", *([] if "jobTimeout" in keys else ["stop_job"])]
