"""Differences between live objects and what they would become."""

from typing import Any

from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import differences


def found(kind: str = "Deployment", **fields: Any) -> JsonObject:
    metadata: JsonObject = {"name": "web", "namespace": "shop", "resourceVersion": "1", "generation": 1}
    return {"apiVersion": "apps/v1" if kind == "Deployment" else "v1", "kind": kind, "metadata": metadata, **fields}


def container(name: str, image: str) -> JsonObject:
    return {"name": name, "image": image}


def test_what_is_not_there_is_created() -> None:
    assert differences.between(None, found())["change"] == "created"


def test_the_servers_own_fields_are_no_change() -> None:
    after = found(status={"replicas": 1})
    after["metadata"] = {**found()["metadata"], "resourceVersion": "2", "managedFields": [{}], "generation": 9}  # type: ignore[dict-item]  # a map

    assert differences.between(found(), after) == {
        "name": "deployment web",
        "namespace": "shop",
        "change": "unchanged",
        "changes": [],
    }


def test_items_of_lists_are_told_apart_by_name() -> None:
    before = found(spec={"containers": [container("a", "x:1"), container("b", "y:1")], "args": ["1", "2"]})
    after = found(spec={"containers": [container("b", "y:2"), container("c", "z:1")], "args": ["1"]})

    assert differences.between(before, after)["changes"] == [
        {"path": "/spec/args", "before": ["1", "2"], "after": ["1"]},
        {"path": "/spec/containers/a", "before": container("a", "x:1")},
        {"path": "/spec/containers/b/image", "before": "y:1", "after": "y:2"},
        {"path": "/spec/containers/c", "after": container("c", "z:1")},
    ]


def test_what_a_secret_holds_is_not_shown() -> None:
    made = differences.between(found("Secret", data={"a": "old"}), found("Secret", data={"a": "new", "b": "more"}))

    assert made["changes"] == [
        {"path": "/data/a", "before": "(not shown)", "after": "(not shown)"},
        {"path": "/data/b", "after": "(not shown)"},
    ]


def test_a_secret_that_gets_its_first_data_shows_none_of_it() -> None:
    made = differences.between(found("Secret"), found("Secret", data={"a": "new"}))

    assert made["changes"] == [{"path": "/data", "after": "(not shown)"}]


def test_of_very_many_changes_the_rest_is_counted() -> None:
    made = differences.between(found(spec={}), found(spec={str(number): number for number in range(250)}))

    assert (len(made["changes"]), made["more"]) == (200, 50)  # type: ignore[arg-type]  # a list
