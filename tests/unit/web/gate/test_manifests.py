"""Gate's routes to live manifests, over an API server in memory."""

from datetime import timedelta
from typing import Any

from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.kubernetes_cluster import ACCOUNT, Cluster, config_map, with_groups, workload

from gennaker.access.credentials import Token
from gennaker.access.identities import Person
from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal

OF_CLUSTER = f"/manifests/{ACCOUNT}/shop/replicaSet/cluster/shop/replicaSet%20web"


def answers(cluster: Cluster, *paths: str) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []

    async def work(site: Website) -> None:
        for path in paths:
            answer = await site.get(path)
            found.append((answer.status, answer.json))

    visit(work, harness=cluster.harness)
    return found


def test_a_manifest_is_shown_as_clients_of_gate_want_it() -> None:
    cluster = Cluster()
    cluster.deploy(workload(), config_map(mode="fast"))

    ((status, found),) = answers(cluster, f"/manifests/{ACCOUNT}/shop/deployment%20web?includeEvents=true")

    assert status == 200
    assert {key: found[key] for key in ("account", "name", "location", "events", "warnings", "metrics")} == {
        "account": ACCOUNT,
        "name": "deployment web",
        "location": "shop",
        "events": [],
        "warnings": [],
        "metrics": [],
    }
    assert found["moniker"]["cluster"] == "deployment web"
    assert found["manifest"]["spec"]["replicas"] == 2
    assert found["status"]["stable"]["state"] is True
    assert [one["type"] for one in found["artifacts"]] == ["docker/image", "kubernetes/configMap"]


def test_what_has_no_namespace_is_found_by_an_underscore() -> None:
    cluster = Cluster()
    cluster.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, "")

    ((status, found),) = answers(cluster, f"/manifests/{ACCOUNT}/_/namespace%20shop")

    assert (status, found["name"], found["location"]) == (200, "namespace shop", "")


def test_objects_of_a_cluster_have_coordinates_and_criteria() -> None:
    every, newest, none = answers(
        with_groups(), OF_CLUSTER, f"{OF_CLUSTER}/dynamic/second_newest", f"{OF_CLUSTER}x/dynamic/newest"
    )

    assert [one["name"] for one in every[1]] == ["web-v000", "web-v001", "web-v002"]
    assert newest == (200, {"kind": "replicaSet", "namespace": "shop", "name": "web-v001"})
    assert none[0] == 404


def test_accounts_and_objects_that_are_not_there_are_404() -> None:
    found = answers(Cluster(), "/manifests/other/shop/deployment%20web", f"/manifests/{ACCOUNT}/shop/deployment%20web")

    assert [status for status, _ in found] == [404, 404]


def test_whoever_may_not_read_an_application_doesn_t_see_its_objects() -> None:
    cluster = Cluster(must_sign_in=True)
    cluster.api.put(workload(annotations={"moniker.spinnaker.io/application": "shop"}))
    cluster.api.put(config_map("open", mode="fast"))
    cluster.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop-a"}, "spec": {"containers": []}})
    cluster.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "open-a"}, "spec": {"containers": []}})
    paths = (
        f"/manifests/{ACCOUNT}/shop/deployment%20web",
        f"/instances/{ACCOUNT}/shop/pod%20shop-a/console",
        f"/manifests/{ACCOUNT}/shop/configMap%20open",
        f"/instances/{ACCOUNT}/shop/pod%20open-a/console",
    )
    found: list[int] = []

    async def work(site: Website) -> None:
        definitions = site.ports.services.definitions
        owned: JsonObject = {"name": "shop", "permissions": {"READ": ["owners"]}}
        await definitions.save("application", "shop", owned, author="test")
        await definitions.save("application", "open", {"name": "open"}, author="test")
        now = site.ports.services.clock.now()
        await site.sign_in.identities.add_person(Person(name="ada", roles=("dev",), since=now))
        token = await site.sign_in.new_token(
            Token(
                id="", name="t", holder="ada", scopes=None, made_by="test", made_at=now, until=now + timedelta(days=1)
            ),
            by=Principal(name="operator", is_operator=True),
        )
        found.extend([(await site.call("GET", path, token=token)).status for path in paths])

    visit(work, harness=cluster.harness)

    assert found == [403, 403, 200, 200]
