"""Workloads as server groups: what lives beside them, by which names stages mean them, and how lists show them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.harness import problem_of
from tests.kubernetes_cluster import ACCOUNT, Cluster, Object, service, workload

from gennaker.interfaces.clouds import Capacity, Health
from gennaker.model.codec import JsonObject
from gennaker.model.statuses import Status
from gennaker.plugins.deploy.plugin import plugin as deploy
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


def test_a_server_group_has_the_services_that_it_names_and_those_that_select_its_pods() -> None:
    group = live("ReplicaSet", "shop-v000", **{"traffic.spinnaker.io/load-balancers": '["service named"]'})
    selectors = {"selecting": {"app": "web"}, "other": {"app": "web", "tier": "front"}, "none": {}}
    services = {
        ("shop", name): {**service(name), "spec": {"selector": selector}} for name, selector in selectors.items()
    }

    found = server_group_manifests.group_of(group, "prod", server_group_manifests.around([], [], services), at=AT)

    assert found.services == ("service named", "service selecting")
    assert not found.is_disabled  # the Service that it names isn't there


def test_a_stateful_set_has_the_pods_of_its_update_revision() -> None:
    group = {**live("StatefulSet", "shop-v000"), "status": {"updateRevision": "b"}}
    pods = [
        owned("Pod", name, "shop-v000", labels={"controller-revision-hash": name[-1]}) for name in ("pod-a", "pod-b")
    ]

    assert instances(group, server_group_manifests.around(pods, [], {})) == ["pod-b"]


@pytest.mark.parametrize(("after", "health"), [(20, Health.STARTING), (70, Health.FAILED)])
def test_refused_pods_say_when_they_count_as_failed(after: int, health: Health) -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    conditions = [{**refused, "lastTransitionTime": "2026-01-05T00:00:00Z"}]
    group = {**live("ReplicaSet", "shop-v000"), "status": {"conditions": conditions}}
    at = AT + timedelta(seconds=after)

    found = server_group_manifests.group_of(group, "prod", server_group_manifests.Around(), at=at)

    (one,) = found.instances
    assert (one.health, one.fails_at) == (health, AT + timedelta(minutes=1))
    assert "exceeded quota" in one.health_reason


def test_refused_pods_of_a_stateful_set_are_told_by_its_events() -> None:
    told = "2026-01-05T00:00:10Z"
    event: JsonObject = {"involvedObject": {"uid": "db"}, "reason": "FailedCreate", "message": "exceeded quota"}
    events = {"db": [{**event, "firstTimestamp": told, "lastTimestamp": told}]}

    around = server_group_manifests.Around(events=events)
    found = server_group_manifests.group_of(live("StatefulSet", "db"), "prod", around, at=AT + timedelta(seconds=80))

    (one,) = found.instances
    assert (one.health, one.health_reason) == (Health.FAILED, "statefulSet db: exceeded quota (FailedCreate).")


@pytest.mark.parametrize("after", [1, 6])
def test_a_pod_that_finds_no_node_is_not_called_failed_but_says_until_when_others_would_wait(after: int) -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    conditions = [{**unscheduled, "lastTransitionTime": "2026-01-05T00:00:00Z"}]
    pod = {**owned("Pod", "pod", "shop-v000"), "status": {"phase": "Pending", "conditions": conditions}}
    group, at = live("ReplicaSet", "shop-v000"), AT + timedelta(minutes=after)

    found = server_group_manifests.group_of(group, "prod", server_group_manifests.around([pod], [group], {}), at=at)

    (one,) = found.instances
    assert (one.health, one.is_unplaced, one.fails_at) == (Health.STARTING, True, AT + timedelta(minutes=5))


@pytest.mark.parametrize("wrong", ["²", "9" * 5000, "-1", "x"])
def test_what_people_write_into_annotations_hides_no_server_group(wrong: str) -> None:
    written = {"gennaker.io/port": wrong, "gennaker.io/capacity": f"{wrong}..{wrong}"}
    balancers = {"traffic.spinnaker.io/load-balancers": f'["{wrong}", "ingress web"]'}
    group = live("ReplicaSet", "shop-v000", **written, **balancers)
    pod = {**owned("Pod", "pod", "shop-v000"), "status": {"podIP": "10.0.0.1"}}

    found = server_group_manifests.group_of(group, "prod", server_group_manifests.around([pod], [group], {}), at=AT)

    assert [one.address for one in found.instances] == ["10.0.0.1:8080"]
    assert found.capacity == Capacity(min=2, max=2, desired=2)


@pytest.mark.parametrize(
    "named",
    [
        {"serverGroupName": "replicaSet web-v000"},
        {"serverGroupName": "web-v000"},
        {"target": "current_asg_dynamic", "cluster": "replicaSet web"},
    ],
)
def test_a_workload_is_resized_by_spinnakers_name_by_its_own_and_by_its_cluster(named: dict[str, Any]) -> None:
    cluster = Cluster(deploy)
    cluster.deploy(workload("ReplicaSet"))

    place = {"credentials": ACCOUNT, "region": "shop", "capacity": {"min": 0, "max": 0, "desired": 0}}
    execution = cluster.run("resizeServerGroup", **place, **named)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.object("replicasets", "web-v000")["spec"]["replicas"] == 0


def test_spinnakers_name_means_nothing_of_another_application() -> None:
    cluster = Cluster(deploy)
    cluster.deploy(workload("ReplicaSet", "cart-web"), moniker={"app": "cart"})

    place = {"credentials": ACCOUNT, "region": "shop", "capacity": {"min": 0, "max": 0, "desired": 0}}
    execution = cluster.run("resizeServerGroup", **place, serverGroupName="replicaSet cart-web-v000")

    assert "There is no server group cart-web-v000 in prod/shop." in problem_of(execution)
    assert cluster.api.object("replicasets", "cart-web-v000")["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("phase", "ready", "said"),
    [
        ("Pending", (), [("kubernetes/pod", Health.DOWN)]),
        (
            "Running",
            (True, False),
            [
                ("kubernetes/pod", Health.UP),
                ("kubernetes/container", Health.UP),
                ("kubernetes/container", Health.DOWN),
            ],
        ),
        ("Succeeded", (), [("kubernetes/pod", Health.UNKNOWN)]),
    ],
)
def test_a_pod_and_its_containers_say_their_own(
    phase: str, ready: tuple[bool, ...], said: list[tuple[str, Health]]
) -> None:
    containers = [{"name": f"c{number}", "ready": one} for number, one in enumerate(ready)]
    pod = {"metadata": {"name": "web"}, "status": {"phase": phase, "containerStatuses": containers}}

    found = server_group_manifests.instance_of(pod, 80, is_disabled=False, at=datetime(2026, 1, 1, tzinfo=UTC))

    assert [(one.type, one.state) for one in found.sources] == said


@pytest.mark.parametrize(("after", "health"), [(20, Health.STARTING), (70, Health.FAILED)])
def test_a_pod_whose_volume_is_missing_says_so_and_counts_as_failed_after_a_while(after: int, health: Health) -> None:
    waiting = [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}]
    pod = {**owned("Pod", "pod", "shop-v000"), "status": {"phase": "Pending", "containerStatuses": waiting}}
    pod["metadata"] |= {"creationTimestamp": "2026-01-05T00:00:00Z", "namespace": "shop"}
    event = {
        "involvedObject": {"uid": pod["metadata"]["uid"]},
        "reason": "FailedMount",
        "message": 'secret "tls" not found',
        "firstTimestamp": "2026-01-05T00:00:01Z",
    }
    group, at = live("ReplicaSet", "shop-v000"), AT + timedelta(seconds=after)
    around = replace(server_group_manifests.around([pod], [group], {}), events={pod["metadata"]["uid"]: [event]})

    (one,) = server_group_manifests.group_of(group, "prod", around, at=at).instances
    pulling = replace(
        around, events={pod["metadata"]["uid"]: [event, {**event, "reason": "Pulling", "message": "acme/web"}]}
    )
    (mounted,) = server_group_manifests.group_of(group, "prod", pulling, at=at).instances

    assert (mounted.health, mounted.health_reason) == (Health.STARTING, "")
    assert (one.health, one.health_reason) == (health, 'pod pod: secret "tls" not found (FailedMount).')
    assert one.fails_at == (AT + timedelta(seconds=61) if health is Health.STARTING else None)


def test_events_are_only_read_where_a_pod_has_been_prepared_for_long() -> None:
    waiting = [{"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}]
    made = {"creationTimestamp": "2026-01-05T00:00:00Z"}
    status = {"phase": "Pending", "containerStatuses": waiting}
    late = {"metadata": {**made, "namespace": "late"}, "status": status}
    running = {"metadata": {**made, "namespace": "well"}, "status": {"phase": "Running"}}

    found = [
        server_group_manifests.prepared_for_long([late, running], AT + timedelta(seconds=after)) for after in (4, 5)
    ]

    assert found == [frozenset(), frozenset({"late"})]
