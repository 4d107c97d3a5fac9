"""Drift in the native API."""

from typing import Any

import pytest
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

    visit(work, harness=cluster.harness)

    same, drifted = found
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


def test_kinds_that_can_t_be_looked_at_are_said() -> None:
    cluster = Cluster()
    cluster.api.forbidden["GET secrets"] = "no"
    found: list[Any] = []

    async def work(site: Website) -> None:
        found.append((await site.get("/api/v1/applications/shop/drift")).json)

    visit(work, harness=cluster.harness)

    assert found[0]["missing"][ACCOUNT]["code"] == "kubernetes.unread"


@pytest.mark.parametrize(
    ("asked", "code", "remedy"),
    [
        ("shop/drift?account=podr", "account.unknown", "Did you mean 'prod'?"),
        ("shop/drift?account=other", "account.unknown", "Correct the name."),
        ("shpo/drift", "application.unknown", "Did you mean 'shop'?"),
        ("elsewhere/drift", "application.unknown", "Correct the name."),
    ],
)
def test_a_slip_of_the_pen_is_no_absence_of_drift(asked: str, code: str, remedy: str) -> None:
    cluster = Cluster()
    found: list[Any] = []

    async def work(site: Website) -> None:
        await site.post("/api/v1/pipelines", {"application": "shop", "name": "deliver", "stages": []})
        found.append(await site.get(f"/api/v1/applications/{asked}"))
        found.append(await site.get("/api/v1/applications/Shop/drift"))

    visit(work, harness=cluster.harness)

    refused, known = found
    assert refused.status == 404
    assert [(one["code"], one["remedy"]) for one in refused.json["problems"]] == [(code, remedy)]
    assert known.json == {"application": "Shop", "drifted": False, "objects": [], "missing": {}}
