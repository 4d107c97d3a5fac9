"""A cluster that goes while manifests are sent: what is applied is said, nothing is taken back, and a restart is safe."""

import pytest
from tests.fakes.kubernetes_api import KubernetesApi, Object
from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, config_map, service, settle, workload

from gennaker.model.statuses import Status


def gone_after(cluster: Cluster, name: str) -> None:
    """The API server answers no more once it has made this."""

    def behaviour(api: KubernetesApi, what: str, found: Object) -> None:
        settle(api, what, found)
        if found["metadata"]["name"] == name:
            api.is_down = True

    cluster.api.behaviour = behaviour


def test_a_cluster_that_vanishes_while_manifests_are_sent_says_which_are_applied() -> None:
    cluster = Cluster()
    gone_after(cluster, "lb")

    execution = cluster.deploy(config_map(mode="fast"), service(), workload())

    assert execution.head.status is Status.TERMINAL
    said = problem_of(execution)
    assert "Applied before it: configMap cfg-v000" in said
    assert "Not applied: " in said
    assert "deployment web" in said.partition("Not applied")[2]
    assert "Restarting the stage is safe" in said


def test_a_restart_applies_the_rest_and_makes_no_second_version() -> None:
    cluster = Cluster()
    gone_after(cluster, "lb")
    cluster.deploy(config_map(mode="fast"), service(), workload())
    cluster.api.is_down, cluster.api.behaviour = False, settle

    execution = cluster.deploy(config_map(mode="fast"), service(), workload())

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("configmaps") == ["cfg-v000"]
    assert cluster.api.names("deployments") == ["web"]


def test_a_cluster_that_is_gone_from_the_beginning_has_nothing_applied() -> None:
    cluster = Cluster()
    cluster.api.is_down = True

    execution = cluster.deploy(workload())

    assert execution.head.status is Status.TERMINAL
    assert "connection refused" in problem_of(execution)
    assert "Applied" not in problem_of(execution)


def test_a_cluster_that_vanishes_while_a_stage_waits_is_waited_for_and_then_said() -> None:
    cluster = Cluster()
    gone_after(cluster, "web")

    execution = cluster.deploy(workload(), stableManifestTimeoutMinutes=60)

    assert execution.head.status is Status.TERMINAL
    assert "connection refused" in problem_of(execution)


@pytest.mark.parametrize(("status", "piece"), [(403, "quota"), (422, "immutable")])
def test_what_is_refused_in_the_middle_says_what_was_applied_before(status: int, piece: str) -> None:
    """The rehearsal has let it through; meanwhile something has changed."""
    cluster = Cluster()

    def behaviour(api: KubernetesApi, what: str, found: Object) -> None:
        settle(api, what, found)
        if found["metadata"]["name"] == "cfg-v000":
            key = "PATCH services" if status == 403 else ""
            api.forbidden |= {key: "exceeded quota"} if key else {}
            api.invalid |= {"lb": "field is immutable"} if not key else {}

    cluster.api.behaviour = behaviour

    execution = cluster.deploy(config_map(mode="fast"), service())

    said = problem_of(execution)
    assert piece in said
    assert "Applied before it: configMap cfg-v000. Not applied: service lb." in said
    assert cluster.api.names("services") == []


def test_what_finalizers_keep_from_being_made_anew_is_said_with_their_names() -> None:
    cluster = Cluster()
    recreated = service()
    recreated["metadata"]["annotations"] = {"strategy.spinnaker.io/recreate": "true"}
    cluster.deploy(recreated)
    cluster.api.object("services", "lb")["metadata"]["finalizers"] = ["acme.io/hold"]
    cluster.api.held = {"lb"}

    execution = cluster.deploy(recreated, workload())

    assert execution.head.status is Status.TERMINAL
    said = problem_of(execution)
    assert "service lb is being deleted and isn't gone yet: the finalizers acme.io/hold hold it." in said
    assert "None of its manifests is applied." in said
