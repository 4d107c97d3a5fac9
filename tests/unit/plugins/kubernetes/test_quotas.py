"""Quotas: what has no room is refused before it is made, with what is missing."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.cloud_worlds import PLACE, wanted
from tests.fakes.kubernetes_world import KubernetesWorld
from tests.fakes.registry import MemoryRegistry
from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, Object, config_map, workload

from gennaker.model.codec import Json
from gennaker.model.execution import Execution
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.kubernetes import quotas
from gennaker.plugins.kubernetes.quotas import Wanted


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> Object:
    return {"metadata": {"name": "team"}, "spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used or {}}}


def with_resources(**resources: Any) -> Object:
    pod = {"containers": [{"name": "web", "resources": resources}, {"name": "side"}]}
    pod["initContainers"] = [{"name": "prepare", "resources": {"requests": {"cpu": "1500m"}}}]
    return workload("ReplicaSet", replicas=3, template={"spec": pod})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        (2, "2"),
        ("1.5Gi", "1610612736"),
        ("1e3", "1000"),
        ("1E", "1000000000000000000"),
        ("100k", "100000"),
        *((text, None) for text in ("", "x", "1Zi", "1e999", "9" * 5000, None, "²")),
    ],
)
def test_quantities_are_read_as_kubernetes_writes_them(text: Json, number: str | None) -> None:
    assert quotas.quantity(text) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    ("hard", "used", "said"),
    [
        ({"pods": "4"}, {"pods": "2"}, "of pods 4 may be used and 2 is, it needs 3 more (quota team)."),
        ({"limits.memory": "2Gi"}, {"limits.memory": "1Gi"}, "of limits.memory 2Gi may be used and 1Gi is"),
        ({"requests.memory": "1Gi"}, {}, "of requests.memory 1Gi may be used and 0 is, it needs 1610612736 more"),
        ({"cpu": "4"}, {}, "of cpu 4 may be used and 0 is, it needs 4.5 more"),
        ({"count/replicasets.apps": "1"}, {"count/replicasets.apps": "1"}, "it needs 1 more"),
        ({"pods": "5"}, {"pods": "2"}, ""),
        ({"limits.cpu": "0"}, {}, ""),
        ({"pods": "lots"}, {}, ""),
    ],
)
def test_what_a_quota_leaves_is_compared_with_what_all_pods_need(
    hard: dict[str, str], used: dict[str, str], said: str
) -> None:
    workload = Wanted(manifest=with_resources(limits={"memory": "512Mi"}), count=3)
    found = quotas.problem([workload], "shop", [quota(hard, used)])

    assert (said in found.message) if found else not said


def test_quotas_of_some_pods_only_are_left_to_the_api_server() -> None:
    scoped = [quota({"pods": "0"}, scopes=["BestEffort"]), quota({"pods": "0"}, scopeSelector={"matchExpressions": []})]

    assert quotas.problem([Wanted(manifest=with_resources(), count=3)], "shop", scoped) is None


def test_a_server_group_without_room_is_refused_before_it_is_made_and_one_that_is_there_is_not() -> None:
    source = MemoryRegistry()

    async def story() -> None:
        here = KubernetesWorld(PLACE, "acme/web:1", source)
        provider = here.provider()
        await provider.create(wanted(here.image, count=2))
        here.api.put({"apiVersion": "v1", "kind": "ResourceQuota", **quota({"pods": "3"}, {"pods": "2"})}, PLACE.region)

        assert (await provider.create(wanted(here.image, count=2))).name == "shop-prod-v000"
        with pytest.raises(Refused, match="it needs 2 more") as refused:
            await provider.create(wanted(here.image, "shop-prod-v001", count=2))
        here.api.forbidden["GET resourcequotas"] = "not yours"
        await provider.create(wanted(here.image, "shop-prod-v002"))

        assert refused.value.status == 403
        assert here.api.names("replicasets", PLACE.region) == ["shop-prod-v000", "shop-prod-v002"]

    asyncio.run(story())


def test_a_server_group_that_grows_step_by_step_needs_room_for_all_steps_before_it_is_made() -> None:
    async def story() -> None:
        here = KubernetesWorld(PLACE, "acme/web:1", MemoryRegistry())
        here.api.put({"apiVersion": "v1", "kind": "ResourceQuota", **quota({"pods": "3"})}, PLACE.region)
        small = replace(wanted(here.image, count=0), grows_to=4)

        with pytest.raises(Refused, match="of pods 3 may be used and 0 is, it needs 4 more"):
            await here.provider().create(small)
        assert here.api.names("replicasets", PLACE.region) == []
        await here.provider().create(replace(small, grows_to=3))

    asyncio.run(story())


def redblack(cluster: Cluster, *manifests: Object, strategy: str = "redblack") -> Execution:
    options = {"enableTraffic": True, "services": [], "strategy": strategy}
    return cluster.deploy(*manifests, trafficManagement={"enabled": True, "options": options})


@pytest.mark.parametrize("strategy", ["redblack", "highlander"])
def test_a_replica_set_that_runs_beside_the_version_before_needs_room_for_both_before_it_is_sent(strategy: str) -> None:
    cluster = Cluster()
    old, new = (workload("ReplicaSet", minReadySeconds=seconds) for seconds in (1, 2))
    assert redblack(cluster, old, config_map(mode="1"), strategy=strategy).head.status is Status.SUCCEEDED
    full = {"apiVersion": "v1", "kind": "ResourceQuota", **quota({"pods": "3"}, {"pods": "2"})}
    cluster.api.put(full)

    refused = redblack(cluster, new, config_map(mode="2"), strategy=strategy)
    without = redblack(cluster, new, strategy="none")

    assert "replicaSet web-v001 has no room in the namespace 'shop'" in problem_of(refused)
    assert cluster.api.names("configmaps") == ["cfg-v000"], "nothing of it was sent"
    assert without.head.status is Status.SUCCEEDED, "nothing says that the one before stays"


def test_what_may_make_room_by_itself_is_sent() -> None:
    cluster = Cluster()
    cluster.api.put({"apiVersion": "v1", "kind": "ResourceQuota", **quota({"pods": "1"})})
    cluster.api.put(workload("Deployment", "other"))

    raised = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": {"pods": 9}}}
    with_quota = redblack(cluster, workload("ReplicaSet"), raised)
    with_smaller = redblack(cluster, workload("ReplicaSet", "more"), workload("Deployment", "other", replicas=0))

    assert with_quota.head.status is with_smaller.head.status is Status.SUCCEEDED
