"""Traffic by labels: attaching, enabling and disabling."""

from typing import Any

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import manifests, traffic


def service(selector: Any) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb"}, "spec": {"selector": selector}}


def workload(labels: dict[str, str], *, has_template: bool = True) -> JsonObject:
    if not has_template:
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": labels}}
    made: JsonObject = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"}}
    return {**made, "spec": {"template": {"metadata": {"labels": labels}}}}


def test_the_selector_goes_to_the_pods() -> None:
    made = traffic.attached(workload({"app": "web"}), service({"lb": "on"}))

    assert manifests.template_labels(made) == {"app": "web", "lb": "on"}
    assert manifests.labels(made) == {}


def test_what_has_no_template_gets_the_selector_itself() -> None:
    made = traffic.attached(workload({"app": "web"}, has_template=False), service({"lb": "on"}))

    assert manifests.labels(made) == {"app": "web", "lb": "on"}


@pytest.mark.parametrize(
    ("selector", "code"),
    [(None, "traffic.no_selector"), ({}, "traffic.no_selector"), ({"app": "web"}, "traffic.shared_keys")],
)
def test_a_selector_must_be_there_and_share_no_key(selector: Any, code: str) -> None:
    with pytest.raises(Refused) as refused:
        traffic.attached(workload({"app": "web"}), service(selector))

    assert refused.value.problems[0].code == code


def test_keys_are_escaped_in_patches() -> None:
    found = traffic.enabling(workload({}, has_template=False), service({"acme.io/l~b": "on"}))

    assert found == [{"op": "add", "path": "/metadata/labels/acme.io~1l~0b", "value": "on"}]


def test_only_present_keys_are_taken_off() -> None:
    found = traffic.disabling(workload({"a": "x"}), service({"a": "1", "b": "2"}))

    assert found == [{"op": "remove", "path": "/spec/template/metadata/labels/a"}]


@pytest.mark.parametrize("name", ["web-lb", "deployment web", "service a b"])
def test_only_services_balance_loads(name: str) -> None:
    with pytest.raises(Refused):
        traffic.coordinates(name, "shop")


def test_a_service_without_selector_selects_nothing() -> None:
    assert not traffic.selects(service({}), {"app": "web"})
    assert traffic.selects(service({"app": "web"}), {"app": "web", "x": "y"})
    assert not traffic.selects(service({"app": "web", "lb": "on"}), {"app": "web"})
