"""Gate's routes to accounts."""

from typing import Any

from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.kubernetes_cluster import ACCOUNT, Cluster

from gennaker.kubernetes_settings import CustomResourceSettings

WIDGET = CustomResourceSettings(kind="Widget.acme.io", spinnaker_kind="serverGroups")
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


def test_an_account_of_manifests_says_from_what_editors_choose_also_while_it_doesnt_answer() -> None:
    cluster, found = Cluster(custom_resources=(WIDGET,)), []
    cluster.api.put(NAMESPACE, "")

    async def work(site: Website) -> None:
        for is_down in (False, True):
            cluster.api.is_down = is_down
            found.append((await site.get("/credentials?expand=true")).json)
        cluster.api.is_down = False
        found.append([(await site.get(f"/credentials/{ACCOUNT}")).json])

    visit(work, harness=cluster.harness)

    for listed in found:
        (own,) = [one for one in listed if one["name"] == ACCOUNT]
        assert own["namespaces"] == [one["name"] for one in own["regions"]]
        assert "shop" in own["namespaces"]
        kinds: dict[str, Any] = own["spinnakerKindMap"]
        assert kinds["deployment"] == "serverGroupManagers"
        assert kinds["replicaSet"] == "serverGroups"
        assert kinds["configMap"] == "configs"
        assert kinds["Widget.acme.io"] == "serverGroups"


def test_who_asks_is_told_of_the_accounts_also_while_one_doesnt_answer() -> None:
    cluster, told = Cluster(), []

    async def work(site: Website) -> None:
        cluster.api.is_down = True
        told.append((await site.get("/auth/user")).json["allowedAccounts"])

    visit(work, harness=cluster.harness)

    assert ACCOUNT in told[0]
