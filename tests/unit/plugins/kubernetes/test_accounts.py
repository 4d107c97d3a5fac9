"""Accounts: what they may touch, and that their watches are kept for as long as the server lives."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.kubernetes_cluster import Cluster

from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import accounts
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.settings import KubernetesAccountSettings


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
