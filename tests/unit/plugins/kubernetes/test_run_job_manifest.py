"""Run Job (Manifest): its end, its log, its properties."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests import make
from tests import waiting as waits
from tests.fakes.kubernetes_api import KubernetesApi
from tests.harness import TESTER, problem_of, reached
from tests.kubernetes_cluster import ACCOUNT, Cluster, first, never, settle, workload

from gennaker.interfaces.services import Services
from gennaker.model.event import CancelAsked
from gennaker.model.statuses import Status

FAILED = {
    "conditions": [{"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit"}]
}


def job(name: str = "migrate") -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "main", "image": "acme/job"}], "restartPolicy": "Never"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}}


def ending(status: dict[str, Any], *, log: str = "", state: dict[str, Any] | None = None) -> Any:
    """A controller that makes one pod and ends as told."""

    def behave(api: KubernetesApi, what: str, found: dict[str, Any]) -> None:
        if what != "ADDED" or found["kind"] != "Job":
            return
        name = found["metadata"]["name"]
        pod = f"{name}-x"
        owner = {"kind": "Job", "name": name, "uid": found["metadata"]["uid"]}
        container = {"name": "main", "restartCount": 0, "state": state or {"terminated": {"exitCode": 0}}}
        made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "ownerReferences": [owner]}}
        api.put({**made, "spec": {"containers": [{"name": "main"}]}, "status": {"containerStatuses": [container]}})
        if log:
            api.logs[pod, "main"] = log
        api.set_status("jobs", name, status)

    return behave


def test_a_job_runs_to_its_end_and_its_log_is_kept() -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending({"succeeded": 1}, log="working\ndone")

    execution = cluster.run("runJobManifest", manifest=job())

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    stage = first(execution)
    assert stage.outputs["deploy.jobs"] == {"shop": ["job migrate"]}
    status: Any = stage.outputs["jobStatus"]
    assert (status["jobState"], status["mostRecentPodName"]) == ("Succeeded", "migrate-x")
    assert status["createdTime"] > 1_000_000_000_000, "in milliseconds, as all of Clouddriver's times"
    kept = cluster.harness.time.run(cluster.harness.evidence.list(execution.head.id))
    assert [item.name for item in kept] == ["migrate-x.main.log"]


def test_where_its_logs_are_is_told_as_its_annotation_says_it() -> None:
    manifest = job()
    link = "https://logs.example.org/?pod={{ podName }}"
    manifest["metadata"]["annotations"] = {"job.spinnaker.io/logs": link}

    stage = first(Cluster().run("runJobManifest", manifest=manifest))

    assert stage.context["execution"] == {"logs": link}
    assert "execution" not in stage.outputs


def test_properties_of_the_log_become_outputs() -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending(
        {"succeeded": 1}, log='SPINNAKER_PROPERTY_VERSION=1.2\nSPINNAKER_CONFIG_JSON={"a": [1]}'
    )

    execution = cluster.run("runJobManifest", manifest=job(), propertyFile="main")

    outputs = first(execution).outputs
    assert (outputs["version"], outputs["a"]) == ("1.2", [1])
    assert outputs["propertyFileContents"] == {"version": "1.2", "a": [1]}


def test_how_a_job_ended_is_in_the_context_though_nothing_is_put_out() -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending({"succeeded": 1}, log="SPINNAKER_PROPERTY_VERSION=1.2")

    execution = cluster.run("runJobManifest", manifest=job(), propertyFile="main", noOutput=True)

    stage = first(execution)
    assert stage.outputs == {}
    details: Any = stage.context["completionDetails"]
    assert (details["exitCode"], stage.context["version"]) == ("0", "1.2")


def test_the_one_manifest_counts_before_a_list() -> None:
    execution = Cluster().run("runJobManifest", manifest=job("one"), manifests=[job("two"), job("three")])

    assert first(execution).outputs["deploy.jobs"] == {"shop": ["job one"]}, problem_of(execution)


def test_the_stage_says_in_which_namespace_the_job_is_run() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    execution = cluster.run("runJobManifest", manifest=job(), namespace="elsewhere", waitForCompletion=False)

    assert first(execution).outputs["deploy.jobs"] == {"elsewhere": ["job migrate"]}, problem_of(execution)


def test_a_succeeded_job_without_its_properties_fails() -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending({"succeeded": 1}, log="nothing")

    execution = cluster.run("runJobManifest", manifest=job(), propertyFile="main")

    assert "holds no properties" in problem_of(execution)


def test_a_failed_job_says_why_with_the_end_of_its_log() -> None:
    cluster = Cluster()
    state = {"terminated": {"exitCode": 2, "reason": "Error"}}
    cluster.api.behaviour = ending(FAILED, log="SPINNAKER_PROPERTY_A=1\nno such table", state=state)

    execution = cluster.run("runJobManifest", manifest=job(), propertyFile="main")

    assert execution.head.status is Status.TERMINAL
    for piece in ("container main ended with exit code 2 (Error)", "no such table"):
        assert piece in problem_of(execution)
    assert first(execution).outputs["propertyFileContents"] == {"a": "1"}


def test_a_job_whose_image_cannot_be_pulled_is_not_waited_for() -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending({"active": 1}, state={"waiting": {"reason": "ImagePullBackOff"}})

    execution = cluster.run("runJobManifest", manifest=job())

    assert "its image can't be pulled (ImagePullBackOff). The Job was deleted" in problem_of(execution)
    status: Any = first(execution).outputs["jobStatus"]
    assert status["jobState"] == "Running"
    assert cluster.api.names("jobs") == []


def test_a_crash_while_a_job_is_given_up_still_says_why() -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending({"active": 1}, state={"waiting": {"reason": "ImagePullBackOff"}})

    point = "effect.after:RunTask:runJobManifest.waitOnJobCompletion"
    execution = cluster.run("runJobManifest", manifest=job(), kill_at=(point, f"{point}#3"))

    assert "its image can't be pulled" in problem_of(execution)
    assert cluster.api.names("jobs") == []


def test_a_job_that_was_given_up_and_may_not_be_deleted_may_run_after_all() -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending({"active": 1}, state={"waiting": {"reason": "ImagePullBackOff"}})
    cluster.api.forbidden["DELETE jobs"] = "jobs is forbidden"

    execution = cluster.run("runJobManifest", manifest=job())

    assert "its image can't be pulled (ImagePullBackOff). The Job is still there" in problem_of(execution)


class Overtaken(KubernetesApi):
    """Its Job `migrate` is taken away, and perhaps another put in its place, once the log was read that says why it failed."""

    def __init__(self, *, by_another: bool) -> None:
        super().__init__()
        self.by_another = by_another

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await super().handle_async_request(request)
        if request.url.path.endswith("/log") and "migrate" in self.names("jobs"):
            self.behaviour = never
            self.remove("jobs", "migrate")
            if self.by_another:
                self.put(job())
        return answer


@pytest.mark.parametrize(
    ("by_another", "said", "left"),
    [
        (True, "The Job is gone: the one that has its name now is another's, and stays.", ["migrate"]),
        (False, "The Job is gone already.", []),
    ],
)
def test_a_job_that_has_replaced_the_one_that_was_given_up_stays(by_another: bool, said: str, left: list[str]) -> None:
    cluster = Cluster()
    cluster.api = Overtaken(by_another=by_another)
    cluster.api.behaviour = ending({"active": 1}, state={"waiting": {"reason": "ImagePullBackOff"}})

    execution = cluster.run("runJobManifest", manifest=job())

    assert f"its image can't be pulled (ImagePullBackOff). {said}" in problem_of(execution)
    assert cluster.api.names("jobs") == left


UNPLACED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}


@pytest.mark.parametrize(
    ("keys", "lasts", "minutes", "said"),
    [
        ({}, None, 5, "job migrate finds no room: pod migrate-x: 0/3 nodes (Unschedulable). The Job was deleted"),
        (
            {"stageTimeoutMs": 6 * 60_000},
            None,
            6,
            "timed out after 6 minutes. It waited for job migrate to end: pod migrate-x: 0/3",
        ),
        ({}, 420, 7, "job migrate failed: Job has reached the specified backoff limit. Mend"),
    ],
)
def test_a_job_without_a_node_is_waited_for_as_long_as_it_or_its_stage_says(
    keys: dict[str, Any], lasts: int | None, minutes: int, said: str
) -> None:
    cluster = Cluster()
    cluster.api.behaviour = never
    manifest = job()
    manifest["spec"] |= {"activeDeadlineSeconds": lasts} if lasts else {}

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runJobManifest", task="waitOnJobCompletion")
        owner = {"kind": "Job", "name": "migrate", "uid": cluster.api.object("jobs", "migrate")["metadata"]["uid"]}
        condition = {**UNPLACED, "lastTransitionTime": services.clock.now().isoformat()}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "migrate-x", "ownerReferences": [owner]}}
        cluster.api.put({**pod, "spec": {"containers": [{"name": "main"}]}, "status": {"conditions": [condition]}})
        if lasts:
            await services.clock.sleep_until(services.clock.now() + timedelta(seconds=lasts))
            cluster.api.set_status("jobs", "migrate", FAILED)

    execution = cluster.run("runJobManifest", manifest=manifest, meanwhile=later, **keys)

    assert said in problem_of(execution)
    assert ".." not in problem_of(execution)
    assert "its log" not in problem_of(execution).lower()
    assert execution.head.end_time is not None
    assert execution.head.start_time is not None
    assert round((execution.head.end_time - execution.head.start_time).total_seconds() / 60) == minutes


def test_a_job_of_the_same_name_is_replaced() -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending({"succeeded": 1})
    cluster.run("runJobManifest", manifest=job())
    before = cluster.api.object("jobs", "migrate")["metadata"]["uid"]

    cluster.run("runJobManifest", manifest=job())

    assert cluster.api.object("jobs", "migrate")["metadata"]["uid"] != before


def test_the_end_of_a_job_that_has_replaced_its_own_is_not_its_jobs_end() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runJobManifest", task="waitOnJobCompletion")
        cluster.api.remove("jobs", "migrate")
        cluster.api.put(job())
        cluster.api.set_status("jobs", "migrate", {"succeeded": 1})

    execution = cluster.run("runJobManifest", manifest=job(), meanwhile=later)

    assert "job migrate was replaced by another of its name" in problem_of(execution)


def test_the_job_before_that_a_watch_still_shows_is_not_its_own() -> None:
    cluster = Cluster()
    where = {"account": ACCOUNT, "cloudProvider": "kubernetes", "manifest": job()}
    stages = (
        make.stage_json("1", type="runJobManifest", **where),
        make.stage_json("2", "1", type="runJobManifest", **where),
    )

    def until_deleted(api: KubernetesApi, what: str, found: dict[str, Any]) -> None:
        if what == "DELETED":
            api.behaviour, api.is_behind = never, True
        else:
            settle(api, what, found)

    cluster.api.behaviour = until_deleted

    async def later(services: Services, execution_id: str) -> None:
        await waits.until(lambda: cluster.api.is_behind, "the second Job")
        await reached(services, execution_id, "runJobManifest", task="waitOnJobCompletion")
        await asyncio.sleep(5)
        found = await services.executions.get(execution_id)
        assert found is not None
        assert not found.head.status.is_complete, "it took the end of the Job before for its own"
        cluster.api.is_behind = False
        cluster.api.set_status("jobs", "migrate", {"succeeded": 1})

    execution = cluster.harness.run(make.config(*stages), meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


@pytest.mark.parametrize("manifest", [job(), {**job(), "metadata": {"generateName": "migrate-"}}])
def test_a_crash_starts_no_second_job(manifest: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.api.behaviour = ending({"succeeded": 1})

    execution = cluster.run(
        "runJobManifest", manifest=manifest, kill_at=("effect.after:RunTask:runJobManifest.runJob",)
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert len([one for one in cluster.api.events if one[1] == "ADDED" and one[2][0] == "jobs"]) == 1


@pytest.mark.parametrize("manifests", [[], [job("a"), job("b")], [workload()]], ids=["none", "two", "another kind"])
def test_exactly_one_job_is_wanted(manifests: list[dict[str, Any]]) -> None:
    assert "exactly one manifest, of the kind Job" in problem_of(Cluster().run("runJobManifest", manifests=manifests))


def test_a_cancelled_stage_deletes_its_job() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runJobManifest", task="waitOnJobCompletion")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    execution = cluster.run("runJobManifest", manifest=job(), meanwhile=later, afterwards=timedelta(seconds=1))

    assert execution.head.status is Status.CANCELED
    assert cluster.api.names("jobs") == []


def test_a_cancelled_stage_leaves_the_job_that_has_replaced_its_own() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runJobManifest", task="waitOnJobCompletion")
        cluster.api.remove("jobs", "migrate")
        cluster.api.put(job())
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    execution = cluster.run("runJobManifest", manifest=job(), meanwhile=later, afterwards=timedelta(seconds=1))

    assert execution.head.status is Status.CANCELED
    assert cluster.api.names("jobs") == ["migrate"]


def test_without_waiting_it_ends_when_the_job_has_begun() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    execution = cluster.run("runJobManifest", manifest=job(), waitForCompletion="false")

    assert execution.head.status is Status.SUCCEEDED
    assert cluster.api.names("jobs") == ["migrate"]
