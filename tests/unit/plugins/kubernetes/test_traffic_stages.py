"""Enabling and disabling: labels of pods."""

from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, service, workload

from gennaker.model.statuses import Status


def behind_a_service(cluster: Cluster, pods: int) -> None:
    own = {"traffic.spinnaker.io/load-balancers": '["service lb"]'}
    uid = cluster.api.put(workload("ReplicaSet", "web-v000", annotations=own))["metadata"]["uid"]
    cluster.api.put(service())
    for number in range(pods):
        owner = {"kind": "ReplicaSet", "name": "web-v000", "uid": uid}
        metadata = {"name": f"web-v000-{number}", "labels": {"app": "web", "lb": "on"}, "ownerReferences": [owner]}
        cluster.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    cluster.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "labels": {"lb": "on"}}})


def test_disabling_takes_the_pods_out_and_enabling_brings_them_back() -> None:
    cluster = Cluster()
    behind_a_service(cluster, 3)

    def with_label() -> list[str]:
        names = cluster.api.names("pods")
        return [name for name in names if "lb" in cluster.api.object("pods", name)["metadata"]["labels"]]

    off = cluster.run("disableManifest", location="shop", manifestName="replicaSet web-v000")
    without = with_label()
    on = cluster.run("enableManifest", location="shop", manifestName="replicaSet web-v000")

    assert off.head.status is Status.SUCCEEDED, problem_of(off)
    assert on.head.status is Status.SUCCEEDED, problem_of(on)
    assert without == ["other"]
    assert sorted(with_label()) == ["other", "web-v000-0", "web-v000-1", "web-v000-2"]


def test_a_service_that_is_gone_is_named() -> None:
    cluster = Cluster()
    behind_a_service(cluster, 0)
    cluster.api.remove("services", "lb")

    execution = cluster.run("disableManifest", location="shop", manifestName="replicaSet web-v000")

    assert "There is no service lb" in problem_of(execution)
