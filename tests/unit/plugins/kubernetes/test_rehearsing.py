"""What is tried before anything is sent: also what is replaced, made anew or named by the API server."""

from typing import Any

import pytest
from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, config_map, first, never, service, workload

from gennaker.model.statuses import Status

RECREATED = {"strategy.spinnaker.io/recreate": "true"}
REPLACED = {"strategy.spinnaker.io/replace": "true"}


def generated() -> dict[str, Any]:
    made = workload("ReplicaSet")
    return {**made, "metadata": {"generateName": "web"}}


@pytest.mark.parametrize(
    "refused",
    [workload(annotations=RECREATED), workload(annotations=REPLACED), generated()],
    ids=["recreated", "replaced", "generated"],
)
@pytest.mark.parametrize("is_there", [True, False])
def test_what_would_be_refused_changes_nothing_in_whichever_way_it_is_sent(
    refused: dict[str, Any], *, is_there: bool
) -> None:
    cluster = Cluster()
    if is_there:
        cluster.api.put(workload())
    before = dict(cluster.api.objects)
    cluster.api.invalid = {"web": "no such port"}

    execution = cluster.deploy(config_map(), refused)

    assert "no such port (at /manifests/1)" in problem_of(execution)
    assert cluster.api.objects == before


@pytest.mark.parametrize("annotations", [RECREATED, REPLACED], ids=["recreated", "replaced"])
def test_what_will_change_is_shown_of_it_too(annotations: dict[str, str]) -> None:
    cluster = Cluster()
    cluster.deploy(workload(annotations=annotations))

    execution = cluster.deploy(workload(annotations=annotations, replicas=3))

    shown: Any = first(execution).context["manifestDifferences"]
    assert [(one["name"], one["change"]) for one in shown] == [("deployment web", "changed")]
    assert {"path": "/spec/replicas", "before": 2, "after": 3} in shown[0]["changes"]


def test_what_is_made_anew_may_take_the_place_in_a_quota_of_what_goes() -> None:
    cluster = Cluster()
    cluster.api.put(workload())
    cluster.api.forbidden["POST deployments"] = "exceeded quota: small"

    execution = cluster.deploy(workload(annotations=RECREATED))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_a_right_that_is_missing_for_making_it_anew_leaves_what_is_there() -> None:
    cluster = Cluster()
    cluster.api.put(workload())
    cluster.api.forbidden["POST deployments"] = "deployments is forbidden"

    execution = cluster.deploy(workload(annotations=RECREATED))

    assert "deployments is forbidden" in problem_of(execution)
    assert cluster.api.names("deployments") == ["web"]


def test_the_job_before_stays_where_the_new_one_is_refused() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {"template": {}}}
    before = cluster.api.put(job)["metadata"]["uid"]
    cluster.api.invalid = {"migrate": "no such port"}

    execution = cluster.run("runJobManifest", manifest=job)

    assert "no such port" in problem_of(execution)
    assert cluster.api.object("jobs", "migrate")["metadata"]["uid"] == before


def test_what_the_cluster_itself_has_written_into_an_exported_manifest_is_left_out_when_it_is_tried_too() -> None:
    exported = workload()
    exported["metadata"]["managedFields"] = [{"manager": "kubectl-client-side-apply", "operation": "Update"}]
    exported["status"] = {"replicas": 7}

    execution = Cluster().deploy(exported)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_a_version_in_an_exported_manifest_is_to_be_taken_out() -> None:
    cluster = Cluster()
    cluster.api.put(workload())
    exported = workload(annotations=REPLACED)
    exported["metadata"]["resourceVersion"] = "7"

    execution = cluster.deploy(exported)

    assert "Take `metadata.resourceVersion` out of the manifest" in problem_of(execution)


def fixed(name: str = "web", **spec: Any) -> dict[str, Any]:
    made = service(name)
    return {
        **made,
        "metadata": {"name": name, "annotations": RECREATED},
        "spec": {**made["spec"], "type": "LoadBalancer", **spec},
    }


@pytest.mark.parametrize(
    "spec",
    [
        {"ports": [{"port": 80, "nodePort": 30080}]},
        {"clusterIP": "10.0.0.80", "clusterIPs": ["10.0.0.80"]},
        {"healthCheckNodePort": 30081, "externalTrafficPolicy": "Local"},
    ],
    ids=["port", "address", "health check"],
)
def test_a_service_that_is_made_anew_keeps_the_ports_and_addresses_that_it_has(spec: dict[str, Any]) -> None:
    cluster = Cluster()
    before = cluster.api.put(fixed(**spec))["metadata"]["uid"]

    execution = cluster.deploy(fixed(**spec))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    made = cluster.api.object("services", "web")
    assert made["metadata"]["uid"] != before
    assert spec.items() <= made["spec"].items()


def test_a_service_stays_where_the_new_one_wants_a_port_that_another_has() -> None:
    cluster = Cluster()
    before = cluster.api.put(fixed(ports=[{"port": 80, "nodePort": 30080}]))["metadata"]["uid"]
    cluster.api.put(fixed("other", ports=[{"port": 80, "nodePort": 30090}]))

    execution = cluster.deploy(
        fixed(ports=[{"name": "a", "port": 80, "nodePort": 30080}, {"name": "b", "port": 81, "nodePort": 30090}])
    )

    assert "30090: provided port is already allocated" in problem_of(execution)
    assert cluster.api.object("services", "web")["metadata"]["uid"] == before
