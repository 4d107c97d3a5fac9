"""Leaving: which events of a watch tell that a pod can't serve any longer."""

from typing import Any

import pytest

from gennaker.interfaces.clouds import Place
from gennaker.interfaces.departures import Departure, Departures
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.plugins.kubernetes import annotations
from gennaker.plugins.kubernetes.leaving import Watcher


def pod(ready: str, kind: str = "Pod", **metadata: Any) -> dict[str, Any]:
    own = {"name": "web-v001-x", "namespace": "shop", "annotations": {annotations.APPLICATION: "web"}, **metadata}
    return {"kind": kind, "metadata": own, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


GOING = pod("True", deletionTimestamp="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("after", [pod("False"), GOING, None])
def test_a_pod_that_could_serve_and_cannot_any_longer_is_told_of(after: dict[str, Any] | None) -> None:
    place = Place(account="prod", region="shop")
    assert told(pod("True"), after) == [Departure(cloud_provider="kubernetes", place=place, application="web")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, pod("True")),
        (pod("False"), pod("True")),
        (pod("True"), pod("True", labels={"a": "b"})),
        (pod("False"), None),
        (GOING, None),
        (pod("True", kind="Node"), pod("False", kind="Node")),
    ],
)
def test_nothing_else_is(before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    assert told(before, after) == []


@pytest.mark.parametrize("foreign", [{"annotations": {}}, {"annotations": None}, {"namespace": "kube-system"}])
def test_a_pod_that_is_none_of_the_account_s_business_is_not_told_of(foreign: dict[str, Any]) -> None:
    assert told(pod("True", **foreign), None) == []


def told(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[Departure]:
    departures, heard = Departures(), list[Departure]()
    with departures.heard(heard.append):
        watcher = Watcher(departures, "prod", KubernetesAccountSettings(in_cluster=True, namespaces=("shop",)))
        watcher.see(before, after)
    watcher.see(before, after)
    return heard
