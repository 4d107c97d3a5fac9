"""Gate's routes to what runs, over workloads that were deployed as manifests."""

from typing import Any

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.kubernetes_cluster import ACCOUNT, Cluster, service, workload

NAME = "replicaSet web-v000"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-v000-a", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "acme/web"}]},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


def answers(*paths: str) -> list[Any]:
    cluster, found = Cluster(), []
    cluster.deploy(
        service(), workload("ReplicaSet", annotations={"traffic.spinnaker.io/load-balancers": '["service lb"]'})
    )
    owner = cluster.api.object("replicasets", "web-v000")
    reference = {"kind": "ReplicaSet", "name": "web-v000", "uid": owner["metadata"]["uid"], "controller": True}
    cluster.api.put({**POD, "metadata": {**POD["metadata"], "namespace": "shop", "ownerReferences": [reference]}})
    cluster.api.logs["web-v000-a", "web"] = "listening"
    cluster.deploy(workload("ReplicaSet", "hidden", annotations={"caching.spinnaker.io/ignore": "true"}))

    async def work(site: Website) -> None:
        await site.ports.services.definitions.save("application", "shop", {"name": "shop"}, author="ada")
        found.extend([(await site.get(path)).json for path in paths])

    visit(work, harness=cluster.harness)
    return found


def test_a_workload_is_shown_as_clouddriver_shows_it() -> None:
    ((group,),) = answers("/applications/shop/serverGroups")

    expected = {
        "name": NAME,
        "displayName": "web-v000",
        "kind": "replicaSet",
        "apiVersion": "apps/v1",
        "region": "shop",
        "namespace": "shop",
        "cluster": "replicaSet web",
        "capacity": {"desired": 2},
        "zones": [],
        "securityGroups": [],
        "loadBalancers": ["service lb"],
        "isDisabled": False,
    }
    assert {key: group[key] for key in expected} == expected
    assert group["buildInfo"]["images"] == ["acme/web"]
    assert [(one["id"], one["name"]) for one in group["instances"]] == [("uid-3", "pod web-v000-a")]


@pytest.mark.parametrize("name", [NAME, "web-v000"])
def test_it_is_found_by_clouddrivers_name_and_by_its_own(name: str) -> None:
    cluster = f"/applications/shop/clusters/{ACCOUNT}/replicaSet web/kubernetes/serverGroups/{name}?region=shop"
    paths = (f"/serverGroups/{ACCOUNT}/shop/{name}", f"/applications/shop/serverGroups/{ACCOUNT}/shop/{name}", cluster)

    assert [one["name"] for one in answers(*(path.replace(" ", "%20") for path in paths))] == [NAME] * 3


@pytest.mark.parametrize("named", ["uid-3", "web-v000-a", "pod%20web-v000-a"])
def test_a_pod_is_found_by_uid_and_names(named: str) -> None:
    (found,) = answers(f"/instances/{ACCOUNT}/shop/{named}")

    assert (found["name"], found["serverGroup"], found["application"]) == ("pod web-v000-a", NAME, "shop")


@pytest.mark.parametrize("named", ["uid-3", "web-v000-a", "pod%20web-v000-a"])
def test_a_pods_log_is_that_of_each_of_its_containers(named: str) -> None:
    (found,) = answers(f"/instances/{ACCOUNT}/shop/{named}/console?provider=kubernetes")

    assert found == {"output": [{"name": "web", "output": "listening"}]}


def test_of_a_pod_that_is_gone_clouddrivers_words_are_the_log() -> None:
    (found,) = answers(f"/instances/{ACCOUNT}/shop/pod%20gone/console")

    assert [one["name"] for one in found["output"]] == ["Error"]


def test_a_service_is_shown_with_the_workloads_behind_it() -> None:
    of_application, every, one = answers(
        "/applications/shop/loadBalancers",
        "/loadBalancers?provider=kubernetes",
        f"/loadBalancers/{ACCOUNT}/shop/service%20lb",
    )

    assert of_application == every == one
    (found,) = one
    assert {key: found[key] for key in ("name", "account", "region", "cloudProvider")} == {
        "name": "service lb",
        "account": ACCOUNT,
        "region": "shop",
        "cloudProvider": "kubernetes",
    }
    ((name, pods),) = [(each["name"], each["instances"]) for each in found["serverGroups"]]
    assert (name, [each["name"] for each in pods]) == (NAME, ["pod web-v000-a"])
