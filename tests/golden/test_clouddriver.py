"""The golden cases of clouds: names, capacities, health, and what Kubernetes manifests become."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gennaker.interfaces import health
from gennaker.interfaces.clouds import Capacity
from gennaker.model import moniker
from gennaker.model.artifact_matching import read
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Refused
from gennaker.plugins.deploy import clusters, resizing
from gennaker.plugins.kubernetes import (
    annotations,
    deploying,
    job_properties,
    kinds,
    manifests,
    replacing,
    status,
    traffic,
    versions,
)

FILES: list[dict[str, Any]] = [
    json.loads((Path(__file__).parent / name).read_text()) for name in ("clouddriver.json", "clouddriver_more.json")
]
ACCOUNT = "k8s-a"
TEMPLATED = ("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job")


def cases(family: str) -> list[Any]:
    found = [case for file in FILES for case in file[family]]
    return [pytest.param(case, id=case.get("id", f"{family}-{place}")) for place, case in enumerate(found)]


@pytest.mark.parametrize("case", cases("moniker"))
def test_names_are_read_by_friggas_rules(case: dict[str, Any]) -> None:
    found = moniker.parse(case["name"])

    parts = {key: getattr(found, key) for key in ("app", "stack", "detail", "cluster", "sequence")}
    assert parts == case["expected"]


@pytest.mark.parametrize("case", cases("next_name"))
def test_the_next_name_follows_from_the_newest(case: dict[str, Any]) -> None:
    app, stack, detail = case["app"], case["stack"], case["detail"]
    existing = sorted(case["existing"], key=lambda one: one["created"])
    numbers = [moniker.parse(one["name"]).sequence for one in existing]

    if "error" in case["expected"]:
        assert not moniker.is_cluster(app, stack, detail)
        return
    assert moniker.is_cluster(app, stack, detail)
    taken = {number for number in numbers if number is not None}
    number = moniker.next_sequence(taken, numbers[-1] if numbers else None, is_first=not numbers)
    assert number is not None
    assert moniker.server_group_name(moniker.cluster_name(app, stack, detail), number) == (case["expected"]["name"])


@pytest.mark.parametrize("case", cases("k8s_artifact_replace"))
def test_artifacts_are_substituted_where_clouddriver_does_it(case: dict[str, Any]) -> None:
    given = json.dumps(case["manifest"])

    replaced = replacing.replace(
        case["manifest"],
        [read(one) for one in case["artifacts"]],
        account=case["account"],
        binding=replacing.Binding(case["binding"]),
    )

    assert replaced.manifest == case["after"]
    assert sorted(one.reference or "" for one in replaced.bound) == sorted(case["bound"])
    assert json.dumps(case["manifest"]) == given


@pytest.mark.parametrize("case", cases("k8s_artifact_binding_operation"))
def test_a_deployment_binds_required_artifacts_before_optional_ones(case: dict[str, Any]) -> None:
    request = deploying.Request(
        account=ACCOUNT,
        moniker=Moniker(app="shop"),
        required=tuple(read(one) for one in case["required"]),
        optional=tuple(read(one) for one in case["optional"]),
        binds_artifacts=case["enable_artifact_binding"],
    )
    deployment = workload("Deployment", {"app": "web"}, image=case["manifest_image"])

    if "error" in case["expected"] or "expected_error" in case:
        with pytest.raises(Refused):
            deploying.prepare([deployment], request, deploying.Facts())
        return
    prepared = deploying.prepare([deployment], request, deploying.Facts())

    containers = manifests.containers(next(manifests.pod_specs(prepared.ready[0].manifest)))
    assert containers[0]["image"] == case["expected"]["image"]
    assert [one.reference for one in prepared.bound] == case["expected"]["bound"]


@pytest.mark.parametrize("case", cases("k8s_versioning"))
def test_versions_are_counted_and_taken_again(case: dict[str, Any]) -> None:
    manifest = case["manifest"]
    prior = [deployed(manifest, one, place) for place, one in enumerate(case["existing"])]

    if versions.is_versioned(manifest, requested=case["request_versioned"]):
        version = versions.choose(manifest, prior)
        name = f"{manifests.name(manifest)}-{version}"
        found = {"version": str(version), "name": name, "reused": version.is_reused}
    else:
        found = {"version": None, "name": manifests.name(manifest), "reused": False}
    assert found == case["expected"]


@pytest.mark.parametrize("case", cases("k8s_status"))
def test_an_object_has_the_status_that_clouddriver_gives_it(case: dict[str, Any]) -> None:
    assert to_json(status.of(case["object"])) == case["expected"]


@pytest.mark.parametrize("case", cases("deploy_order"))
def test_manifests_are_deployed_in_the_order_of_their_kinds(case: dict[str, Any]) -> None:
    given: list[JsonObject] = [{"kind": kind} for kind in case["input"]]

    assert [one["kind"] for one in kinds.in_deploy_order(given)] == case["expected"]


@pytest.mark.parametrize("case", cases("target_healthy"))
def test_so_many_instances_must_be_up(case: dict[str, Any]) -> None:
    percentage = case["targetHealthyDeployPercentage"]
    wanted = 100 if percentage is None else percentage

    if "expected_error" in case:
        with pytest.raises(Refused, match=case["expected_error"]):
            clusters.required(case["desired"], wanted)
        return
    assert clusters.required(case["desired"], wanted) == case["expected_required_up"]


@pytest.mark.parametrize("case", cases("resize_scaling"))
def test_a_capacity_is_scaled_and_pinned_as_orca_does_it(case: dict[str, Any]) -> None:
    source = Capacity(**case["source_capacity"])
    stage = {"action": resizing.TO_SERVER_GROUP, "scalePct": case["scalePct"], case["mode"]: True}

    assert to_json(resizing.target(source, stage, like=source)) == case["expected"]


@pytest.mark.parametrize("case", cases("job_property_file"))
def test_a_jobs_log_gives_properties(case: dict[str, Any]) -> None:
    if "expected_error" in case:
        with pytest.raises(Refused, match=case["expected_error"]):
            job_properties.read(case["log"])
        return
    assert job_properties.read(case["log"]) == case["expected"]


@pytest.mark.parametrize("case", cases("health_combine"))
def test_states_are_combined_as_each_provider_does_it(case: dict[str, Any]) -> None:
    states = [health.read(one) for one in case["states"]]

    age = timedelta(seconds=case.get("age_seconds", 0))
    found = health.of_aws(states, age) if case["provider"] == "aws" else health.of_kubernetes(states)

    assert found.value == case["expected"]


@pytest.mark.parametrize("case", [p for p in cases("k8s_traffic") if p.values[0]["op"] == "deploy"])
def test_load_balancers_are_declared_and_attached_at_deployment(case: dict[str, Any]) -> None:
    service = balancer(case.get("service_selector", {"lb": "on"}))
    request = deploying.Request(
        account=ACCOUNT,
        moniker=Moniker(app="shop"),
        services=tuple(case["services"]),
        sends_traffic=case["enableTraffic"],
    )
    facts = deploying.Facts(objects={manifests.coordinates(service).key: service})

    wanted, expected = [workload(case["kind"], case.get("template_labels"))], case["expected"]

    if "error" in expected:
        with pytest.raises(Refused, match=expected["error"]):
            deploying.prepare(wanted, request, facts)
        return
    made = deploying.prepare(wanted, request, facts).ready[0].manifest

    assert expected.get("annotation_absent") not in manifests.annotations(made)
    assert list(annotations.load_balancers(made)) == expected.get("annotation", [])
    own = {key: value for key, value in (manifests.template_labels(made) or {}).items() if ".io/" not in key}
    assert own == expected.get("template_labels", own)


@pytest.mark.parametrize("case", [p for p in cases("k8s_traffic") if p.values[0]["op"] != "deploy"])
def test_labels_are_put_on_and_taken_off_by_patches(case: dict[str, Any]) -> None:
    patch = traffic.enabling if case["op"] == "enable" else traffic.disabling

    made = patch(workload("ReplicaSet", case["template_labels"]), balancer(case["service_selector"]))

    assert made == case["expected"]["patch"]


@pytest.mark.parametrize("case", cases("k8s_deploy_strategy"))
def test_annotations_say_how_a_manifest_is_deployed(case: dict[str, Any]) -> None:
    manifest = workload("Deployment", {"app": "web"}, annotations=case["annotations"])

    assert annotations.strategy(manifest).way.value == case["expected"]


def deployed(manifest: JsonObject, existing: dict[str, Any], place: int) -> JsonObject:
    """A live version of a manifest, as the cases describe it."""
    applied = existing["last_applied"]
    name = manifests.name(manifest)
    own: JsonObject = {annotations.ARTIFACT_TYPE: f"kubernetes/{kinds.of(manifest)}", annotations.ARTIFACT_NAME: name}
    own[annotations.ARTIFACT_VERSION] = existing["version"]
    if applied is not None:
        own[annotations.LAST_APPLIED] = applied if isinstance(applied, str) else json.dumps(applied)
    created = f"2026-01-01T00:00:{place:02d}Z"
    live: JsonObject = {"name": f"{name}-{existing['version']}", "annotations": own, "creationTimestamp": created}
    return {**manifest, "metadata": live}


def workload(
    kind: str,
    labels: dict[str, str] | None,
    *,
    image: str = "acme/web",
    annotations: dict[str, str] | None = None,
) -> JsonObject:
    """A manifest of this kind, with a pod template where the kind has one."""
    metadata: JsonObject = {"name": "web", "namespace": "shop", "annotations": dict(annotations or {})}
    version = "v1" if kind not in TEMPLATED else "batch/v1" if kind == "Job" else "apps/v1"
    made: JsonObject = {"apiVersion": version, "kind": kind, "metadata": metadata}
    if kind in TEMPLATED:
        template: JsonObject = {"metadata": {"labels": dict(labels or {})}}
        template["spec"] = {"containers": [{"name": "web", "image": image}]}
        made["spec"] = {"template": template}
    return made


def balancer(selector: dict[str, str]) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web-lb", "namespace": "shop"},
        "spec": {"selector": dict(selector)},
    }
