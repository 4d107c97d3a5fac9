"""Readiness of custom resources."""

from typing import Any

import pytest

from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import readiness
from gennaker.plugins.kubernetes.readiness import Rule
from gennaker.plugins.kubernetes.status import Status

READY = '$.status.conditions[?@.type=="Ready" && @.status=="True"]'


def live(version: str, kind: str, **status: Any) -> JsonObject:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "generation": 2}, "status": status}


def ready(value: str, message: str = "") -> list[Any]:
    return [{"type": "Ready", "status": value, "message": message}]


def said(found: Status) -> str:
    if found.failed.state:
        return f"failed: {found.failed.message}"
    return "stable" if found.stable.state else found.stable.message or ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (live("argoproj.io/v1alpha1", "Rollout", phase="Healthy", observedGeneration="2"), "stable"),
        (
            live("argoproj.io/v1alpha1", "Rollout", phase="Healthy", observedGeneration="1"),
            "see the present generation",
        ),
        (
            live("argoproj.io/v1alpha1", "Rollout", phase="Degraded", message="too late"),
            "failed: The rollout is degraded: too late",
        ),
        (live("argoproj.io/v1alpha1", "Rollout", phase="Paused", message="CanaryPauseStep"), "paused: CanaryPauseStep"),
        (live("argoproj.io/v1alpha1", "Rollout", phase="Progressing"), "healthy (Progressing)"),
        (live("argoproj.io/v1alpha1", "Rollout"), "no phase reported"),
        (live("cert-manager.io/v1", "Certificate", conditions=ready("True")), "stable"),
        (live("cert-manager.io/v1", "Certificate", conditions=ready("False", "issuing")), "Ready: issuing"),
        (
            live("cert-manager.io/v1", "Certificate", conditions=[{**ready("True")[0], "observedGeneration": 1}]),
            "see the present generation",
        ),
        (
            live("cert-manager.io/v1", "Certificate", conditions=[{**ready("True")[0], "observedGeneration": 2}]),
            "stable",
        ),
        (live("cert-manager.io/v1", "Issuer", conditions=[{**ready("True")[0], "observedGeneration": 1}]), "stable"),
        (live("serving.knative.dev/v1", "Service", conditions=ready("Unknown", "deploying")), "Ready: deploying"),
        (
            live("serving.knative.dev/v1", "Service", conditions=ready("False", "no image")),
            "failed: It isn't ready: no image",
        ),
        (live("acme.io/v1", "Widget", phase="Broken"), "stable"),
        (live("v1", "Pod", phase="Pending"), "Pod is pending"),
    ],
)
def test_kinds_that_are_known_are_waited_for_and_others_are_not(given: JsonObject, expected: str) -> None:
    assert expected in said(readiness.of(given, {}))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"conditions": ready("True")}, "stable"),
        ({"conditions": ready("False")}, "Waiting for"),
        ({}, "Waiting for"),
        ({"error": "x", "conditions": ready("True")}, "failed"),
        ({"conditions": ready("True"), "observedGeneration": 1}, "present generation"),
    ],
)
def test_an_account_has_rules_of_its_own(status: dict[str, Any], expected: str) -> None:
    rules = {"widget.acme.io": Rule(ready=READY, failed="$.status.error")}

    assert expected in said(readiness.of(live("acme.io/v1", "Widget", **status), rules))


def test_a_rule_of_the_account_wins() -> None:
    rules = {"rollout.argoproj.io": Rule(ready="$.status.mine")}

    assert said(readiness.of(live("argoproj.io/v1alpha1", "Rollout", phase="Degraded", mine=1), rules)) == "stable"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"ready": 3}, "stable"),
        ({"ready": 1}, "Waiting for object.status.ready == object.spec.size to be true"),
        ({}, 'to be true (NOT_FOUND: Key not found in map : "ready")'),
        ({"ready": 3, "errors": ["a"]}, "failed: Its account takes it for failed: has(object.status.errors)"),
    ],
)
def test_rules_in_cel_compare_fields_and_what_is_not_there_yet_is_waited_for(
    status: dict[str, Any], expected: str
) -> None:
    rule = Rule(
        ready="object.status.ready == object.spec.size",
        failed="has(object.status.errors) && size(object.status.errors) > 0",
    )
    given = {**live("acme.io/v1", "Widget", **status), "spec": {"size": 3}}

    assert expected in said(readiness.of(given, {"widget.acme.io": rule}))
