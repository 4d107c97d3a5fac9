"""What is waited for: the objects in the stage's own context, whatever later stages get to see; and what ends the wait."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests import waiting as waits
from tests.fakes.kubernetes_api import KubernetesApi
from tests.harness import problem_of, reached
from tests.kubernetes_cluster import ACCOUNT, Cluster, config_map, first, never, settle, workload

from gennaker.interfaces.services import Services
from gennaker.model import foreign, waiting
from gennaker.model.codec import Json
from gennaker.model.event import TaskReported
from gennaker.model.statuses import Status

READY = ("readyReplicas", "availableReplicas")


def test_a_stage_without_output_waits_all_the_same_and_shows_later_stages_nothing() -> None:
    execution = Cluster().deploy(
        config_map(mode="fast"),
        noOutput=True,
        expectedArtifacts=[{"id": "1", "matchArtifact": {"type": "kubernetes/configMap"}}],
    )

    stage = first(execution)
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert stage.outputs == {}
    assert stage.context["outputs.manifestNamesByNamespace"] == {"shop": ["configMap cfg-v000"]}
    assert stage.context["stableManifests"] == [{"manifestName": "configMap cfg-v000", "location": "shop"}]
    assert (stage.context["failedManifests"], stage.context["messages"]) == ([], [])


def test_it_waits_until_the_workload_is_stable_without_asking_again_and_again() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        await asyncio.sleep(60)
        before = len(cluster.api.asked)
        await asyncio.sleep(60)
        assert len(cluster.api.asked) - before < 5
        status = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
        cluster.api.set_status("deployments", "web", status)

    execution = cluster.run("deployManifest", manifests=[workload()], meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert execution.head.end_time is not None
    assert execution.head.start_time is not None
    assert 119 < (execution.head.end_time - execution.head.start_time).total_seconds() < 122


def test_what_is_stable_is_written_once_however_long_the_rest_takes() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never
    written: list[Json] = []
    told: list[Json] = []

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        await asyncio.sleep(30)
        cluster.api.set_status("deployments", "web", dict.fromkeys(("replicas", "updatedReplicas", *READY), 2))
        events = await services.executions.events(execution_id)
        results = [one.event.result for one in events if isinstance(one.event, TaskReported)]
        assert len(results) > 30
        written.extend(one.context["stableManifests"] for one in results if "stableManifests" in one.context)
        told.extend(one.context["messages"] for one in results if "messages" in one.context)

    execution = cluster.deploy(workload(), config_map(mode="fast"), meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert written == [[{"manifestName": "configMap cfg-v000", "location": "shop"}]]
    assert told == [["'deployment web' in 'shop' for account prod: waiting for manifest to stabilize"]]


def crashing(reason: str, *, restarts: int = 3, owner: str = "web-v000") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": "back-off"}}
    container = {"name": "web", "restartCount": restarts, "state": state, "lastState": {"terminated": {"exitCode": 3}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{owner}-x"},
        "spec": {"containers": [{"name": "web"}]},
        "status": {"phase": "Pending", "containerStatuses": [container]},
    }


@pytest.mark.parametrize(
    ("keys", "minutes"), [({}, 5), ({"stableManifestTimeoutMinutes": 6}, 6), ({"stageTimeoutMs": 7 * 60_000}, 7)]
)
def test_pods_without_a_node_wait_as_long_as_the_stage_says(keys: dict[str, Any], minutes: int) -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        began = services.clock.now().isoformat()
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
        pod = crashing("")
        uid = cluster.api.object("replicasets", "web-v000")["metadata"]["uid"]
        pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-v000", "uid": uid}]
        pod["status"] = {"phase": "Pending", "conditions": [{**condition, "lastTransitionTime": began}]}
        cluster.api.set_status("replicasets", "web-v000", {"replicas": 2})
        cluster.api.put(pod)

    execution = cluster.run("deployManifest", manifests=[workload("ReplicaSet")], meanwhile=later, **keys)

    assert execution.head.status is Status.TERMINAL
    assert "0/3 nodes" in problem_of(execution)
    assert execution.head.end_time is not None
    assert execution.head.start_time is not None
    assert round((execution.head.end_time - execution.head.start_time).total_seconds() / 60) == minutes


def test_events_that_may_not_be_seen_are_not_asked_for_at_each_look() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never
    cluster.api.forbidden["GET events"] = "not yours"

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        uid = cluster.api.object("replicasets", "web-v000")["metadata"]["uid"]
        pod = crashing("ContainerCreating", restarts=0)
        pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-v000", "uid": uid}]
        cluster.api.set_status("replicasets", "web-v000", {"replicas": 2})
        cluster.api.put(pod)
        await asyncio.sleep(130)
        cluster.api.set_status(
            "replicasets", "web-v000", dict.fromkeys(("replicas", "fullyLabeledReplicas", *READY), 2)
        )

    execution = cluster.run("deployManifest", manifests=[workload("ReplicaSet")], meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert sum(one.endswith("/events") for one in cluster.api.asked) == 3


def failing(reason: str, log: str) -> str:
    """What is said of a ReplicaSet whose pods can't start."""
    cluster = Cluster()
    cluster.api.behaviour = never
    cluster.api.logs["web-v000-x", "web"] = log

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        uid = cluster.api.object("replicasets", "web-v000")["metadata"]["uid"]
        cluster.api.set_status("replicasets", "web-v000", {"replicas": 2})
        pod = crashing(reason)
        pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-v000", "uid": uid}]
        cluster.api.put(pod)

    execution = cluster.run("deployManifest", manifests=[workload("ReplicaSet")], meanwhile=later)
    assert execution.head.status is Status.TERMINAL
    context = first(execution).context
    assert context["failedManifests"] == [{"manifestName": "replicaSet web-v000", "location": "shop"}]
    (message,) = foreign.items(context["messages"])
    assert str(message).startswith("'replicaSet web-v000' in 'shop' for account ")
    return problem_of(execution)


@pytest.mark.parametrize(
    ("reason", "pieces"),
    [
        ("ImagePullBackOff", ("pod web-v000-x", "image can't be pulled")),
        ("CrashLoopBackOff", ("ended 3 times", "exit code 3", "no database")),
        ("CreateContainerConfigError", ("configuration can't be used",)),
    ],
)
def test_pods_that_cannot_start_end_the_stage_at_once(reason: str, pieces: tuple[str, ...]) -> None:
    said = failing(reason, "starting\nno database")

    for piece in pieces:
        assert piece in said


def test_what_a_kubelet_says_in_the_place_of_a_removed_log_is_no_log() -> None:
    said = failing("CrashLoopBackOff", "unable to retrieve container logs for containerd://249b")

    assert "ended 3 times" in said
    assert "unable to retrieve" not in said


def test_a_volume_that_is_not_there_is_named_by_its_event_and_ends_the_stage_after_a_minute() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        uid = cluster.api.object("replicasets", "web-v000")["metadata"]["uid"]
        cluster.api.set_status("replicasets", "web-v000", {"replicas": 2})
        pod = crashing("ContainerCreating", restarts=0)
        pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-v000", "uid": uid}]
        made = cluster.api.put(pod)
        told = services.clock.now().isoformat()
        cluster.api.put(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": "e"},
                "involvedObject": {"uid": made["metadata"]["uid"]},
                "reason": "FailedMount",
                "message": 'secret "tls" not found',
                "firstTimestamp": told,
                "lastTimestamp": told,
            }
        )

    execution = cluster.run("deployManifest", manifests=[workload("ReplicaSet")], meanwhile=later)

    assert 'pod web-v000-x: secret "tls" not found (FailedMount).' in problem_of(execution)
    assert execution.head.end_time is not None
    assert execution.head.start_time is not None
    assert 60 < (execution.head.end_time - execution.head.start_time).total_seconds() < 65


def test_a_workload_whose_pods_are_refused_is_named_once() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    refused["lastTransitionTime"] = "2020-01-01T00:00:00Z"

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        cluster.api.set_status("replicasets", "web-v000", {"replicas": 0, "conditions": [refused]})

    execution = cluster.run("deployManifest", manifests=[workload("ReplicaSet")], meanwhile=later)

    assert problem_of(execution).startswith("m: replicaSet web-v000: exceeded quota (FailedCreate).")


def test_what_may_pass_by_itself_says_until_when_it_is_waited_for() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never
    waits: list[waiting.Waiting | None] = []

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deployManifest", task="waitForManifestToStabilize")
        began = services.clock.now()
        refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
        refused["lastTransitionTime"] = began.isoformat()
        cluster.api.set_status("replicasets", "web-v000", {"replicas": 0, "conditions": [refused]})
        await asyncio.sleep(20)
        found = await services.executions.get(execution_id)
        assert found is not None
        task = next(one for one in first(found).tasks if one.status is Status.RUNNING)
        waits.append(task.waiting_for)
        assert isinstance(task.waiting_for, waiting.ForObject)
        assert task.waiting_for.gives_up_at == began + timedelta(minutes=1)

    execution = cluster.run("deployManifest", manifests=[workload("ReplicaSet")], meanwhile=later)

    assert len(waits) == 1
    assert "exceeded quota" in problem_of(execution)


def test_pods_of_somebody_else_do_not_matter() -> None:
    cluster = Cluster()
    cluster.api.put(crashing("CrashLoopBackOff", owner="other"))

    assert cluster.deploy(workload("ReplicaSet")).head.status is Status.SUCCEEDED


ON_WEB = {"manifestName": "deployment web", "location": "shop"}


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ("deployManifest", {"manifests": [workload(minReadySeconds=1)]}),
        (
            "deployManifest",
            {"manifests": [workload(minReadySeconds=1, annotations={"strategy.spinnaker.io/recreate": "true"})]},
        ),
        ("patchManifest", {"patchBody": {"spec": {"minReadySeconds": 1}}, **ON_WEB}),
        ("scaleManifest", {"replicas": 3, **ON_WEB}),
    ],
    ids=["deploy", "recreate", "patch", "scale"],
)
def test_what_a_watch_still_shows_of_before_is_not_what_was_waited_for(change: str, keys: dict[str, Any]) -> None:
    cluster = Cluster()

    def until_changed(api: KubernetesApi, what: str, found: dict[str, Any]) -> None:
        if found["spec"].get("minReadySeconds") or found["spec"].get("replicas") == 3:
            api.is_behind = True
        else:
            settle(api, what, found)

    cluster.api.behaviour = until_changed
    where = {"account": ACCOUNT, "cloudProvider": "kubernetes"}
    before = make.stage_json("1", type="deployManifest", manifests=[workload()], **where)
    after = make.stage_json("2", "1", type=change, **where, **keys)

    async def later(services: Services, execution_id: str) -> None:
        await waits.until(lambda: cluster.api.is_behind, "the second stage's change")
        await reached(services, execution_id, change, task="waitForManifestToStabilize")
        await asyncio.sleep(5)
        found = await services.executions.get(execution_id)
        assert found is not None
        assert not found.head.status.is_complete, "it took the version before for its own"
        cluster.api.behaviour, cluster.api.is_behind = settle, False
        settle(cluster.api, "MODIFIED", cluster.api.object("deployments", "web"))

    execution = cluster.harness.run(make.config(before, after), meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "web"},
    "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "acme/job"}], "restartPolicy": "Never"}}},
}


@pytest.mark.parametrize(
    ("stage", "plural", "keys"),
    [
        ("deployManifest", "statefulsets", {"manifests": [workload("StatefulSet")]}),
        ("runJobManifest", "jobs", {"manifest": JOB}),
    ],
)
@pytest.mark.parametrize("may_see_events", [True, False])
def test_a_stage_whose_pods_are_refused_ends_after_a_minute_and_says_why(
    stage: str, plural: str, keys: dict[str, Any], *, may_see_events: bool
) -> None:
    cluster = Cluster()
    cluster.api.behaviour = never
    if not may_see_events:
        cluster.api.forbidden["GET events"] = "events is forbidden"
        keys = {**keys, "stageTimeoutMs": 10 * 60_000}

    async def later(services: Services, execution_id: str) -> None:
        task = "waitForManifestToStabilize" if stage == "deployManifest" else "waitOnJobCompletion"
        await reached(services, execution_id, stage, task=task)
        made = cluster.api.object(plural, "web")
        cluster.api.set_status(plural, "web", {"observedGeneration": 1})
        told = services.clock.now().isoformat()
        cluster.api.put(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": "e"},
                "involvedObject": {"uid": made["metadata"]["uid"]},
                "reason": "FailedCreate",
                "message": "exceeded quota: small",
                "firstTimestamp": told,
                "lastTimestamp": told,
            }
        )

    execution = cluster.run(stage, meanwhile=later, **keys)

    said = problem_of(execution)
    assert ("web: exceeded quota: small (FailedCreate)" in said) is may_see_events
    assert execution.head.end_time is not None
    assert execution.head.start_time is not None
    minutes = (execution.head.end_time - execution.head.start_time).total_seconds() / 60
    assert round(minutes) == (1 if may_see_events else 10)


def test_a_refusal_of_before_the_stage_says_nothing_of_it() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never
    made = cluster.api.put(workload("StatefulSet"))
    cluster.api.set_status("statefulsets", "web", {"observedGeneration": 1})

    async def later(services: Services, execution_id: str) -> None:
        told = (services.clock.now() - timedelta(minutes=5)).isoformat()
        refused = {"reason": "FailedCreate", "message": "exceeded quota", "firstTimestamp": told, "lastTimestamp": told}
        about = {"metadata": {"name": "e"}, "involvedObject": {"uid": made["metadata"]["uid"]}}
        cluster.api.put({"apiVersion": "v1", "kind": "Event", **about, **refused})
        await reached(services, execution_id, "scaleManifest", task="waitForManifestToStabilize")
        await asyncio.sleep(300)
        status = dict.fromkeys(("replicas", "currentReplicas", "updatedReplicas", *READY), 2)
        cluster.api.set_status("statefulsets", "web", {"observedGeneration": 1, **status})

    execution = cluster.run(
        "scaleManifest", manifestName="statefulSet web", location="shop", replicas=2, meanwhile=later
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
