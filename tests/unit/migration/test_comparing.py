"""Comparing: what differs between a run of a Spinnaker's and its plan, and what only looks as if it did."""

from copy import deepcopy
from typing import Any

import pytest

from gennaker.migration import comparing

ARTIFACT = {"type": "docker/image", "name": "shop", "version": "1", "reference": "shop:1"}
DEFINITION: dict[str, Any] = {
    "stages": [
        {"refId": "1", "type": "bake", "name": "Bake", "package": "${parameters.package}"},
        {
            "refId": "2",
            "requisiteStageRefIds": ["1"],
            "type": "deploy",
            "name": "Deploy",
            "image": "${#stage('Bake').outputs.ami}",
            "size": 3,
            "tags": {"by": "by ${trigger.type}"},
        },
    ]
}


def stage(ref: str, name: str, kind: str, *requires: str, **context: Any) -> dict[str, Any]:
    return {
        "id": f"id-{ref}",
        "refId": ref,
        "type": kind,
        "name": name,
        "status": "SUCCEEDED",
        "startTime": 1000,
        "requisiteStageRefIds": list(requires),
        "syntheticStageOwner": None,
        "parentStageId": None,
        "context": context,
        "outputs": {},
        "tasks": [],
    }


def theirs() -> dict[str, Any]:
    bake = stage("1", "Bake", "bake", package="shop")
    bake["outputs"] = {"ami": "ami-1"}
    deploy = stage(
        "2", "Deploy", "deploy", "1", image="ami-1", size=3.0, tags={"by": "by manual"}, more="from its tasks"
    )
    synthetic = {
        **stage("2<1", "Step", "createServerGroup"),
        "parentStageId": "id-2",
        "syntheticStageOwner": "STAGE_BEFORE",
    }
    trigger = {
        "type": "manual",
        "parameters": {"package": "shop"},
        "resolvedExpectedArtifacts": [{"id": "x", "boundArtifact": {**ARTIFACT, "uuid": "1"}}],
    }
    return {
        "id": "T",
        "type": "PIPELINE",
        "status": "SUCCEEDED",
        "trigger": trigger,
        "stages": [bake, deploy, synthetic],
    }


def ours() -> dict[str, Any]:
    """A plan: the image isn't known."""
    plan = theirs()
    plan["stages"] = [
        stage("1", "Bake", "bake", package="shop"),
        stage("2", "Deploy", "deploy", "1", image="${#stage('Bake').outputs.ami}", size=3, tags={"by": "by manual"}),
    ]
    return plan


def test_a_plan_that_only_lacks_what_stages_put_out_is_the_same() -> None:
    assert comparing.compared(theirs(), ours(), DEFINITION) == comparing.Compared(values=4, evaluated=1)


def test_a_value_that_would_be_otherwise_is_shown_with_both() -> None:
    there = theirs()
    there["stages"][1]["context"]["image"] = "ami-2"
    there["stages"][1]["context"]["tags"] = {"by": "ada"}

    found = comparing.compared(there, ours(), DEFINITION).differences

    assert [(one.what, one.pointer, one.spinnaker, one.gennaker) for one in found] == [
        ("value", "/image", "ami-2", "ami-1"),
        ("value", "/tags/by", "ada", "by manual"),
    ]


def changed(path: str, value: Any) -> dict[str, Any]:
    plan: Any = deepcopy(ours())
    at = plan
    *steps, last = path.split("/")
    for step in steps:
        at = at[int(step) if isinstance(at, list) else step]
    at[int(last) if isinstance(at, list) else last] = value
    return dict(plan)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "trigger/resolvedExpectedArtifacts",
            [{"boundArtifact": {**ARTIFACT, "version": "2"}}],
            "Other artifacts were resolved.",
        ),
        ("trigger/parameters/package", "other", "A parameter has another value."),
        ("stages/1/type", "other", "The stage Deploy has another type."),
        ("stages/1/requisiteStageRefIds", [], "The stage Deploy waits for others."),
        ("stages/1/status", "SKIPPED", "Only Gennaker skips the stage Deploy."),
        ("stages/1/refId", "9", "The stage Deploy is there in Spinnaker only."),
        ("stages/0/context/package", "Shop", "The stage 1 has another value at /package."),
    ],
)
def test_each_kind_of_difference_is_said(path: str, value: Any, said: str) -> None:
    definition = {"stages": [{**DEFINITION["stages"][0], "package": "shop"}, DEFINITION["stages"][1]]}

    found = comparing.compared(theirs(), changed(path, value), definition).differences

    assert said in [one.message for one in found]


def test_stages_that_never_began_there_say_nothing_of_values() -> None:
    there = theirs()
    there["stages"][1] |= {"status": "NOT_STARTED", "startTime": None, "context": {"image": "x"}}

    assert comparing.compared(there, ours(), DEFINITION).differences == ()


def test_a_definition_that_was_changed_is_named_with_the_places() -> None:
    assert comparing.definition_changed("Deliver", DEFINITION, DEFINITION) is None

    told = comparing.definition_changed("Deliver", {"stages": [DEFINITION["stages"][0]]}, DEFINITION)

    assert told is not None
    assert told.message == "Deliver was changed since the import, in Spinnaker or here (at /stages/1)."


def test_a_plan_that_ends_before_its_first_stage_says_why_and_nothing_else() -> None:
    plan = {**ours(), "stages": [], "status": "TERMINAL", "cancellationReason": "No artifact fits."}

    (told,) = comparing.compared(theirs(), plan, DEFINITION).differences

    assert (told.what, told.message) == ("start", "Gennaker wouldn't begin it: No artifact fits.")


def test_a_stage_that_cannot_be_planned_says_why_unless_it_failed_there_too() -> None:
    plan: Any = ours()
    plan["stages"][1] |= {"status": "TERMINAL"}
    plan["stages"][1]["context"]["exception"] = {"details": {"errors": ["There is no such type."]}}

    found = comparing.compared(theirs(), plan, DEFINITION).differences

    assert [one.message for one in found] == ["The stage Deploy can't be planned here: There is no such type."]
    there = theirs()
    there["stages"][1]["status"] = "TERMINAL"
    assert comparing.compared(there, plan, DEFINITION).differences == ()
