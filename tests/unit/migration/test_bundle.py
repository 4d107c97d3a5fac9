"""Bundles: documents told apart by their shape, and triggers that are switched off and on again."""

from typing import Any

import pytest

from gennaker.migration import bundle as bundles

PIPELINE: dict[str, Any] = {"application": "shop", "name": "a", "stages": []}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "pipelines": PIPELINE,
    "strategies": {**PIPELINE, "strategy": True},
    "templates": {"schema": "v2", "id": "t", "pipeline": {}},
    "canary_configs": {"name": "c", "metrics": [], "classifier": {}},
    "projects": {"name": "p", "config": {"applications": []}},
    "notifications": {"application": "shop", "email": [{"type": "email"}], "lastModified": 1},
    "applications": {"name": "shop", "email": "ada@example.org"},
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_is_known_by_its_shape(kind: str) -> None:
    found, strange = bundles.sorted_by_shape([DOCUMENTS[kind]])

    assert (getattr(found, kind), found.count, strange) == ((DOCUMENTS[kind],), 1, [])


def test_what_gate_gives_of_an_application_is_flattened() -> None:
    found, _ = bundles.sorted_by_shape([{"name": "shop", "attributes": {"email": "x", "repoSlug": "s"}}])

    assert found.applications == ({"name": "shop", "email": "x", "repoSlug": "s"},)


def test_what_is_none_of_it_is_told() -> None:
    assert bundles.sorted_by_shape([{"kind": "Deployment"}])[1] == [{"kind": "Deployment"}]


def test_triggers_come_back_as_they_were() -> None:
    on, off = {"type": "webhook", "enabled": True}, {"type": "webhook", "enabled": False}
    pipeline = {**PIPELINE, "triggers": [on, off, "odd"]}

    disarmed = bundles.disarmed(pipeline)

    assert [one["enabled"] for one in disarmed["triggers"][:2]] == [False, False]  # type: ignore[index,union-attr,call-overload]  # a list of maps
    assert bundles.has_disarmed(disarmed)
    assert not bundles.has_disarmed(pipeline)
    assert bundles.armed(disarmed) == pipeline
    assert bundles.armed(pipeline) == pipeline


@pytest.mark.parametrize(
    ("name", "file"),
    [("Deliver it", "Deliver it"), ("../../x", "_.._x"), ("a/b:c", "a_b_c"), ("…", "_"), ("", "unnamed")],
)
def test_a_name_is_no_path(name: str, file: str) -> None:
    assert bundles.file_name(name) == file
