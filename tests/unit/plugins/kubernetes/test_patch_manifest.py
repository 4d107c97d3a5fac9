"""Patch Manifest: each way of merging."""

from typing import Any

import httpx2
import pytest
from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, first, with_groups

from gennaker.model.codec import encode
from gennaker.model.statuses import Status


@pytest.fixture
def cluster() -> Cluster:
    return with_groups()


def test_a_strategic_patch_merges_lists_and_takes_artifacts(cluster: Cluster) -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "acme/side"}]}}}}
    image = {"type": "docker/image", "name": "acme/side", "reference": "acme/side:3"}

    execution = cluster.run(
        "patchManifest",
        location="shop",
        manifestName="replicaSet web-v000",
        patchBody=body,
        requiredArtifacts=[{"artifact": image}],
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    containers = cluster.api.object("replicasets", "web-v000")["spec"]["template"]["spec"]["containers"]
    assert [one["image"] for one in containers] == ["acme/web", "acme/side:3"]


@pytest.mark.parametrize(
    ("merge", "body"),
    [
        ("merge", {"spec": {"replicas": 9}}),
        ("merge", "spec: {replicas: 9}"),
        ("json", [{"op": "replace", "path": "/spec/replicas", "value": 9}]),
    ],
)
def test_other_patches_do_what_they_say(cluster: Cluster, merge: str, body: Any) -> None:
    execution = cluster.run(
        "patchManifest",
        location="shop",
        manifestName="replicaSet web-v000",
        patchBody=body,
        options={"mergeStrategy": merge, "record": True},
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    found = cluster.api.object("replicasets", "web-v000")
    assert found["spec"]["replicas"] == 9
    assert ("kubernetes.io/change-cause" in found["metadata"]["annotations"]) == (merge == "merge")


@pytest.mark.parametrize(
    ("keys", "piece"),
    [
        ({"patchBody": {"a": 1}, "options": {"mergeStrategy": "magic"}}, "no merge strategy 'magic'"),
        ({"patchBody": {"a": 1}, "options": {"mergeStrategy": "json"}}, "A patch by json can't be an object"),
        ({}, "A patch by strategic can't be null"),
        (
            {
                "patchBody": [{"op": "replace", "path": "/nothing/x", "value": 1}],
                "options": {"mergeStrategy": "json"},
            },
            "paths may not be in the object as it is now",
        ),
        (
            {"patchBody": {"spec": {}}, "requiredArtifacts": [{"type": "docker/image", "name": "x"}]},
            "could not be bound",
        ),
    ],
)
def test_a_patch_that_cannot_work_says_why(cluster: Cluster, keys: dict[str, Any], piece: str) -> None:
    assert piece in problem_of(cluster.run("patchManifest", location="shop", manifestName="rs web-v000", **keys))


def test_a_custom_resource_knows_no_strategic_merge() -> None:
    cluster = Cluster()
    cluster.api.put({"apiVersion": "acme.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {}})
    keys = {"location": "shop", "manifestName": "Widget.acme.io w", "patchBody": {"spec": {"size": 2}}}

    refused = cluster.run("patchManifest", **keys)
    done = cluster.run("patchManifest", **keys, options={"mergeStrategy": "merge"})

    assert "mergeStrategy" in problem_of(refused)
    assert done.head.status is Status.SUCCEEDED, problem_of(done)
    assert cluster.api.object("widgets", "w")["spec"] == {"size": 2}


@pytest.mark.parametrize(("kind", "is_shown"), [("Secret", False), ("ConfigMap", True)])
def test_what_the_server_repeats_of_an_object_that_it_refuses_is_cut_and_of_a_secret_left_out(
    cluster: Cluster, kind: str, *, is_shown: bool
) -> None:
    cluster.api.put({"apiVersion": "v1", "kind": kind, "metadata": {"name": "key"}})
    said = f'Invalid value: "{{\\"data\\":{{\\"password\\":\\"aHVudGVyMg==\\"}}}}{" " * 1000}END": unrecognized type'
    refusal = {
        "kind": "Status",
        "message": f' "" is invalid: patch: {said}',
        "details": {"causes": [{"message": said}]},
    }
    cluster.api.instead["key"] = httpx2.Response(422, json=refusal)

    execution = cluster.run(
        "patchManifest", location="shop", manifestName=f"{kind} key", patchBody={"immutable": "x"}, options={}
    )

    kept = encode(first(execution).context).decode()
    assert "unrecognized type" in problem_of(execution)
    assert ("aHVudGVyMg" in kept) is is_shown
    assert "END" not in kept
