"""Status: the rules of each kind that the golden cases leave out."""

from typing import Any

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import status
from gennaker.plugins.kubernetes.status import Condition, Status


def live(kind: str, spec: Any, own: Any = None, *, version: str = "apps/v1") -> JsonObject:
    made: JsonObject = {"apiVersion": version, "kind": kind, "metadata": {"name": "web", "generation": 4}, "spec": spec}
    if own is not None:
        made["status"] = {"observedGeneration": 4, **own}
    return made


def waits(message: str, *, is_available: bool = True) -> Status:
    return Status(
        stable=Condition(state=False, message=message),
        available=Condition(state=True) if is_available else Condition(state=False, message=message),
    )


ROLLING = {"replicas": 4, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
PLAIN = {"replicas": 4, "updateStrategy": {"type": "RollingUpdate"}}
DAEMON = {"updateStrategy": {"type": "RollingUpdate"}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (live("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}), Status()),
        (live("StatefulSet", PLAIN), status.NONE_REPORTED),
        (
            live("StatefulSet", PLAIN, {"observedGeneration": 3}),
            waits("Waiting for status generation to match updated object generation"),
        ),
        (
            live("StatefulSet", PLAIN, {"replicas": 3}),
            waits("Waiting for at least the desired replica count to be met"),
        ),
        (
            live("StatefulSet", PLAIN, {"replicas": 4, "readyReplicas": 3}),
            waits("Waiting for all updated replicas to be ready"),
        ),
        (
            live("StatefulSet", ROLLING, {"replicas": 4, "readyReplicas": 4, "updatedReplicas": 2}),
            waits("Waiting for partitioned roll out to finish"),
        ),
        (
            live("StatefulSet", ROLLING, {"replicas": 4, "readyReplicas": 4, "updatedReplicas": 3}),
            Status(stable=Condition(state=True, message="Partitioned roll out complete")),
        ),
        (
            live("StatefulSet", PLAIN, {"replicas": 4, "readyReplicas": 4, "updatedReplicas": 4, "currentReplicas": 3}),
            waits("Waiting for all updated replicas to be scheduled"),
        ),
        (
            live(
                "StatefulSet",
                PLAIN,
                {
                    "replicas": 4,
                    "readyReplicas": 4,
                    "currentReplicas": 4,
                    "currentRevision": "a",
                    "updateRevision": "b",
                },
            ),
            waits("Waiting for the updated revision to match the current revision"),
        ),
        (
            live("DaemonSet", DAEMON, {"desiredNumberScheduled": 2, "currentNumberScheduled": 1}),
            waits("Waiting for all replicas to be scheduled"),
        ),
        (
            live("DaemonSet", DAEMON, {"desiredNumberScheduled": 2, "currentNumberScheduled": 2}),
            waits("Waiting for all updated replicas to be scheduled"),
        ),
        (
            live(
                "DaemonSet",
                DAEMON,
                {"desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1},
            ),
            waits("Waiting for all replicas to be available"),
        ),
        (
            live("ReplicaSet", {"replicas": 2}, {"fullyLabeledReplicas": 1}),
            waits("Waiting for all replicas to be fully-labeled", is_available=False),
        ),
        (
            live("ReplicaSet", {"replicas": 0}, {"observedGeneration": 3}),
            waits("Waiting for replicaset spec update to be observed"),
        ),
        (live("CronJob", {}, version="batch/v1"), status.NONE_REPORTED),
        (live("CronJob", {}, {}, version="batch/v1"), Status()),
        (live("Pod", {}, {"phase": "Pending"}, version="v1"), waits("Pod is pending", is_available=False)),
        (live("Pod", {}, {}, version="v1"), waits("Pod phase is unknown", is_available=False)),
        (
            live("HorizontalPodAutoscaler", {}, {"desiredReplicas": 3, "currentReplicas": 1}, version="autoscaling/v2"),
            waits("Waiting for HPA to complete a scale up, current: 1 desired: 3"),
        ),
        (
            live("HorizontalPodAutoscaler", {}, {"currentReplicas": 1}, version="autoscaling/v2"),
            waits("Waiting for HPA to complete a scale down, current: 1 desired: 0"),
        ),
        (live("StatefulSet", {"replicas": 4}, {"phase": "Broken"}, version="acme.io/v1"), Status()),
        (live("Ingress", {}, version="networking.k8s.io/v1"), Status()),
    ],
)
def test_an_object_waits_for_the_first_thing_that_is_missing(given: JsonObject, expected: Status) -> None:
    assert status.of(given) == expected


def test_a_deployment_says_why_it_is_unavailable_and_what_it_waits_for() -> None:
    conditions = [
        {"type": "Available", "status": "False", "message": "not enough"},
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too late"},
    ]

    found = status.of(
        live("Deployment", {"replicas": 2}, {"replicas": 3, "updatedReplicas": 2, "conditions": conditions})
    )

    assert found == Status(
        stable=Condition(state=False, message="Waiting for old replicas to finish termination"),
        available=Condition(state=False, message="not enough"),
        failed=Condition(state=True, message="Deployment exceeded its progress deadline"),
    )


def test_a_failed_job_is_failed_and_stable() -> None:
    own = {"conditions": [{"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}]}

    found = status.of(live("Job", {}, own, version="batch/v1"))

    assert found == Status(failed=Condition(state=True, message="BackoffLimitExceeded"))


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
def test_an_old_api_version_of_a_workload_is_refused(kind: str) -> None:
    with pytest.raises(Refused) as refused:
        status.of(live(kind, {}, {}, version="extensions/v1beta1"))

    assert refused.value.problems[0].code == "manifest.api_version"
