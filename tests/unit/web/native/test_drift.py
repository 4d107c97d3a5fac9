"""Drift in the native API."""

from typing import Any

from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.kubernetes_cluster import ACCOUNT, Cluster, workload


def test_drift_is_shown_by_object_and_field() -> None:
    cluster = Cluster()
    cluster.deploy(workload())
    found: list[Any] = []

    async def work(site: Website) -> None:
        found.append((await site.get("/api/v1/applications/shop/drift")).json)
        live = cluster.api.object("deployments", "web")
        cluster.api.put({**live, "spec": {**live["spec"], "replicas": 5}})
        found.append((await site.get(f"/api/v1/applications/shop/drift?account={ACCOUNT}")).json)
        found.append((await site.get("/api/v1/applications/shop/drift?account=other")).json)

    visit(work, harness=cluster.harness)

    same, drifted, other = found
    assert (same["drifted"], [one["state"] for one in same["objects"]]) == (False, ["same"])
    assert drifted["drifted"] is True
    assert drifted["objects"] == [
        {
            "account": ACCOUNT,
            "location": "shop",
            "name": "deployment web",
            "state": "drifted",
            "changes": [{"path": "/spec/replicas", "live": 5, "desired": 2, "by": []}],
            "why": "",
        }
    ]
    assert other == {"application": "shop", "drifted": False, "objects": [], "missing": {}}


def test_kinds_that_can_t_be_looked_at_are_said() -> None:
    cluster = Cluster()
    cluster.api.forbidden["GET secrets"] = "no"
    found: list[Any] = []

    async def work(site: Website) -> None:
        found.append((await site.get("/api/v1/applications/shop/drift")).json)

    visit(work, harness=cluster.harness)

    assert found[0]["missing"][ACCOUNT]["code"] == "kubernetes.unread"
