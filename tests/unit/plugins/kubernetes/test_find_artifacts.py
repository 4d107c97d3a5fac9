"""Finding artifacts and targets."""

import pytest
from tests.kubernetes_cluster import Cluster, first, with_groups


@pytest.fixture
def cluster() -> Cluster:
    return with_groups()


def test_what_an_object_refers_to_becomes_artifacts(cluster: Cluster) -> None:
    execution = cluster.run("findArtifactsFromResource", location="shop", manifestName="replicaSet web-v000")

    assert first(execution).outputs["artifacts"] == [
        {"type": "docker/image", "name": "acme/web", "reference": "acme/web"},
        {"type": "kubernetes/configMap", "name": "cfg", "reference": "cfg"},
    ]


def test_a_target_is_resolved_for_later_stages(cluster: Cluster) -> None:
    execution = cluster.run("resolveTargetManifest", location="shop", criteria="largest", cluster="replicaSet web")

    assert first(execution).outputs["manifest.name"] == "replicaSet web-v000"
