"""A deployment: what becomes of its manifests before anything is sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from gennaker.model.artifact import Artifact
from gennaker.model.codec import JsonObject
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import annotations, deploying, kinds, manifests
from gennaker.plugins.kubernetes.annotations import Way
from gennaker.plugins.kubernetes.deploying import Facts, Request
from gennaker.plugins.kubernetes.kinds import Kind

REQUEST = Request(account="k8s", moniker=Moniker(app="shop"))
IMAGE = Artifact(type="docker/image", name="acme/web", reference="acme/web:2")
SERVICE: JsonObject = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "lb", "namespace": "shop"},
    "spec": {"selector": {"lb": "on"}},
}
CONFIG: JsonObject = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "cfg", "namespace": "shop"},
    "data": {},
}


def workload(kind: str = "ReplicaSet", own: dict[str, str] | None = None, **spec: Any) -> JsonObject:
    pod = {"containers": [{"name": "web", "image": "acme/web", "envFrom": [{"configMapRef": {"name": "cfg"}}]}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    metadata: JsonObject = {"name": "web", "namespace": "shop", "annotations": dict(own or {})}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": template, **spec}}


def live(kind: str, name: str, version: str, replicas: int, at: int = 0) -> JsonObject:
    own = {annotations.ARTIFACT_TYPE: f"kubernetes/{kind}", annotations.ARTIFACT_NAME: "web"}
    own[annotations.ARTIFACT_VERSION] = version
    created = f"2026-01-01T00:00:{at:02d}Z"
    metadata: JsonObject = {"name": name, "namespace": "shop", "annotations": own, "creationTimestamp": created}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"replicas": replicas}}


def test_a_workload_binds_the_version_that_the_same_request_brings() -> None:
    request = replace(REQUEST, binds_artifacts=False)

    prepared = deploying.prepare([workload(), CONFIG], request, Facts())

    assert [manifests.full_name(one.manifest) for one in prepared.ready] == [
        "configMap cfg-v000",
        "replicaSet web-v000",
    ]
    container = manifests.containers(next(manifests.pod_specs(prepared.ready[1].manifest)))[0]
    assert container["envFrom"] == [{"configMapRef": {"name": "cfg-v000"}}]
    assert container["image"] == "acme/web"


def test_an_object_knows_cluster_application_and_artifact() -> None:
    made = deploying.prepare([workload()], REQUEST, Facts()).ready[0]

    assert annotations.moniker(made.manifest) == Moniker(app="shop", cluster="replicaSet web", sequence=0)
    assert made.artifact == Artifact(
        type="kubernetes/replicaSet",
        name="web",
        location="shop",
        version="v000",
        reference="web-v000",
        metadata={"account": "k8s"},
    )
    assert manifests.annotations(made.manifest)[annotations.ARTIFACT_VERSION] == "v000"


def test_what_is_not_versioned_keeps_its_name() -> None:
    made = deploying.prepare([workload("Deployment")], REQUEST, Facts()).ready[0]

    assert (manifests.name(made.manifest), made.artifact.version) == ("web", "")


def test_required_artifacts_must_be_bound_somewhere() -> None:
    request = replace(REQUEST, required=(IMAGE, replace(IMAGE, name="acme/other")))

    with pytest.raises(Refused) as refused:
        deploying.prepare([workload()], request, Facts())

    assert refused.value.problems[0].code == "manifest.unbound_artifact"
    assert "acme/other" in str(refused.value)
    assert deploying.prepare([workload()], replace(REQUEST, required=(IMAGE,)), Facts()).bound == (IMAGE,)


def test_a_required_artifact_comes_before_an_optional_one_of_its_name() -> None:
    request = replace(REQUEST, required=(IMAGE,), optional=(replace(IMAGE, reference="acme/web:9"),))

    assert deploying.prepare([workload()], request, Facts()).bound == (IMAGE,)


def test_the_capacity_of_the_newest_version_is_taken_over() -> None:
    given = workload("ReplicaSet", {annotations.USE_SOURCE_CAPACITY: "true"}, replicas=1)
    prior = [live("ReplicaSet", "web-v001", "v001", 7), live("ReplicaSet", "web-v000", "v000", 5, at=9)]

    made = deploying.prepare([given], REQUEST, Facts(lists={("replicaset", "shop"): prior})).ready[0].manifest

    assert (manifests.name(made), manifests.replicas(made)) == ("web-v002", 7)


def test_the_capacity_of_what_is_there_is_taken_over_by_its_name() -> None:
    given = workload("Deployment", {annotations.USE_SOURCE_CAPACITY: "true"}, replicas=1)
    there = live("Deployment", "web", "", 4)
    needed = deploying.needed([given], REQUEST)

    made = deploying.prepare([given], REQUEST, Facts(objects={("deployment", "shop", "web"): there})).ready[0].manifest

    assert [one.full_name for one in needed.objects] == ["deployment web"]
    assert manifests.replicas(made) == 4


def test_a_daemon_set_has_no_capacity_to_take_over() -> None:
    given = workload("DaemonSet", {annotations.USE_SOURCE_CAPACITY: "true"})

    assert deploying.needed([given], REQUEST).objects == frozenset()


def test_a_workload_is_put_behind_a_service_of_the_same_request() -> None:
    request = replace(REQUEST, services=("service lb",))

    ready = deploying.prepare([workload(), SERVICE], request, Facts()).ready

    assert (manifests.template_labels(ready[1].manifest) or {})["lb"] == "on"
    assert annotations.load_balancers(ready[1].manifest) == ("service lb",)
    assert annotations.load_balancers(ready[0].manifest) == ()
    assert deploying.needed([workload(), SERVICE], request).objects == frozenset()


def test_a_service_that_is_not_there_is_named() -> None:
    request = replace(REQUEST, services=("service lb",))

    with pytest.raises(Refused, match="service lb"):
        deploying.prepare([workload()], request, Facts())
    assert {one.key for one in deploying.needed([workload()], request).objects} == {("service", "shop", "lb")}


def test_without_traffic_load_balancers_are_declared_only() -> None:
    request = replace(REQUEST, services=("service lb",), sends_traffic=False)

    made = deploying.prepare([workload()], request, Facts()).ready[0].manifest

    assert annotations.load_balancers(made) == ("service lb",)
    assert "lb" not in (manifests.template_labels(made) or {})


def test_blue_green_wants_two_versions_kept_before_anything_is_sent() -> None:
    request = replace(REQUEST, strategy="redblack")

    with pytest.raises(Refused) as refused:
        deploying.prepare([workload("ReplicaSet", {annotations.MAX_VERSION_HISTORY: "1"})], request, Facts())

    assert refused.value.problems[0].code == "manifest.history"


def test_selectors_and_replacing_exclude_each_other() -> None:
    given = workload("Deployment", {annotations.REPLACE: "true"})

    assert deploying.prepare([given], REQUEST, Facts()).ready[0].way is Way.REPLACE
    with pytest.raises(Refused) as refused:
        deploying.prepare([given], replace(REQUEST, has_selectors=True), Facts())
    assert refused.value.problems[0].code == "manifest.selector"


def test_lists_are_opened_and_nothing_is_left_out_but_nothing() -> None:
    nested: JsonObject = {"kind": "List", "items": [CONFIG, None, {"kind": "List", "items": [SERVICE]}]}

    assert deploying.expanded([None, nested, workload()]) == [CONFIG, SERVICE, workload()]
    with pytest.raises(Refused):
        deploying.expanded(["text"])


def test_a_stage_s_namespace_counts_for_kinds_that_have_one() -> None:
    def is_namespaced(kind: Kind) -> bool:
        return kinds.properties(kind).is_namespaced

    role: JsonObject = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}

    assert manifests.namespace(deploying.in_namespace(CONFIG, "other", is_namespaced=is_namespaced)) == "other"
    assert deploying.in_namespace(role, "other", is_namespaced=is_namespaced) == role
    assert deploying.in_namespace(CONFIG, "", is_namespaced=is_namespaced) == CONFIG


class Counted(list[JsonObject]):
    """Counts how often it is gone through."""

    times = 0

    def __iter__(self) -> Iterator[JsonObject]:
        self.times += 1
        return super().__iter__()


def test_live_versions_are_gone_through_once_however_many_manifests_a_stage_has() -> None:
    wanted = [{**CONFIG, "metadata": {"name": f"cfg-{place}", "namespace": "shop"}} for place in range(40)]
    prior = Counted(one.manifest for one in deploying.prepare(wanted, REQUEST, Facts()).ready)

    again = deploying.prepare(wanted, REQUEST, Facts(lists={("configmap", "shop"): prior}))

    assert {one.artifact.version for one in again.ready} == {"v001"}
    assert prior.times == 1
