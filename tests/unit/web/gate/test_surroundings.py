"""What is deployed as manifests and is no server group, in Clouddriver's form: managers, load balancers, firewalls."""

from datetime import timedelta
from typing import Any

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.kubernetes_cluster import ACCOUNT, Cluster, Object, service, workload

from gennaker.access.credentials import Token
from gennaker.access.identities import Person
from gennaker.model.principal import Principal

OWN = {"moniker.spinnaker.io/application": "shop", "moniker.spinnaker.io/cluster": "deployment web"}
INGRESS: Object = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "front"},
    "spec": {"defaultBackend": {"service": {"name": "lb", "port": {"number": 80}}}},
}
POLICY: Object = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "guard"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"ports": [{"protocol": "TCP", "port": 8080}, {"protocol": "UDP", "port": "dns"}]}],
        "egress": [{"ports": [{"protocol": "TCP", "port": 1024, "endPort": 2048}, {"protocol": "TCP"}]}, {}],
    },
}
GUARD = {"id": "networkPolicy guard", "name": "networkPolicy guard"}
NAMES = ("firewalls", "securityGroups")
MONIKER = {"app": "shop", "stack": None, "detail": None}


def cluster(**keys: Any) -> Cluster:
    """A Deployment with two ReplicaSets, the newer with a pod; behind it a Service; an Ingress and a NetworkPolicy."""
    made = Cluster(**keys)
    made.deploy(service(), workload(), INGRESS, POLICY, workload("DaemonSet", "agent"))
    manager = made.api.object("deployments", "web")["metadata"]["uid"]
    for revision in (1, 2):
        own = {**OWN, "deployment.kubernetes.io/revision": str(revision)}
        owner = {"kind": "Deployment", "name": "web", "uid": manager, "controller": True}
        version = workload("ReplicaSet", f"web-{revision}", annotations=own)
        made.api.put({**version, "metadata": {**version["metadata"], "ownerReferences": [owner]}})
    newest = made.api.object("replicasets", "web-2")["metadata"]["uid"]
    owner = {"kind": "ReplicaSet", "name": "web-2", "uid": newest, "controller": True}
    pod = {"name": "web-2-a", "namespace": "shop", "labels": {"app": "web"}, "ownerReferences": [owner]}
    made.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": {"containers": []}})
    made.api.put({**POLICY, "metadata": {"name": "of-nobody"}})
    return made


GUARDED = f"{ACCOUNT}/shop/networkPolicy guard?provider=kubernetes"
PATHS = (
    "/applications/shop/serverGroupManagers",
    "/applications/shop/serverGroups",
    "/applications/shop/clusters",
    f"/serverGroups/{ACCOUNT}/shop/replicaSet web-2",
    "/applications/shop/loadBalancers",
    "/loadBalancers?provider=kubernetes",
    f"/loadBalancers/{ACCOUNT}/shop/ingress front",
    *(f"/{named}{rest}" for named in NAMES for rest in ("", f"/{ACCOUNT}", f"/{ACCOUNT}?provider=aws", f"/{GUARDED}")),
    "/search?q=guard&type=securityGroups",
    "/search?q=front&type=loadBalancers",
)


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """What each path shows: a server for each test would take most of the time."""
    return answers(cluster(), *PATHS)


def answers(made: Cluster, *paths: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def work(site: Website) -> None:
        await site.ports.services.definitions.save("application", "shop", {"name": "shop"}, author="ada")
        for path in paths:
            found[path] = (await site.get(path.replace(" ", "%20"))).json

    visit(work, harness=made.harness)
    return found


def part(found: dict[str, Any], *keys: str) -> tuple[Any, ...]:
    return tuple(found[key] for key in keys)


def test_a_deployments_replica_sets_are_server_groups_that_it_manages(shown: dict[str, Any]) -> None:
    managers, groups, clusters, one = (shown[path] for path in PATHS[:4])

    (manager,) = managers
    assert part(manager, "name", "displayName", "kind", "apiVersion", "account", "region", "cloudProvider") == (
        *("deployment web", "web", "deployment", "apps/v1"),
        *(ACCOUNT, "shop", "kubernetes"),
    )
    assert manager["moniker"] == {**MONIKER, "cluster": "deployment web", "sequence": None}
    assert [(each["name"], each["moniker"]["sequence"]) for each in manager["serverGroups"]] == [
        ("replicaSet web-1", 1),
        ("replicaSet web-2", 2),
    ]
    assert {group["name"]: [pod["name"] for pod in group["instances"]] for group in groups} == {
        "replicaSet web-1": [],
        "replicaSet web-2": ["pod web-2-a"],
        "daemonSet agent": [],
    }
    managed = [{"account": ACCOUNT, "location": "shop", "name": "web"}]
    assert {group["name"]: group["serverGroupManagers"] for group in groups} == {
        "replicaSet web-1": managed,
        "replicaSet web-2": managed,
        "daemonSet agent": [],
    }
    assert sorted(clusters[ACCOUNT]) == ["daemonSet agent", "deployment web"]
    assert part(one, "name", "cluster") == ("replicaSet web-2", "deployment web")


def test_services_and_ingresses_are_load_balancers(shown: dict[str, Any]) -> None:
    balancers, every, ingress = (shown[path] for path in PATHS[4:7])

    assert balancers == every
    assert [one["name"] for one in balancers] == ["service lb", "ingress front"]
    assert ingress == [balancers[1]]
    assert part(ingress[0], "kind", "apiVersion", "serverGroups", "type") == (
        *("ingress", "networking.k8s.io/v1"),
        *([], "kubernetes"),
    )


@pytest.mark.parametrize("named", NAMES)
def test_network_policies_are_firewalls(named: str, shown: dict[str, Any]) -> None:
    rests = ("", f"/{ACCOUNT}", f"/{ACCOUNT}?provider=aws", f"/{GUARDED}")
    every, of_account, elsewhere, one = (shown[f"/{named}{rest}"] for rest in rests)

    assert every == {ACCOUNT: {"kubernetes": {"shop": [GUARD]}}}
    assert (of_account, elsewhere) == ({"shop": [GUARD]}, {})
    assert part(one, "id", "accountName", "region", "application", "summary") == (
        *("networkPolicy guard", ACCOUNT, "shop"),
        *("shop", GUARD),
    )
    assert one["inboundRules"] == [
        {"protocol": "TCP", "portRanges": [{"startPort": 8080, "endPort": 8080}]},
        {"protocol": "UDP", "portRanges": [{"startPortName": "dns", "endPortName": "dns"}]},
    ]
    assert one["outboundRules"] == [
        {"protocol": "TCP", "portRanges": [{"startPort": 1024, "endPort": 2048}]},
        {"protocol": "TCP", "portRanges": None},
    ]


def test_the_search_finds_them(shown: dict[str, Any]) -> None:
    firewalls, balancers = (shown[path][0]["results"] for path in PATHS[-2:])

    assert [part(one, "id", "application", "account", "region", "provider") for one in firewalls] == [
        ("networkPolicy guard", "shop", ACCOUNT, "shop", "kubernetes")
    ]
    assert [part(one, "loadBalancer", "application") for one in balancers] == [("ingress front", "shop")]


def test_a_kind_that_may_not_be_listed_hides_no_other() -> None:
    made = cluster()
    made.api.forbidden |= {"GET ingresses": "no", "GET daemonsets": "no"}

    balancers, groups = answers(made, PATHS[4], PATHS[1]).values()

    assert [one["name"] for one in balancers] == ["service lb"]
    assert [one["name"] for one in groups] == ["replicaSet web-1", "replicaSet web-2"]


READERS = [("dev", False), ("ops", True)]


def asked_as(role: str, *paths: str) -> dict[str, tuple[int, Any]]:
    """Answers to somebody of this role, where the role `ops` alone may read the account."""
    made = Cluster(must_sign_in=True, readers=("ops",), runs_services=False)
    for one in (service(), workload(), workload("ReplicaSet", "web-v000"), INGRESS, POLICY):
        made.api.put({**one, "metadata": {**one["metadata"], "annotations": OWN}})
    found: dict[str, tuple[int, Any]] = {}

    async def work(site: Website) -> None:
        await site.ports.services.definitions.save("application", "shop", {"name": "shop"}, author="test")
        now = site.ports.services.clock.now()
        await site.sign_in.identities.add_person(Person(name="ada", roles=(role,), since=now))
        until = now + timedelta(days=1)
        token = await site.sign_in.new_token(
            Token(id="", name="t", holder="ada", scopes=None, made_by="test", made_at=now, until=until),
            by=Principal(name="operator", is_operator=True),
        )
        for path in paths:
            answer = await site.get(path, token=token)
            found[path] = (answer.status, answer.json)

    visit(work, harness=made.harness)
    return found


@pytest.mark.parametrize(("role", "may"), READERS)
def test_only_accounts_that_may_be_read_are_shown(role: str, *, may: bool) -> None:
    shop, one = "/applications/shop", f"/securityGroups/{ACCOUNT}/shop/guard"
    lists = ("serverGroupManagers", "loadBalancers", "serverGroups", "clusters")
    found = asked_as(
        role, "/securityGroups", one, shop, "/serverGroups?applications=shop", *(f"{shop}/{it}" for it in lists)
    )

    assert found["/securityGroups"][1] == ({ACCOUNT: {"kubernetes": {"shop": [GUARD]}}} if may else {})
    assert found[one][0] == (200 if may else 403)
    names = [sorted(it["name"] for it in found[f"{shop}/{listed}"][1]) for listed in lists[:3]]
    assert names == (
        [["deployment web"], ["ingress front", "service lb"], ["replicaSet web-v000"]] if may else [[]] * 3
    )
    assert [*found[f"{shop}/clusters"][1], *found[shop][1]["clusters"]] == ([ACCOUNT] * 2 if may else [])
    assert len(found["/serverGroups?applications=shop"][1]) == may


@pytest.mark.parametrize("asked", ["shop", "SHOP"])
def test_applications_are_the_same_in_upper_and_lower_case(asked: str) -> None:
    made = Cluster()
    spelled = {**OWN, "moniker.spinnaker.io/application": "Shop"}
    for one in (service(), workload(), workload("ReplicaSet", "web-v000"), INGRESS):
        made.api.put({**one, "metadata": {**one["metadata"], "annotations": spelled}})
    lists = ("serverGroupManagers", "loadBalancers", "serverGroups")

    found = answers(made, *(f"/applications/{asked}/{it}" for it in lists)).values()

    names = [sorted(it["name"] for it in listed) for listed in found]
    assert names == [["deployment web"], ["ingress front", "service lb"], ["replicaSet web-v000"]]


AWAY = [
    f"/firewalls/{ACCOUNT}/shop/networkPolicy guard",
    f"/serverGroups/{ACCOUNT}/shop/replicaSet web-2",
    f"/applications/shop/serverGroups/{ACCOUNT}/shop/replicaSet web-2",
    f"/applications/shop/clusters/{ACCOUNT}/deployment web",
    f"/instances/{ACCOUNT}/shop/web-2-a",
    f"/loadBalancers/{ACCOUNT}/shop/ingress front",
]


def test_what_is_named_of_an_account_that_does_not_answer_is_not_said_to_be_nowhere() -> None:
    made, found = Cluster(runs_services=False), {}
    made.api.is_down = True

    async def work(site: Website) -> None:
        await site.ports.services.definitions.save("application", "shop", {"name": "shop"}, author="ada")
        for path in (*AWAY, *PATHS[:3]):
            answer = await site.get(path.replace(" ", "%20"))
            found[path] = (answer.status, answer.json)

    visit(work, harness=made.harness)
    assert {path: (found[path][0], found[path][1].get("code")) for path in AWAY} == dict.fromkeys(
        AWAY, (503, "kubernetes.unseen")
    )
    assert [found[path] for path in PATHS[:3]] == [(200, []), (200, []), (200, {})]
