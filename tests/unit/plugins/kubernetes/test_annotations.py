"""Annotations and labels: what people wrote stays, what Spinnaker writes is read back."""

from typing import Any

import pytest

from gennaker.model.artifact import Artifact
from gennaker.model.codec import JsonObject
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import annotations, manifests
from gennaker.plugins.kubernetes.annotations import Strategy, Way

MONIKER = Moniker(app="shop", cluster="replicaSet web", stack="prod", detail="blue", sequence=3)
ARTIFACT = Artifact(type="kubernetes/replicaSet", name="web", location="shop", version="v003", reference="web-v003")


def manifest(
    own: dict[str, str] | None = None, *, name: str = "web", kind: str = "ReplicaSet", **spec: Any
) -> JsonObject:
    made: JsonObject = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}}
    if own is not None:
        made["metadata"] = {"name": name, "annotations": dict(own)}
    if spec:
        made["spec"] = spec
    return made


def test_moniker_and_artifact_are_written_on_the_object_and_its_pods() -> None:
    made = annotations.annotated(manifest(template={"metadata": {}}), MONIKER, ARTIFACT)

    expected = {
        "artifact.spinnaker.io/type": "kubernetes/replicaSet",
        "artifact.spinnaker.io/name": "web",
        "artifact.spinnaker.io/location": "shop",
        "artifact.spinnaker.io/version": "v003",
        "moniker.spinnaker.io/cluster": "replicaSet web",
        "moniker.spinnaker.io/application": "shop",
        "moniker.spinnaker.io/stack": "prod",
        "moniker.spinnaker.io/detail": "blue",
        "moniker.spinnaker.io/sequence": "3",
    }
    assert manifests.annotations(made) == expected
    assert (manifests.template_metadata(made) or {})["annotations"] == expected
    assert annotations.moniker(made) == MONIKER


def test_what_a_person_wrote_is_not_overwritten() -> None:
    given = manifest({annotations.APPLICATION: "mine", annotations.CLUSTER: "own"})

    made = annotations.annotated(given, MONIKER, ARTIFACT)

    found = annotations.moniker(made)
    assert (found.app, found.cluster) == ("mine", "own")
    assert manifests.annotations(given) == {annotations.APPLICATION: "mine", annotations.CLUSTER: "own"}


@pytest.mark.parametrize("spec", [{"template": "a text"}, {"template": {"spec": {}}}, {"template": None}])
def test_a_custom_resource_may_call_anything_a_template(spec: JsonObject) -> None:
    made = annotations.annotated(manifest(kind="Widget", **spec), MONIKER, ARTIFACT)

    assert made["spec"] == spec


def test_a_spec_that_is_a_list_is_left_alone() -> None:
    given = {**manifest(), "spec": [1, 2]}

    assert annotations.labelled(given, MONIKER)["spec"] == [1, 2]


@pytest.mark.parametrize(
    ("own", "name", "expected"),
    [
        ({}, "shop-prod-blue-v012", Moniker(app="shop", cluster="shop-prod-blue", sequence=12)),
        ({annotations.CLUSTER: '"quoted"'}, "shop", Moniker(app="shop", cluster="quoted")),
        ({annotations.REVISION: "7"}, "shop-5f6d", Moniker(app="shop", cluster="shop-5f6d", sequence=7)),
        (
            {annotations.REVISION: "7", annotations.SEQUENCE: "9"},
            "shop",
            Moniker(app="shop", cluster="shop", sequence=9),
        ),
        ({annotations.SEQUENCE: "many"}, "shop-v003", Moniker(app="shop", cluster="shop")),
        ({}, "system:controller:job-v001", Moniker(app="system", cluster="system:controller:job-v001")),
        ({}, "system:node", Moniker(app="system", cluster="system:node")),
    ],
)
def test_the_moniker_is_read_from_annotations_and_else_from_the_name(
    own: dict[str, str], name: str, expected: Moniker
) -> None:
    assert annotations.moniker(manifest(own, name=name)) == expected


def test_a_revision_counts_for_replica_sets_alone() -> None:
    found = annotations.moniker(manifest({annotations.REVISION: "7"}, name="web", kind="Deployment"))

    assert found.sequence is None


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, Strategy()),
        ({annotations.RECREATE: "TRUE", annotations.REPLACE: "true"}, Strategy(way=Way.RECREATE)),
        ({annotations.REPLACE: "true", annotations.SERVER_SIDE_APPLY: "true"}, Strategy(way=Way.REPLACE)),
        ({annotations.SERVER_SIDE_APPLY: "true"}, Strategy(way=Way.SERVER_SIDE)),
        ({annotations.SERVER_SIDE_APPLY: "force-conflicts"}, Strategy(way=Way.SERVER_SIDE_FORCED)),
        ({annotations.SERVER_SIDE_APPLY: "yes"}, Strategy()),
        ({annotations.VERSIONED: "no"}, Strategy(is_versioned=False)),
        ({annotations.VERSIONED: "True"}, Strategy(is_versioned=True)),
        ({annotations.MAX_VERSION_HISTORY: "3"}, Strategy(max_version_history=3)),
        ({annotations.MAX_VERSION_HISTORY: "3.5"}, Strategy()),
        ({annotations.MAX_VERSION_HISTORY: "+3"}, Strategy()),
        ({annotations.MAX_VERSION_HISTORY: "\u0663"}, Strategy()),
        ({annotations.USE_SOURCE_CAPACITY: "true"}, Strategy(uses_source_capacity=True)),
    ],
)
def test_the_strategy_is_what_the_annotations_say(own: dict[str, str], expected: Strategy) -> None:
    assert annotations.strategy(manifest(own)) == expected


def test_blue_green_refuses_to_keep_less_than_two_versions() -> None:
    given = manifest({annotations.MAX_VERSION_HISTORY: "1"})

    annotations.check_history(given, keeps_previous=False)
    with pytest.raises(Refused) as refused:
        annotations.check_history(given, keeps_previous=True)
    assert refused.value.problems[0].code == "manifest.history"


def test_load_balancers_are_declared_once() -> None:
    made = annotations.with_load_balancers(manifest(), ("service a", "service b"))

    assert annotations.load_balancers(made) == ("service a", "service b")
    assert annotations.with_load_balancers(made, ("service a", "service b")) == made
    with pytest.raises(Refused):
        annotations.with_load_balancers(made, ("service b", "service a"))


@pytest.mark.parametrize("text", ["service a", "{}", "[1"])
def test_load_balancers_that_cannot_be_read_are_none(text: str) -> None:
    assert annotations.load_balancers(manifest({annotations.LOAD_BALANCERS: text})) == ()


def test_labels_name_the_application_and_who_manages_it() -> None:
    given = manifest(template={"metadata": {"labels": {"app.kubernetes.io/name": "own"}}})

    made = annotations.labelled(given, MONIKER, managed_by="spinnaker-eu")

    assert manifests.labels(made) == {
        "app.kubernetes.io/name": "shop",
        "app.kubernetes.io/managed-by": "spinnaker-eu",
        "moniker.spinnaker.io/sequence": "3",
    }
    assert (manifests.template_labels(made) or {})["app.kubernetes.io/name"] == "own"
    skipped = annotations.labelled(given, MONIKER, skips_template=True)
    assert manifests.template_labels(skipped) == {"app.kubernetes.io/name": "own"}


@pytest.mark.parametrize(("written", "expected"), [("true", False), ("TRUE", False), ("no", True)])
def test_what_is_to_be_left_out_of_lists_says_so(written: str, expected: bool) -> None:
    assert annotations.is_listed(manifest({annotations.IGNORE_CACHING: written})) is expected
    assert annotations.is_listed(manifest())
