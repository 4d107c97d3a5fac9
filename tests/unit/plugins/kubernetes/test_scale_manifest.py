"""Scale Manifest."""

from typing import Any

import pytest
from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, with_groups

from gennaker.model.statuses import Status


@pytest.fixture
def cluster() -> Cluster:
    return with_groups()


def test_scaling_sets_the_replicas_and_waits(cluster: Cluster) -> None:
    execution = cluster.run("scaleManifest", location="shop", manifestName="replicaSet web-v000", replicas="7")

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.object("replicasets", "web-v000")["spec"]["replicas"] == 7
    assert cluster.api.object("replicasets", "web-v000")["status"]["readyReplicas"] == 7


@pytest.mark.parametrize(
    ("keys", "piece"),
    [
        ({"manifestName": "daemonSet web", "replicas": 1}, "can't be scaled"),
        ({"manifestName": "replicaSet web-v000", "replicas": "many"}, "no number"),
        ({"manifestName": "replicaSet gone", "replicas": 1}, "There is no replicaSet gone"),
        ({"manifestName": "gone", "replicas": 1}, "doesn't name a manifest"),
        ({"replicas": 1}, "doesn't say which object"),
        ({"criteria": "newest", "cluster": "replicaSet other", "replicas": 1}, "means no object"),
    ],
)
def test_scaling_that_cannot_work_says_why(cluster: Cluster, keys: dict[str, Any], piece: str) -> None:
    assert piece in problem_of(cluster.run("scaleManifest", location="shop", **keys))
