"""Who manages a field, as managed fields of an API server tell."""

from collections.abc import Callable
from typing import Any

import pytest

from gennaker.plugins.kubernetes import managers

IMAGE = "/spec/template/spec/containers/web/image"


def live(**managed: Any) -> dict[str, Any]:
    listed = [{"manager": name, "operation": "Update", "fieldsV1": fields} for name, fields in managed.items()]
    return {"kind": "Deployment", "metadata": {"name": "web", "managedFields": listed}}


def containers(**fields: Any) -> dict[str, Any]:
    inside = {'k:{"name":"web"}': {".": {}, "f:name": {}, **fields}}
    return {"f:spec": {"f:template": {"f:spec": {"f:containers": inside}}}}


def test_items_of_lists_are_told_apart_by_their_name() -> None:
    found = managers.owned(live(kubectl=containers(**{"f:image": {}}), gennaker={"f:spec": {"f:replicas": {}}}))

    assert managers.of_path(found, IMAGE) == ("kubectl",)
    assert managers.of_path(found, "/spec/replicas") == ("gennaker",)
    assert managers.of_path(found, "/spec/paused") == ()


def test_a_field_is_whose_something_in_it_is_or_whose_the_whole_around_it_is() -> None:
    ports = {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    found = managers.owned(live(someone=containers(**{"f:ports": ports, "f:args": {}})))

    assert managers.of_path(found, "/spec/template/spec/containers/web/ports") == ("someone",)
    assert managers.of_path(found, "/spec/template/spec/containers/web") == ("someone",)
    assert managers.of_path(found, "/spec/template/spec/containers/web/args/0") == ("someone",)


def test_names_with_slashes_and_entries_that_can_t_be_read_do_no_harm() -> None:
    labels = {"f:metadata": {"f:labels": {"f:acme.io/team": {}}, "k:{broken": {}}}
    found = managers.owned(live(someone=labels, none=None))

    assert managers.of_path(found, "/metadata/labels/acme.io/team") == ("someone",)


def is_as_applied(found: dict[str, Any], applied: dict[str, Any]) -> bool:
    return managers.is_as_applied(found, applied, manager="gennaker", but={"copy"})


APPLIED: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "lb", "namespace": "shop", "annotations": {"team": "a"}},
    "spec": {"type": "ClusterIP", "ports": [{"port": 80}, {"port": 81, "name": "admin"}], "options": {}},
}


def untouched() -> dict[str, Any]:
    """As the API server has it: with defaults, and the annotation that isn't counted."""
    ports = {
        'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}},
        'k:{"port":81,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}},
    }
    fields = {
        "f:metadata": {"f:annotations": {"f:copy": {}, "f:team": {}}},
        "f:spec": {"f:type": {}, "f:ports": ports, "f:options": {}},
    }
    entry = {"manager": "gennaker", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}
    other = {"manager": "controller", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:spec": {"f:ip": {}}}}
    listed = [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP", "name": "admin"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "lb",
            "uid": "1",
            "annotations": {"team": "a", "copy": "{}", "by": "b"},
            "managedFields": [entry, other],
        },
        "spec": {"type": "ClusterIP", "ports": listed, "options": {}, "ip": "10.0.0.1"},
    }


def test_what_is_owned_whole_with_its_values_is_as_it_was_applied() -> None:
    assert is_as_applied(untouched(), APPLIED)


def _without(path: str) -> Callable[[dict[str, Any]], None]:
    """Somebody else has taken the field."""

    def change(found: dict[str, Any]) -> None:
        *way, last = path.split("/")
        fields = found["metadata"]["managedFields"][0]["fieldsV1"]
        for part in way:
            fields = fields[part]
        del fields[last]

    return change


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a value": lambda found: found["spec"].update(type="NodePort"),
    "a value of an item": lambda found: found["spec"]["ports"][1].update(name="other"),
    "an item that is gone": lambda found: found["spec"]["ports"].pop(),
    "items in another order": lambda found: found["spec"]["ports"].reverse(),
    "a map that was empty": lambda found: found["spec"].update(options={"a": 1}),
    "an annotation": lambda found: found["metadata"]["annotations"].update(team="b"),
    "a field that somebody else has taken": _without("f:spec/f:type"),
    "an annotation that somebody else has taken": _without("f:metadata/f:annotations/f:team"),
    "a field that was applied and isn't wanted": lambda found: found["metadata"]["managedFields"][0]["fieldsV1"][
        "f:spec"
    ].update({"f:ip": {}}),
    "fields of another version": lambda found: found["metadata"]["managedFields"][0].update(apiVersion="v2"),
    "another way of changing it": lambda found: found["metadata"]["managedFields"][0].update(operation="Update"),
    "no managed fields": lambda found: found["metadata"].pop("managedFields"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_anything_else_is_left_to_the_api_server(change: Callable[[dict[str, Any]], None]) -> None:
    found = untouched()
    change(found)

    assert not is_as_applied(found, APPLIED)
