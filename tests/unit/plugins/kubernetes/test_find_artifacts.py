"""Finding artifacts and targets."""

from typing import Any

import pytest
from tests.kubernetes_cluster import Cluster, first, with_groups

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "data": {"token": "czNjcjN0"}}


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


@pytest.mark.parametrize(
    ("kind", "keys", "key"),
    [
        ("findArtifactsFromResource", {}, "manifest"),
        ("patchManifest", {"patchBody": {"metadata": {"labels": {"a": "b"}}}}, "outputs.manifests"),
    ],
)
def test_what_a_secret_holds_is_not_kept(cluster: Cluster, kind: str, keys: dict[str, Any], key: str) -> None:
    cluster.api.put(SECRET)

    execution = cluster.run(kind, location="shop", manifestName="secret token", **keys)

    stage = first(execution)
    assert "token" in str(stage.outputs[key])
    assert "czNjcjN0" not in f"{stage.outputs}{stage.context}"
