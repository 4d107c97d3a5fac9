"""Why pods can't start: what is final, what may pass, and whose pods are looked at."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import diagnosing

BEGAN = "2026-01-01T00:00:00Z"


def at(minute: float) -> datetime:
    return datetime(2026, 1, 1, 0, int(minute), int(minute % 1 * 60), tzinfo=UTC)


def owned(kind: str, name: str, owner: str, **fields: Any) -> JsonObject:
    metadata: JsonObject = {
        "name": name,
        "uid": name,
        "ownerReferences": [{"uid": owner}],
        **fields.pop("metadata", {}),
    }
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, **fields}


def pod(name: str, owner: str, **status: Any) -> JsonObject:
    return {**owned("Pod", name, owner), "apiVersion": "v1", "status": status}


def waiting(reason: str, *, restarts: int = 0) -> dict[str, Any]:
    state = {"waiting": {"reason": reason}}
    return {"containerStatuses": [{"name": "c", "restartCount": restarts, "state": state, "lastState": {}}]}


REPLICA_SET = owned("ReplicaSet", "rs", "d")


@pytest.mark.parametrize(
    ("reason", "restarts", "is_final"),
    [
        ("ErrImagePull", 0, False),
        ("CreateContainerError", 0, False),
        ("ImagePullBackOff", 0, True),
        ("InvalidImageName", 0, True),
        ("CreateContainerConfigError", 0, True),
        ("CrashLoopBackOff", 2, False),
        ("CrashLoopBackOff", 3, True),
    ],
)
def test_reasons_are_told_apart_by_whether_waiting_helps(reason: str, restarts: int, is_final: bool) -> None:
    [found] = diagnosing.troubles(REPLICA_SET, [pod("p", "rs", **waiting(reason, restarts=restarts))])

    assert (found.reason, found.is_final, found.container) == (reason, is_final, "c")


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_what_is_on_its_way_is_no_trouble(reason: str) -> None:
    assert diagnosing.troubles(REPLICA_SET, [pod("p", "rs", **waiting(reason))]) == []


def test_what_may_pass_is_given_time() -> None:
    refused = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota",
        "lastTransitionTime": BEGAN,
    }
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "no node",
        "lastTransitionTime": BEGAN,
    }

    [quota] = diagnosing.troubles({**REPLICA_SET, "status": {"conditions": [refused]}}, [])
    [node] = diagnosing.troubles(REPLICA_SET, [pod("p", "rs", conditions=[unscheduled])])

    assert [quota.is_hopeless(at(minute)) for minute in (0.5, 1)] == [False, True]
    assert [node.is_hopeless(at(minute)) for minute in (4.5, 5)] == [False, True]
    assert "exceeded quota" in str(quota)


def test_of_a_deployment_only_the_present_revisions_pods_count() -> None:
    revision = "deployment.kubernetes.io/revision"
    deployment = owned("Deployment", "d", "", metadata={"annotations": {revision: "2"}})
    sets = [
        owned("ReplicaSet", f"rs{number}", "d", metadata={"annotations": {revision: str(number)}}) for number in (1, 2)
    ]
    pods = [pod(f"p{number}", f"rs{number}", **waiting("ImagePullBackOff")) for number in (1, 2)]

    assert [one.pod for one in diagnosing.troubles(deployment, pods, sets)] == ["p2"]


REFUSED: JsonObject = {
    "type": "ReplicaFailure",
    "status": "True",
    "reason": "FailedCreate",
    "message": "exceeded quota",
}


def test_of_a_deployment_only_what_its_present_replica_set_is_refused_counts() -> None:
    revision = "deployment.kubernetes.io/revision"
    deployment = owned(
        "Deployment", "d", "", metadata={"annotations": {revision: "2"}}, status={"conditions": [REFUSED]}
    )
    old, new = (
        owned("ReplicaSet", f"rs{number}", "d", metadata={"annotations": {revision: str(number)}}) for number in (1, 2)
    )
    refused: JsonObject = {"status": {"conditions": [REFUSED]}}

    assert diagnosing.troubles(deployment, [], [old | refused]) == []
    assert diagnosing.troubles(deployment, [], [old | refused, new]) == []
    [found] = diagnosing.troubles(deployment, [], [old, new | refused])
    assert (found.name, found.message) == ("deployment d", "exceeded quota")


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"])
def test_before_a_controller_has_seen_what_was_changed_all_trouble_is_of_before(kind: str) -> None:
    status: JsonObject = {"observedGeneration": 1, "conditions": [REFUSED]}
    live = owned(kind, "w", "", metadata={"generation": 2}, status=status)
    sets = [owned("ReplicaSet", "rs", "w")] if kind == "Deployment" else []
    pods = [pod("p", "rs" if kind == "Deployment" else "w", **waiting("ImagePullBackOff"))]

    assert diagnosing.troubles(live, pods, sets) == []
    assert diagnosing.troubles(live | {"status": {**status, "observedGeneration": 2}}, pods, sets) != []


def test_of_a_daemon_set_only_pods_of_the_present_template_count() -> None:
    found = owned("DaemonSet", "agent", "", metadata={"annotations": {"deprecated.daemonset.template.generation": "2"}})
    pods = [
        owned("Pod", f"p{number}", "agent", metadata={"labels": {"pod-template-generation": str(number)}})
        for number in (1, 2)
    ]

    assert diagnosing.own_pods(found, pods) == [pods[1]]


def test_of_a_daemon_set_pods_that_were_never_replaced_count_once_another_template_is_taken_back() -> None:
    found = owned("DaemonSet", "agent", "", metadata={"annotations": {"deprecated.daemonset.template.generation": "3"}})

    def of(name: str, generation: str, revision: str) -> JsonObject:
        labels: JsonObject = {"pod-template-generation": generation, "controller-revision-hash": revision}
        return owned("Pod", name, "agent", metadata={"labels": labels})

    stayed, tried, made_again = of("a", "1", "first"), of("b", "2", "second"), of("c", "3", "first")

    assert diagnosing.own_pods(found, [stayed, tried, made_again]) == [stayed, made_again]


def test_of_a_stateful_set_only_the_updated_pods_count() -> None:
    found = owned("StatefulSet", "db", "", status={"updateRevision": "new"})
    pods = [
        owned("Pod", name, "db", metadata={"labels": {"controller-revision-hash": name}}) for name in ("old", "new")
    ]

    assert [one["metadata"]["name"] for one in diagnosing.own_pods(found, pods)] == ["new"]  # type: ignore[index,call-overload]  # a pod's


def test_what_is_final_comes_first() -> None:
    pods = [pod("a", "rs", **waiting("CrashLoopBackOff", restarts=1)), pod("b", "rs", **waiting("ImagePullBackOff"))]

    assert [one.pod for one in diagnosing.troubles(REPLICA_SET, pods)] == ["b", "a"]


def test_between_two_runs_a_crashing_container_may_be_told_as_terminated() -> None:
    def crashed(restarts: int, code: int = 3) -> JsonObject:
        state = {"terminated": {"exitCode": code, "reason": "Error"}}
        return pod("p", "rs", containerStatuses=[{"name": "c", "restartCount": restarts, "state": state}])

    found = {restarts: diagnosing.troubles(REPLICA_SET, [crashed(restarts)]) for restarts in (0, 2, 3)}

    assert [[one.is_final for one in troubles] for troubles in found.values()] == [[], [False], [True]]
    assert str(found[3][0]) == "pod p, container c: it ended 3 times, last with exit code 3 (Error) (CrashLoopBackOff)."
    assert diagnosing.troubles(REPLICA_SET, [crashed(3, code=0)]) == [], "an init container that has done its work"


def test_a_container_that_runs_without_being_ready_is_named_and_waited_for() -> None:
    running = {"name": "c", "restartCount": 0, "state": {"running": {}}, "started": True, "ready": False}

    [found] = diagnosing.troubles(REPLICA_SET, [pod("p", "rs", containerStatuses=[running])])

    assert (found.reason, found.container, found.has_log) == ("ContainersNotReady", "c", True)
    assert not found.is_hopeless(at(59))


def test_of_a_pod_that_is_being_prepared_its_newest_event_says_why() -> None:
    def event(reason: str, message: str, minute: int, uid: str = "p") -> JsonObject:
        told = f"2026-01-01T00:{minute:02d}:00Z"
        return {
            "involvedObject": {"uid": uid},
            "reason": reason,
            "message": message,
            "firstTimestamp": told,
            "lastTimestamp": told,
        }

    events = [
        event("FailedMount", 'secret "tls" not found', 1),
        event("FailedMount", "an older one", 0),
        event("Scheduled", "assigned", 2),
        event("FailedMount", "of another pod", 2, uid="q"),
    ]
    ready = pod("q", "rs", containerStatuses=[{"name": "c", "state": {"running": {}}}])

    [found] = diagnosing.of_events([pod("p", "rs", **waiting("ContainerCreating")), ready], events)

    assert str(found) == 'pod p: secret "tls" not found (FailedMount).'
    assert [found.is_hopeless(at(minute)) for minute in (1.5, 2)] == [False, True]


@pytest.mark.parametrize(
    ("reason", "message", "minutes"),
    [
        ("FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "tls" not found', 1),
        ("FailedMount", 'MountVolume.SetUp failed for volume "c" : configmap "cfg" not found', 1),
        ("FailedMount", "MountVolume.SetUp failed: configmap references non-existent config key: a", 1),
        ("FailedMount", "driver name ebs.csi.aws.com not found in the list of registered CSI drivers", 10),
        ("FailedMount", "Unable to attach or mount volumes: timed out waiting for the condition", 10),
        ("FailedAttachVolume", "Multi-Attach error for volume: it is already exclusively attached", 10),
        ("FailedCreatePodSandBox", "failed to set up the network: plugin isn't ready", 10),
    ],
)
def test_what_is_absent_is_given_up_soon_and_what_passes_by_itself_late(
    reason: str, message: str, minutes: int
) -> None:
    event = {
        "involvedObject": {"uid": "p"},
        "reason": reason,
        "message": message,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }

    [found] = diagnosing.of_events([pod("p", "rs", **waiting("ContainerCreating"))], [event])

    assert [found.is_hopeless(at(minute)) for minute in (minutes - 0.1, minutes)] == [False, True]


CREATED = "2026-01-01T00:10:00Z"


def lacking(kind: str, *, applied: str = CREATED, **status: Any) -> JsonObject:
    managed: JsonObject = {"manager": "gennaker", "operation": "Apply", "time": applied}
    written: JsonObject = {"manager": "kube-controller-manager", "operation": "Update", "time": "2026-01-01T09:00:00Z"}
    metadata: JsonObject = {"name": "w", "uid": "w", "creationTimestamp": CREATED, "managedFields": [managed, written]}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {}, "status": status}


def made(created: str, **metadata: Any) -> JsonObject:
    return {"kind": "Pod", "metadata": {"name": created, "creationTimestamp": created, **metadata}}


def refusal(minute: int, message: str = "exceeded quota", *, since: int = 0, uid: str = "w") -> JsonObject:
    return {
        "involvedObject": {"uid": uid},
        "reason": "FailedCreate",
        "message": message,
        "firstTimestamp": f"2026-01-01T00:{since or minute:02d}:00Z",
        "lastTimestamp": f"2026-01-01T00:{minute:02d}:00Z",
    }


LACKING = [lacking("StatefulSet"), lacking("DaemonSet", desiredNumberScheduled=1), lacking("Job")]


@pytest.mark.parametrize("workload", LACKING, ids=["stateful set", "daemon set", "job"])
def test_the_newest_event_says_why_and_it_is_waited_for_a_minute(workload: JsonObject) -> None:
    [found] = diagnosing.of_refusals(
        workload, [], [refusal(11, "first"), refusal(12, "second"), refusal(13, uid="other")]
    )

    assert (found.message, found.reason, found.name.rpartition(" ")[2]) == ("second", "FailedCreate", "w")
    assert found.passes_until == datetime(2026, 1, 1, 0, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("workload", "pods"),
    [
        (lacking("StatefulSet"), [made(CREATED)]),
        (lacking("DaemonSet", desiredNumberScheduled=0), []),
        (lacking("Job", active=1), []),
        (lacking("StatefulSet", applied="2026-01-01T00:20:00Z"), []),
        (lacking("Job"), [made("2026-01-01T00:20:00Z")]),
        (lacking("Deployment"), []),
        ({**lacking("StatefulSet"), "spec": {"replicas": 0}}, []),
        ({**lacking("StatefulSet"), "metadata": {**LACKING[0]["metadata"], "generation": 2}}, []),  # type: ignore[dict-item]  # a map
    ],
    ids=[
        "it has its pods",
        "it wants none",
        "one runs",
        "applied anew since",
        "a pod was made since",
        "it has a condition",
        "none wanted",
        "not seen yet",
    ],
)
def test_what_is_over_is_no_trouble(workload: JsonObject, pods: list[JsonObject]) -> None:
    assert diagnosing.of_refusals(workload, pods, [refusal(11)]) == []


def test_a_pod_that_leaves_is_none_and_after_one_that_was_made_the_minute_begins_anew() -> None:
    leaving = made("2026-01-01T00:12:00Z", deletionTimestamp=CREATED)

    [found] = diagnosing.of_refusals(lacking("StatefulSet"), [leaving], [refusal(15, since=11)])

    assert found.passes_until == datetime(2026, 1, 1, 0, 13, tzinfo=UTC)


def test_what_was_refused_before_whoever_waits_began_is_no_trouble_and_what_goes_on_is_given_a_minute_from_then() -> (
    None
):
    def found(last: int, began: datetime) -> list[diagnosing.Trouble]:
        return diagnosing.of_refusals(lacking("StatefulSet"), [], [refusal(last, since=11)], began=began)

    assert found(30, at(36)) == []
    assert found(36, at(36)) == found(40, at(36)) != []
    assert found(36, at(36))[0].passes_until == at(37)


@pytest.mark.parametrize(("behind", "is_seen"), [(20, True), (40, False)])
def test_a_clock_of_a_cluster_that_is_a_little_behind_hides_no_refusal(behind: int, *, is_seen: bool) -> None:
    began = at(36) + timedelta(seconds=behind)

    found = diagnosing.of_refusals(lacking("StatefulSet"), [], [refusal(36)], began=began)

    assert [one.passes_until for one in found] == ([began + timedelta(minutes=1)] if is_seen else [])
