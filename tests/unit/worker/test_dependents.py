"""Dependents: pipelines that start when another one has ended, each once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import Harness

from gennaker.model.codec import JsonObject
from gennaker.plugins.flow import plugin as flow

AFTER: JsonObject = {"enabled": True, "type": "pipeline", "pipeline": "first", "status": ["successful"]}


def ended_with(*definitions: JsonObject, kind: str = "make", kill_at: tuple[str, ...] = ()) -> list[str]:
    """Names of all executions after a run of `first` whose stage is of this kind."""
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    for number, definition in enumerate(definitions):
        stages: list[Any] = [make.stage_json("make", type="make")]
        body: JsonObject = {"application": "shop", "name": f"d{number}", "stages": stages, **definition}
        asyncio.run(harness.definitions.save("pipeline", f"id{number}", body, author="ada"))
    stages = [make.stage_json("a", type=kind)]
    first: JsonObject = {"id": "first", "application": "shop", "name": "first", "stages": stages}
    harness.run(first, {"user": "ada"}, kill_at=kill_at, afterwards=timedelta(minutes=1))
    return [one.head.name for one in harness.executions()]


def test_a_dependent_starts_when_its_pipeline_has_ended() -> None:
    assert ended_with({"triggers": [AFTER]}) == ["first", "d0"]


@pytest.mark.parametrize(
    "trigger",
    [
        {**AFTER, "enabled": False},
        {**AFTER, "pipeline": "other"},
        {**AFTER, "status": ["failed"]},
        {**AFTER, "status": "successful"},
        {key: value for key, value in AFTER.items() if key != "status"},
    ],
)
def test_a_trigger_that_does_not_mean_this_end_starts_nothing(trigger: JsonObject) -> None:
    assert ended_with({"triggers": [trigger]}) == ["first"]


def test_a_disabled_dependent_does_not_start() -> None:
    assert ended_with({"triggers": [AFTER], "disabled": True}) == ["first"]


def test_a_failure_starts_those_that_wait_for_it() -> None:
    assert ended_with({"triggers": [{**AFTER, "status": ["failed"]}]}, {"triggers": [AFTER]}, kind="fail") == [
        "first",
        "d0",
    ]


@pytest.mark.parametrize("point", ["before", "after"])
def test_an_end_that_is_announced_twice_starts_them_once(point: str) -> None:
    kill_at = (f"effect.{point}:Announce:execution.ended",)

    assert ended_with({"triggers": [AFTER]}, {"triggers": [AFTER, AFTER]}, kill_at=kill_at) == ["first", "d0", "d1"]


def test_one_that_can_not_be_started_does_not_keep_the_others_from_starting() -> None:
    unreadable: JsonObject = {
        "triggers": [AFTER],
        "expectedArtifacts": [{"id": "e", "matchArtifact": {"type": {"no": 1}}}],
    }
    bad_id: JsonObject = {"triggers": [{**AFTER, "executionId": "../x"}]}

    assert ended_with(unreadable, bad_id, {"triggers": [AFTER]}) == ["first", "d2"]
