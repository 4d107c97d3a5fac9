"""Delete Manifest: what is meant goes, and what belongs to it."""

import asyncio
from typing import Any

import pytest
from tests import make
from tests.fakes.kubernetes_api import KubernetesApi
from tests.harness import problem_of, reached
from tests.kubernetes_cluster import ACCOUNT, Cluster, first, settle, with_groups, workload

from gennaker.interfaces.services import Services
from gennaker.model.statuses import Status


@pytest.fixture
def cluster() -> Cluster:
    return with_groups()


@pytest.mark.parametrize(
    ("keys", "gone"),
    [
        ({"manifestName": "replicaSet web-v001"}, "web-v001"),
        ({"manifestName": "rs web-v001"}, "web-v001"),
        ({"mode": "dynamic", "criteria": "newest", "kind": "replicaSet", "cluster": "replicaSet web"}, "web-v002"),
        ({"criteria": "second_newest", "kind": "replicaSet", "cluster": "replicaSet web"}, "web-v001"),
        ({"criteria": "oldest", "cluster": "replicaSet web"}, "web-v000"),
        ({"criteria": "oldest", "cluster": "replicaSet web", "manifestName": "replicaSet web-v001"}, "web-v000"),
        ({"criteria": "smallest", "cluster": "replicaSet web"}, "web-v002"),
    ],
)
def test_the_object_that_is_meant_is_deleted(cluster: Cluster, keys: dict[str, Any], gone: str) -> None:
    execution = cluster.run("deleteManifest", location="shop", **keys)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert gone not in cluster.api.names("replicasets")
    assert len(cluster.api.names("replicasets")) == 2
    assert first(execution).outputs["manifest.name"] == f"replicaSet {gone}"


def test_deleting_what_is_not_there_is_fine(cluster: Cluster) -> None:
    assert (
        cluster.run("deleteManifest", location="shop", manifestName="replicaSet gone").head.status is Status.SUCCEEDED
    )


def test_labels_select_what_is_deleted(cluster: Cluster) -> None:
    for name, tier in (("a", "front"), ("b", "back")):
        own = workload("Deployment", name)
        own["metadata"]["labels"] = {"tier": tier}
        cluster.api.put(own)
    selectors = {"selectors": [{"kind": "EQUALS", "key": "tier", "values": ["front"]}]}

    execution = cluster.run("deleteManifest", location="shop", kinds=["deployment"], labelSelectors=selectors)
    nothing = cluster.run("deleteManifest", location="shop", kinds=["deployment"])

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("deployments") == ["b"]
    assert "everything would be meant" in problem_of(nothing)


@pytest.mark.parametrize(
    ("options", "pods"),
    [
        ({}, []),
        ({"cascading": "false"}, ["p"]),
        ({"orphanDependents": True, "cascading": "true"}, ["p"]),
        ({"cascading": "foreground"}, []),
    ],
)
def test_what_belongs_to_it_goes_or_stays(cluster: Cluster, options: dict[str, Any], pods: list[str]) -> None:
    uid = cluster.api.object("replicasets", "web-v000")["metadata"]["uid"]
    owner = {"kind": "ReplicaSet", "name": "web-v000", "uid": uid}
    cluster.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "ownerReferences": [owner]}})

    cluster.run("deleteManifest", location="shop", manifestName="replicaSet web-v000", options=options)

    assert cluster.api.names("pods") == pods


def test_a_namespace_that_the_account_may_not_use_is_refused() -> None:
    cluster = Cluster(omit_namespaces=("kube-system",))

    execution = cluster.run("deleteManifest", location="kube-system", manifestName="deployment dns")

    assert "may not use the namespace 'kube-system'" in problem_of(execution)
    assert cluster.api.asked == []


def test_a_deletion_that_a_finalizer_holds_is_waited_for(cluster: Cluster) -> None:
    held = cluster.api.object("replicasets", "web-v000")
    held["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    held["metadata"]["finalizers"] = ["acme.io/hold"]
    cluster.api.held = {"web-v000"}
    said: list[str] = []

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deleteManifest", task="waitForDeletion")
        await asyncio.sleep(5)
        found = await services.executions.get(execution_id)
        assert found is not None
        said.extend(str(task.waiting_for) for stage in found.in_order() for task in stage.tasks if task.waiting_for)
        cluster.api.held = set()
        cluster.api.remove("replicasets", "web-v000")

    execution = cluster.run("deleteManifest", location="shop", manifestName="replicaSet web-v000", meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert "acme.io/hold" in said[0]


def test_an_object_is_not_gone_because_a_watch_still_shows_it_as_staying(cluster: Cluster) -> None:
    cluster.api.held = {"web-v000"}
    where = {"account": ACCOUNT, "cloudProvider": "kubernetes", "location": "shop"}
    watching = make.stage_json("1", type="scaleManifest", manifestName="replicaSet web-v001", replicas=2, **where)
    deleting = make.stage_json("2", "1", type="deleteManifest", manifestName="replicaSet web-v000", **where)

    def until_it_leaves(api: KubernetesApi, what: str, found: dict[str, Any]) -> None:
        if "deletionTimestamp" in found["metadata"]:
            api.is_behind = True
        else:
            settle(api, what, found)

    cluster.api.behaviour = until_it_leaves

    async def later(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "deleteManifest", task="waitForDeletion")
        await asyncio.sleep(5)
        found = await services.executions.get(execution_id)
        assert found is not None
        assert not found.head.status.is_complete, "its finalizer holds it"
        cluster.api.held, cluster.api.is_behind = set(), False
        cluster.api.remove("replicasets", "web-v000")

    execution = cluster.harness.run(make.config(watching, deleting), meanwhile=later)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
