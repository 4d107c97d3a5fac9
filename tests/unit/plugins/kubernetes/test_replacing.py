"""Artifact substitution: every place, and what doesn't fit."""

from typing import Any

import pytest

from gennaker.model.artifact import Artifact
from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import manifests, replacing
from gennaker.plugins.kubernetes.replacing import Binding

CONFIG = Artifact(type="kubernetes/configMap", name="cfg", location="shop", version="v003", reference="cfg-v003")
SECRET = Artifact(type="kubernetes/secret", name="key", location="shop", version="v001", reference="key-v001")
IMAGE = Artifact(type="docker/image", name="acme/web", reference="acme/web@sha256:aa")


def pod(**more: Any) -> JsonObject:
    return {"containers": [{"name": "web", "image": "acme/web:1", **more.pop("container", {})}], **more}


def manifest(spec: JsonObject, kind: str = "Deployment") -> JsonObject:
    wrapped: JsonObject = {"template": {"spec": spec}}
    if kind == "CronJob":
        wrapped = {"jobTemplate": {"spec": wrapped}}
    version = "batch/v1" if kind.endswith("Job") else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": wrapped}


def replaced(given: JsonObject, *artifacts: Artifact, binding: Binding = Binding.NAME_AND_TAG) -> replacing.Replaced:
    return replacing.replace(given, artifacts, account="k8s", binding=binding)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"])
def test_every_kind_with_a_pod_template_takes_images_and_configuration(kind: str) -> None:
    spec = pod(
        container={
            "envFrom": [{"configMapRef": {"name": "cfg"}}, {"secretRef": {"name": "key"}}],
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "key", "key": "b"}}},
                {"name": "C", "value": "cfg"},
            ],
        },
        initContainers=[{"name": "init", "image": "acme/web"}],
        volumes=[
            {"name": "a", "configMap": {"name": "cfg"}},
            {"name": "b", "secret": {"secretName": "key"}},
            {"name": "c", "projected": {"sources": [{"configMap": {"name": "cfg"}}, {"secret": {"name": "key"}}]}},
        ],
        imagePullSecrets=[{"name": "key"}],
    )

    found = replaced(manifest(spec, kind), IMAGE, CONFIG, SECRET)

    made = next(manifests.pod_specs(found.manifest))
    assert made == pod(
        container={
            "image": "acme/web@sha256:aa",
            "envFrom": [{"configMapRef": {"name": "cfg-v003"}}, {"secretRef": {"name": "key-v001"}}],
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg-v003", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "key-v001", "key": "b"}}},
                {"name": "C", "value": "cfg"},
            ],
        },
        initContainers=[{"name": "init", "image": "acme/web@sha256:aa"}],
        volumes=[
            {"name": "a", "configMap": {"name": "cfg-v003"}},
            {"name": "b", "secret": {"secretName": "key-v001"}},
            {
                "name": "c",
                "projected": {"sources": [{"configMap": {"name": "cfg-v003"}}, {"secret": {"name": "key-v001"}}]},
            },
        ],
        imagePullSecrets=[{"name": "key"}],
    )
    assert found.bound == (IMAGE, CONFIG, SECRET)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("nginx", "nginx"),
        ("nginx:1.18", "nginx"),
        ("nginx@sha256:aa", "nginx"),
        ("nginx:1.18@sha256:aa", "nginx:1.18"),
        ("host:5000/img", "host"),
        ("host:5000/img:2", "host:5000/img"),
    ],
)
def test_an_images_name_ends_before_its_digest_or_else_its_last_colon(reference: str, name: str) -> None:
    assert replacing.image_name(reference) == name


def test_an_image_with_a_tag_stays_where_only_whole_names_match() -> None:
    given = manifest(pod())

    assert replaced(given, IMAGE, binding=Binding.NAME_ONLY) == replacing.Replaced(manifest=given)


@pytest.mark.parametrize(
    ("kind", "type_"), [("Deployment", "kubernetes/deployment"), ("replicaSet", "kubernetes/replicaSet")]
)
def test_an_autoscaler_follows_what_it_scales(kind: str, type_: str) -> None:
    target = {"kind": kind, "name": "web"}
    given: JsonObject = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"scaleTargetRef": target},
    }
    other = "kubernetes/replicaSet" if type_ == "kubernetes/deployment" else "kubernetes/deployment"
    artifacts = [Artifact(type=one, name="web", reference=f"of {one}", location="shop") for one in (other, type_)]

    found = replaced(given, *artifacts)

    assert manifests.spec(found.manifest)["scaleTargetRef"] == {"kind": kind, "name": f"of {type_}"}


def test_an_artifact_without_account_or_of_this_one_is_meant() -> None:
    spec = pod(volumes=[{"name": "a", "configMap": {"name": "cfg"}}])
    own = Artifact(
        type="kubernetes/configMap", name="cfg", location="shop", reference="own", metadata={"account": "k8s"}
    )

    assert replaced(manifest(spec), own).bound == (own,)
    assert replaced(manifest(spec), CONFIG).bound == (CONFIG,)


def test_of_two_artifacts_of_a_name_the_later_one_stays() -> None:
    first = Artifact(type="docker/image", name="acme/web", reference="acme/web:2")
    second = Artifact(type="docker/image", name="acme/web", reference="acme/web:3")

    found = replaced(manifest(pod()), first, second)

    assert manifests.containers(next(manifests.pod_specs(found.manifest)))[0]["image"] == "acme/web:3"
    assert found.bound == (first, second)


@pytest.mark.parametrize("containers", [None, "text", [None, {"image": 5}, "text"]])
def test_malformed_containers_are_left_to_the_api_server(containers: Any) -> None:
    given = manifest({"containers": containers})

    assert replaced(given, IMAGE).manifest == given


def test_custom_resources_are_not_looked_into() -> None:
    given = {**manifest(pod()), "apiVersion": "acme.io/v1"}

    assert replaced(given, IMAGE) == replacing.Replaced(manifest=given)


def test_what_a_manifest_refers_to_is_found() -> None:
    spec = pod(volumes=[{"name": "a", "configMap": {"name": "cfg"}}, {"name": "b", "configMap": {"name": "cfg"}}])

    assert replacing.find(manifest(spec)) == (
        Artifact(type="docker/image", name="acme/web", reference="acme/web:1"),
        Artifact(type="kubernetes/configMap", name="cfg", reference="cfg"),
    )
