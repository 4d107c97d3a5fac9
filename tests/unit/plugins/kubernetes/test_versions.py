"""Versions: which number a manifest gets."""

import json
from typing import Any

import pytest

from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import annotations, manifests, versions
from gennaker.plugins.kubernetes.versions import Version

MANIFEST: JsonObject = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cfg"}, "data": {"mode": "fast"}}


def live(version: str, *, at: int = 0, applied: Any = None, name: str = "cfg") -> JsonObject:
    own = {annotations.ARTIFACT_TYPE: "kubernetes/configMap", annotations.ARTIFACT_NAME: name}
    own[annotations.ARTIFACT_VERSION] = version
    if applied is not None:
        own[annotations.LAST_APPLIED] = json.dumps(applied)
    created = f"2026-01-01T00:00:{at:02d}Z"
    return {**MANIFEST, "metadata": {"name": f"{name}-{version}", "annotations": own, "creationTimestamp": created}}


def applied(mode: str) -> JsonObject:
    return {**MANIFEST, "metadata": {"name": "cfg-v000", "labels": {"a": "b"}}, "data": {"mode": mode}}


def test_numbers_do_not_wrap() -> None:
    assert str(versions.choose(MANIFEST, [live("v999")])) == "v1000"


def test_the_same_content_is_taken_again_the_oldest_first() -> None:
    prior = [
        live("v002", at=9, applied=applied("fast")),
        live("v001", at=5, applied=applied("fast")),
        live("v003", at=1),
    ]

    assert versions.choose(MANIFEST, prior) == Version(number=1, is_reused=True)


def test_other_content_gets_the_next_number() -> None:
    assert versions.choose(MANIFEST, [live("v000", applied=applied("slow"))]) == Version(number=1)


@pytest.mark.parametrize("version", ["", "3", "v", "v-1", "vx", "version 5"])
def test_versions_that_are_none_are_not_counted(version: str) -> None:
    assert versions.choose(MANIFEST, [live(version)]) == Version(number=0)


def test_other_names_are_not_counted() -> None:
    assert versions.choose(MANIFEST, [live("v007", name="other")]) == Version(number=0)


def test_a_name_that_the_server_makes_is_not_versioned() -> None:
    generated: JsonObject = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "job-"}}

    assert not versions.is_versioned(generated)
    assert not versions.is_versioned(generated, requested=True)


def test_the_newest_is_the_one_of_the_greatest_number() -> None:
    assert versions.newest("cfg", [live("v003", at=1), live("v002", at=2)]) == "cfg-v003"
    assert versions.newest("cfg", []) is None


@pytest.mark.parametrize(
    ("history", "gone"),
    [("2", ["cfg-v000"]), ("1", ["cfg-v000", "cfg-v001"]), ("3", []), ("x", []), ("-1", []), ("+1", [])],
)
def test_the_oldest_versions_beyond_the_history_go(history: str, gone: list[str]) -> None:
    objects = [live("v002", at=3), live("v000", at=1), live("v001", at=2), live("v000", at=0, name="other")]
    own = {**manifests.annotations(objects[0]), annotations.MAX_VERSION_HISTORY: history}
    deployed = {**MANIFEST, "metadata": {"name": "cfg-v002", "annotations": own}}

    assert [manifests.name(one) for one in versions.surplus(deployed, objects)] == gone
