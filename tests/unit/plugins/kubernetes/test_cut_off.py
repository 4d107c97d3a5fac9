"""A cluster that goes while manifests are sent: what is applied is said, nothing is taken back, and a restart is safe."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests import waiting
from tests.fakes.kubernetes_api import KubernetesApi, Object
from tests.harness import TESTER, problem_of
from tests.kubernetes_cluster import Cluster, config_map, first, never, service, settle, workload

from gennaker.interfaces.services import Services
from gennaker.model import half_applied
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution
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


def test_what_is_refused_does_not_hide_that_another_sent_with_it_may_be_applied() -> None:
    cluster = Cluster()
    lost: list[str] = []

    def behaviour(api: KubernetesApi, what: str, found: Object) -> None:
        settle(api, what, found)
        name = found["metadata"]["name"]
        if name == "cfg-v000":
            api.invalid |= {"bad": "field is immutable"}
        if name == "good" and not lost:
            lost.append(name)
            raise httpx2.ReadError("connection reset")

    cluster.api.behaviour = behaviour

    execution = cluster.deploy(config_map(mode="fast"), service("bad"), service("good"))

    assert lost
    said = problem_of(execution)
    assert "field is immutable" in said
    assert "Applied before it: configMap cfg-v000, service good. Not applied: service bad." in said


@pytest.mark.parametrize(
    "instead", [httpx2.ReadError("connection reset"), httpx2.Response(500, json={"message": "etcd is slow"})]
)
def test_what_may_be_applied_although_no_answer_came_is_not_called_missing(
    instead: httpx2.Response | httpx2.TransportError,
) -> None:
    cluster = Cluster()
    cluster.api.instead["lb"] = instead

    execution = cluster.deploy(config_map(mode="fast"), service(), workload())

    assert cluster.api.names("services") == ["lb"]
    said = problem_of(execution)
    assert "Applied before it: configMap cfg-v000. Not known, as no answer came: service lb; look" in said
    assert "Not applied: deployment web." in said


def test_what_no_answer_came_of_and_is_applied_later_counts_as_applied() -> None:
    cluster = Cluster()
    lost: list[str] = []

    def behaviour(api: KubernetesApi, what: str, found: Object) -> None:
        settle(api, what, found)
        if found["metadata"]["name"] == "lb" and not lost:
            lost.append("lb")
            api.invalid |= {"web": "field is immutable"}
            raise httpx2.ReadError("connection reset")

    cluster.api.behaviour = behaviour

    execution = cluster.deploy(service(), workload())

    assert "Applied before it: service lb. Not applied: deployment web." in problem_of(execution)


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


def cancelled(cluster: Cluster, when: Callable[[], bool], *manifests: dict[str, Any]) -> Execution:
    async def meanwhile(services: Services, execution_id: str) -> None:
        await waiting.until(when, "the moment to cancel it")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    execution = cluster.deploy(*manifests, meanwhile=meanwhile, afterwards=timedelta(seconds=5))
    assert execution.head.status is Status.CANCELED
    return execution


def test_a_stage_that_is_cancelled_while_it_sends_says_which_are_applied() -> None:
    cluster = Cluster()
    cluster.api.unanswered = "lb"

    execution = cancelled(cluster, lambda: cluster.api.waits_at, config_map(mode="fast"), service(), workload())

    context = first(execution).context
    assert context[half_applied.KEY] == {
        "applied": ["configMap cfg-v000"],
        "notApplied": ["service lb", "deployment web"],
    }
    assert half_applied.sentences("Deploy", context) == (
        (
            "When stage Deploy was stopped: applied are configMap cfg-v000; not applied are service lb, deployment web. "
            "Nothing is taken back; running the stage again is safe."
        ),
    )


def test_what_was_there_as_it_is_wanted_counts_as_applied_and_what_was_otherwise_does_not() -> None:
    cluster = Cluster()
    cluster.deploy(config_map(mode="fast"), service(), workload())
    cluster.api.unanswered = "lb"

    execution = cancelled(
        cluster, lambda: cluster.api.waits_at, config_map(mode="slow"), service(), workload(replicas=7)
    )

    assert first(execution).context[half_applied.KEY] == {
        "applied": ["configMap cfg-v001", "service lb"],
        "notApplied": ["deployment web"],
    }


def test_a_stage_that_is_cancelled_while_it_waits_has_applied_all() -> None:
    cluster = Cluster()
    cluster.api.behaviour = never

    execution = cancelled(cluster, lambda: bool(cluster.api.names("deployments")), service(), workload())

    assert first(execution).context[half_applied.KEY] == {"applied": ["service lb", "deployment web"], "notApplied": []}


def test_a_cluster_that_does_not_answer_then_leaves_it_unknown() -> None:
    cluster = Cluster()
    cluster.api.unanswered = "lb"

    def goes_away() -> bool:
        cluster.api.is_down = cluster.api.waits_at
        return cluster.api.waits_at

    execution = cancelled(cluster, goes_away, config_map(mode="fast"), service())

    (said,) = half_applied.sentences("Deploy", first(execution).context)
    assert "not known of configMap cfg-v000, service lb (" in said
    assert "connection refused" in said
