"""Accounts: what they may touch, and that their watches are kept for as long as the server lives."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster

from gennaker.interfaces.services import Services
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.kubernetes import accounts
from gennaker.plugins.kubernetes.kinds import Kind


def allowed(kind: Kind, namespace: str, **settings: tuple[str, ...]) -> bool:
    cluster = Cluster(**settings)
    found: list[int] = []

    async def look(services: Services) -> None:
        try:
            accounts.find(services, "prod").check(kind, namespace)
        except Refused as refused:
            found.append(refused.status)

    cluster.harness.do(look)
    assert found in ([], [403])
    return not found


def test_namespaces_and_kinds_are_named_or_left_out() -> None:
    deployment, rollout = Kind("deployment"), Kind("Rollout", "argoproj.io")

    assert allowed(deployment, "shop")
    assert allowed(deployment, "shop", namespaces=("shop",))
    assert not allowed(deployment, "cart", namespaces=("shop",))
    assert not allowed(deployment, "cart", omit_namespaces=("cart",))
    assert allowed(deployment, "", namespaces=("shop",))
    assert allowed(deployment, "shop", kinds=("deploy",))
    assert not allowed(rollout, "shop", kinds=("deploy",))
    assert not allowed(rollout, "shop", omit_kinds=("rollout.argoproj.io",))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("configMap ../../cart/configmaps/cfg", "can't be the name"),
        ("configMap ..", "can't be the name"),
        ("configMap %2e%2e", "can't be the name"),
        ("configMap cfg?x=y", ""),
        ("configMap.x/../../api/v1 cfg", "has no kind"),
        ("deployment.x/../apps web", "has no kind"),
        ("deployment.apps web", "may not use objects of the kind deployment"),
        ("namespace cart", "may not use the namespace 'cart'"),
    ],
)
def test_no_name_leads_out_of_what_an_account_may_touch(name: str, said: str) -> None:
    cluster = Cluster(namespaces=("shop",), omit_kinds=("deployment",))
    for space in ("shop", "cart"):
        cluster.api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cfg"}}, space)
    cluster.api.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}})
    cluster.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cart"}}, "")
    before = set(cluster.api.objects)

    execution = cluster.run("deleteManifest", manifestName=name, location="shop")

    assert said in problem_of(execution) if said else execution.head.status is Status.SUCCEEDED
    assert set(cluster.api.objects) == before


@pytest.mark.parametrize("kind", ["ConfigMap", "Deployment"])
def test_what_names_no_namespace_is_held_to_the_one_it_goes_to(kind: str) -> None:
    cluster = Cluster(namespaces=("cart",))
    version = "v1" if kind == "ConfigMap" else "apps/v1"

    deployed = cluster.deploy({"apiVersion": version, "kind": kind, "metadata": {"name": "cfg"}})
    deleted = cluster.run("deleteManifest", manifestName=f"{kind} cfg")

    for execution in (deployed, deleted):
        assert "may not use the namespace 'shop'" in problem_of(execution)
    assert cluster.api.objects == {}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"in_cluster": True, "kubeconfig_file": "x"},
        {"in_cluster": True, "namespaces": ("a",), "omit_namespaces": ("b",)},
        {"in_cluster": True, "kinds": ("a",), "omit_kinds": ("b",)},
    ],
)
def test_settings_that_exclude_each_other_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"give either|exclude each other"):
        KubernetesAccountSettings(**fields)  # type: ignore[arg-type]  # its own fields


def test_without_accounts_the_watches_wait_until_the_server_ends() -> None:
    async def look(services: Services) -> None:
        without = replace(services, api_servers={})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await accounts.keep(without)

    Cluster().harness.do(look)
