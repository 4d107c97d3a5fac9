"""Who manages a field, as managed fields of an API server tell."""

from typing import Any

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
