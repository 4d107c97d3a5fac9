"""Rollouts: undoing, pausing, restarting."""

from typing import Any

import pytest
from tests.harness import problem_of, reached
from tests.kubernetes_cluster import Cluster, workload

from gennaker.interfaces.services import Services
from gennaker.model.statuses import Status


def rolled_out(cluster: Cluster, revisions: int) -> str:
    """A Deployment with so many revisions, as its controller leaves them."""
    revision = "deployment.kubernetes.io/revision"
    made = cluster.api.put(workload("Deployment", annotations={revision: str(revisions)}))
    uid: str = made["metadata"]["uid"]
    for number in range(1, revisions + 1):
        template = {
            "metadata": {"labels": {"app": "web", "pod-template-hash": f"h{number}"}},
            "spec": {"containers": [{"name": "web", "image": f"acme/web:{number}"}]},
        }
        own = workload("ReplicaSet", f"web-h{number}", annotations={revision: str(number)}, template=template)
        own["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "web", "uid": uid}]
        cluster.api.put(own)
    return uid


@pytest.mark.parametrize(
    ("keys", "image"),
    [
        ({"revision": 1}, "acme/web:1"),
        ({"numRevisionsBack": "2"}, "acme/web:2"),
        ({"numRevisionsBack": "2", "revision": 1}, "acme/web:2"),
        ({}, "acme/web:3"),
    ],
)
@pytest.mark.parametrize("kill_at", [(), ("effect.after:RunTask:undoRolloutManifest.undoRolloutManifest#2",)])
def test_a_rollout_goes_back_to_the_revision_that_is_meant(
    keys: dict[str, Any], image: str, kill_at: tuple[str, ...]
) -> None:
    cluster = Cluster()
    rolled_out(cluster, 4)

    execution = cluster.run(
        "undoRolloutManifest", location="shop", manifestName="deployment web", kill_at=kill_at, **keys
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    template = cluster.api.object("deployments", "web")["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == image
    assert template["metadata"]["labels"] == {"app": "web"}


@pytest.mark.parametrize(
    ("keys", "piece"),
    [
        ({"revision": 9}, "no revision 9"),
        ({"numRevisionsBack": 4}, "too few revisions to go back 4. There are: 1, 2, 3, 4"),
        ({"revision": "x"}, "no number"),
    ],
)
def test_a_revision_that_is_not_there_is_named(keys: dict[str, Any], piece: str) -> None:
    cluster = Cluster()
    rolled_out(cluster, 4)

    assert piece in problem_of(
        cluster.run("undoRolloutManifest", location="shop", manifestName="deployment web", **keys)
    )


def test_a_stateful_set_goes_back_by_its_controller_revisions() -> None:
    cluster = Cluster()
    uid = cluster.api.put(workload("StatefulSet", "db"))["metadata"]["uid"]
    for number in (1, 2):
        data = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": f"acme/db:{number}"}]}}}}
        owner = {"kind": "StatefulSet", "name": "db", "uid": uid}
        metadata = {"name": f"db-{number}", "ownerReferences": [owner]}
        cluster.api.put(
            {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": metadata,
                "revision": number,
                "data": data,
            }
        )

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "undoRolloutManifest", task="waitForManifestToStabilize")
        status = dict.fromkeys(("replicas", "readyReplicas", "currentReplicas", "updatedReplicas"), 2)
        cluster.api.set_status("statefulsets", "db", status)

    execution = cluster.run("undoRolloutManifest", location="shop", manifestName="statefulSet db", meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    container = cluster.api.object("statefulsets", "db")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "acme/db:1"


def test_pausing_and_resuming_switch_one_field() -> None:
    cluster = Cluster()
    cluster.api.put(workload())

    cluster.run("pauseRolloutManifest", location="shop", manifestName="deployment web")
    paused = cluster.api.object("deployments", "web")["spec"]["paused"]
    cluster.run("resumeRolloutManifest", location="shop", manifestName="deployment web")

    assert (paused, cluster.api.object("deployments", "web")["spec"]["paused"]) == (True, False)
    refused = cluster.run("pauseRolloutManifest", location="shop", manifestName="statefulSet db")
    assert "can't be paused" in problem_of(refused)


def test_a_restart_replaces_pods_once_even_after_a_crash() -> None:
    cluster = Cluster()
    cluster.api.put(workload())

    point = "effect.after:RunTask:rollingRestartManifest.rollingRestartManifest"
    cluster.run("rollingRestartManifest", location="shop", manifestName="deployment web", kill_at=(point,))

    found = cluster.api.object("deployments", "web")
    assert found["metadata"]["generation"] == 2
    assert "kubectl.kubernetes.io/restartedAt" in found["spec"]["template"]["metadata"]["annotations"]
