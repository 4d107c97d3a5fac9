"""What lives beside workloads, sorted by whose it is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.kubernetes_cluster import Object, workload

from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import server_group_manifests

AT = datetime(2026, 1, 5, tzinfo=UTC)
REVISION = "deployment.kubernetes.io/revision"


class Counted(list[JsonObject]):
    """Counts how often it is gone through."""

    times = 0

    def __iter__(self) -> Iterator[JsonObject]:
        self.times += 1
        return super().__iter__()


def owned(kind: str, name: str, by: str, **own: Any) -> Object:
    metadata = {"name": name, "uid": name, "namespace": "shop", "ownerReferences": [{"uid": by}], **own}
    return {"apiVersion": "v1" if kind == "Pod" else "apps/v1", "kind": kind, "metadata": metadata}


def live(kind: str, name: str, **annotations: str) -> Object:
    made = workload(kind, name, annotations={"moniker.spinnaker.io/application": "shop", **annotations})
    made["metadata"] |= {"uid": name, "namespace": "shop", "creationTimestamp": "2026-01-05T00:00:00Z"}
    return made


def instances(group: Object, around: server_group_manifests.Around) -> list[str]:
    return [one.id for one in server_group_manifests.group_of(group, "prod", around, at=AT).instances]


def test_pods_are_gone_through_once_however_many_server_groups_there_are() -> None:
    groups = [live("ReplicaSet", f"shop-{place}-v000") for place in range(30)]
    pods = Counted([owned("Pod", f"pod-{place}", f"shop-{place}-v000") for place in range(30)])

    around = server_group_manifests.around(pods, groups, {})

    assert [instances(one, around) for one in groups] == [[f"pod-{place}"] for place in range(30)]
    assert pods.times == 1


def test_a_deployment_has_the_pods_of_its_present_replica_set_alone() -> None:
    group = live("Deployment", "shop-v000", **{REVISION: "2"})
    sets = [owned("ReplicaSet", name, "shop-v000", annotations={REVISION: name[-1]}) for name in ("rs-1", "rs-2")]
    pods = [owned("Pod", "old", "rs-1"), owned("Pod", "new", "rs-2"), owned("Pod", "other", "rs-9")]

    assert instances(group, server_group_manifests.around(pods, sets, {})) == ["new"]


def test_a_stateful_set_has_the_pods_of_its_update_revision() -> None:
    group = {**live("StatefulSet", "shop-v000"), "status": {"updateRevision": "b"}}
    pods = [
        owned("Pod", name, "shop-v000", labels={"controller-revision-hash": name[-1]}) for name in ("pod-a", "pod-b")
    ]

    assert instances(group, server_group_manifests.around(pods, [], {})) == ["pod-b"]
