"""A stage that is cancelled while it changes objects says which are changed: patched, scaled, rolled out, in traffic, deleted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests import waiting
from tests.harness import TESTER
from tests.kubernetes_cluster import Cluster, config_map, first, never, service, with_groups, workload

from gennaker.interfaces.services import Services
from gennaker.model import half_applied
from gennaker.model.codec import Json
from gennaker.model.event import CancelAsked
from gennaker.model.statuses import Status

APPENDED = {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "more", "image": "acme/more"}}
APPENDING = {"patchBody": [APPENDED], "options": {"mergeStrategy": "json"}, "manifestName": "deployment web"}
FRONT = {"selectors": [{"kind": "EQUALS", "key": "tier", "values": ["front"]}]}


def said(cluster: Cluster, kind: str, when: Callable[[], bool], **keys: Any) -> Json:
    """What the stage says that was cancelled then."""

    async def meanwhile(services: Services, execution_id: str) -> None:
        await waiting.until(when, "the moment to cancel it")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    execution = cluster.run(kind, location="shop", meanwhile=meanwhile, afterwards=timedelta(seconds=5), **keys)
    assert execution.head.status is Status.CANCELED
    return first(execution).context[half_applied.KEY]


def with_workload(**spec: Any) -> Cluster:
    cluster = Cluster()
    cluster.api.put(workload(**spec))
    return cluster


CHANGES = [
    ("patchManifest", "web", {"patchBody": {"metadata": {"labels": {"tier": "front"}}}}),
    ("scaleManifest", "web/scale", {"replicas": 5}),
    ("pauseRolloutManifest", "web", {}),
    ("rollingRestartManifest", "web", {}),
    ("disableManifest", "web", {"loadBalancers": ["service lb"]}),
]


@pytest.mark.parametrize(("kind", "unanswered", "keys"), CHANGES, ids=[one[0] for one in CHANGES])
def test_a_change_that_the_cluster_has_not_taken_is_told_as_not_made(
    kind: str, unanswered: str, keys: dict[str, Any]
) -> None:
    cluster = with_workload(template={"metadata": {"labels": {"app": "web", "lb": "on"}}, "spec": {"containers": []}})
    cluster.api.put(service())
    cluster.api.unanswered = unanswered

    found = said(cluster, kind, lambda: cluster.api.waits_at, manifestName="deployment web", **keys)

    assert found == {"changed": [], "notChanged": ["deployment web"]}


@pytest.mark.parametrize(("kind", "unanswered", "keys"), CHANGES, ids=[one[0] for one in CHANGES])
def test_a_change_whose_answer_never_came_is_told_as_made(kind: str, unanswered: str, keys: dict[str, Any]) -> None:
    cluster = with_workload(template={"metadata": {"labels": {"app": "web", "lb": "on"}}, "spec": {"containers": []}})
    cluster.api.put(service())
    cluster.api.unanswered, cluster.api.answers_before = unanswered, True

    found = said(cluster, kind, lambda: cluster.api.waits_at, manifestName="deployment web", **keys)

    assert found == {"changed": ["deployment web"], "notChanged": []}


def test_of_operations_that_append_nobody_knows_whether_they_were_made() -> None:
    cluster = with_workload()
    cluster.api.unanswered = "web"

    found = said(cluster, "patchManifest", lambda: cluster.api.waits_at, **APPENDING)

    (sentence,) = half_applied.sentences("Patch", {half_applied.KEY: found})
    assert "not known of deployment web (its operations would change it again" in sentence
    assert "running the stage again makes its operations once more" in sentence
    assert "is safe" not in sentence


def test_after_operations_that_append_another_run_is_not_called_safe_where_the_cluster_has_gone() -> None:
    cluster = with_workload()
    cluster.api.unanswered, cluster.api.answers_before = "web", True

    def goes_away() -> bool:
        cluster.api.is_down = cluster.api.waits_at
        return cluster.api.waits_at

    found = said(cluster, "patchManifest", goes_away, **APPENDING)

    (sentence,) = half_applied.sentences("Patch", {half_applied.KEY: found})
    assert "connection refused" in sentence
    assert "is safe" not in sentence


def test_operations_that_append_and_are_made_are_not_safe_to_make_again() -> None:
    cluster = with_workload()
    cluster.api.behaviour = never

    def is_patched() -> bool:
        return len(cluster.api.object("deployments", "web")["spec"]["template"]["spec"]["containers"]) > 1

    found = said(cluster, "patchManifest", is_patched, **APPENDING)

    (sentence,) = half_applied.sentences("Patch", {half_applied.KEY: found})
    assert sentence.startswith("When stage Patch was stopped: changed as wanted are deployment web.")
    assert "is safe" not in sentence


def test_a_cluster_that_does_not_answer_leaves_it_unknown() -> None:
    cluster = with_workload()
    cluster.api.unanswered = "web/scale"

    def goes_away() -> bool:
        cluster.api.is_down = cluster.api.waits_at
        return cluster.api.waits_at

    found = said(cluster, "scaleManifest", goes_away, manifestName="deployment web", replicas=5)

    assert "connection refused" in str(found)
    assert "deployment web" in str(found)


def test_a_stage_that_is_cancelled_while_it_waits_has_changed_its_object() -> None:
    cluster = with_workload()
    cluster.api.behaviour = never

    def is_scaled() -> bool:
        return bool(cluster.api.object("deployments", "web")["spec"]["replicas"] == 5)

    found = said(cluster, "scaleManifest", is_scaled, manifestName="deployment web", replicas=5)

    assert found == {"changed": ["deployment web"], "notChanged": []}


def front(cluster: Cluster, *names: str) -> Cluster:
    for name in names:
        made = config_map(name, mode="fast")
        made["metadata"]["labels"] = {"tier": "front"}
        cluster.api.put(made)
    return cluster


def test_a_deletion_by_labels_says_which_are_gone_and_which_stay() -> None:
    cluster = front(Cluster(), "a", "b", "c")
    cluster.api.unanswered = "b"

    found = said(cluster, "deleteManifest", lambda: cluster.api.waits_at, kinds=["configMap"], labelSelectors=FRONT)

    assert found == {"deleted": ["configMap a"], "beingDeleted": [], "notDeleted": ["configMap b", "configMap c"]}
    assert half_applied.sentences("Delete", {half_applied.KEY: found}) == (
        (
            "When stage Delete was stopped: deleted are configMap a; not deleted are configMap b, configMap c. "
            "Nothing is taken back; running the stage again is safe."
        ),
    )


def test_what_somebody_has_made_again_under_its_name_counts_as_deleted() -> None:
    cluster = front(Cluster(), "a", "b")
    cluster.api.unanswered = "b"

    def made_again() -> bool:
        if cluster.api.waits_at:
            front(cluster, "a")
        return cluster.api.waits_at

    found = said(cluster, "deleteManifest", made_again, kinds=["configMap"], labelSelectors=FRONT)

    assert found == {"deleted": ["configMap a"], "beingDeleted": [], "notDeleted": ["configMap b"]}


def test_what_was_asked_to_go_and_is_held_is_told_as_being_deleted() -> None:
    cluster = with_groups()
    held = cluster.api.object("replicasets", "web-v000")
    held["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    held["metadata"]["finalizers"] = ["acme.io/hold"]
    cluster.api.held = {"web-v000"}

    def is_asked() -> bool:
        return any(one.startswith("DELETE") for one in cluster.api.asked)

    found = said(cluster, "deleteManifest", is_asked, manifestName="replicaSet web-v000")

    assert found == {"deleted": [], "beingDeleted": ["replicaSet web-v000"], "notDeleted": []}


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_rollout_that_was_to_be_undone_is_told_as_taken_back_or_not(*, is_taken: bool) -> None:
    cluster = with_workload()
    uid = cluster.api.object("deployments", "web")["metadata"]["uid"]
    for revision, image in ((1, "acme/web:1"), (2, "acme/web")):
        pod = {"containers": [{"name": "web", "image": image, "envFrom": [{"configMapRef": {"name": "cfg"}}]}]}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
        owned = workload("ReplicaSet", f"web-{revision}", template=template)
        owned["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
        owned["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "web", "uid": uid}]
        cluster.api.put(owned)
    cluster.api.unanswered, cluster.api.answers_before = "web", is_taken

    found = said(cluster, "undoRolloutManifest", lambda: cluster.api.waits_at, manifestName="deployment web")

    names = ["deployment web"]
    assert found == {"changed": names if is_taken else [], "notChanged": [] if is_taken else names}
