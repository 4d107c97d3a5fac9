"""Hydrating: inherited triggers start a pipeline, inherited parameters are asked for, the template is expanded then."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, ended
from tests.make import AT, stage_json

from gennaker.interfaces.intake import OutsideEvent
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.worker import hydrating

TEMPLATE: JsonObject = {
    "schema": "v2",
    "id": "deliver",
    "variables": [{"name": "seconds", "type": "int"}],
    "pipeline": {
        "stages": [stage_json("w", type="wait", waitTime="${ templateVariables.seconds }")],
        "triggers": [
            {"type": "webhook", "source": "shop", "enabled": True},
            {"type": "pipeline", "pipeline": "first", "status": ["successful"], "enabled": True},
        ],
        "parameterConfig": [{"name": "size", "required": True}],
    },
}
USE: JsonObject = {
    "schema": "v2",
    "type": "templatedPipeline",
    "application": "shop",
    "name": "deliver",
    "template": {"reference": "spinnaker://deliver"},
    "variables": {"seconds": 5},
}


def installed(**fields: Any) -> Harness:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    asyncio.run(harness.definitions.save("template", "deliver", TEMPLATE, author="ada"))
    asyncio.run(harness.definitions.save("pipeline", "p", {**USE, **fields}, author="ada"))
    return harness


def test_an_inherited_trigger_starts_the_pipeline_as_it_is_stored() -> None:
    harness = installed()
    started: list[Execution] = []

    async def work(services: Services) -> None:
        event = OutsideEvent(type="webhook", source="shop", event_id="1", at=AT)
        (execution_id,) = await services.intake.take(event)
        started.append(await ended(services, execution_id))

    harness.do(work)

    assert started[0].head.status is Status.SUCCEEDED
    assert started[0].head.initial_config == {**USE, "id": "p"}


def test_an_inherited_pipeline_trigger_follows_its_parent() -> None:
    harness = installed()
    stages: list[Any] = [stage_json("m", type="make")]

    harness.run(
        {"application": "shop", "name": "first", "id": "first", "stages": stages}, afterwards=timedelta(minutes=1)
    )

    assert [one.head.trigger["type"] for one in harness.executions() if one.head.name == "deliver"] == ["pipeline"]


def test_an_inherited_parameter_is_asked_for() -> None:
    async def work(services: Services) -> None:
        with pytest.raises(Refused, match="'size' is required"):
            await services.intake.start("shop", "deliver", {}, TESTER)

    installed().do(work)


def test_a_pipeline_whose_template_is_gone_is_taken_as_it_is_stored() -> None:
    harness = installed(template={"reference": "spinnaker://nobody"})

    async def work(_: Services) -> None:
        definition = await harness.definitions.get("pipeline", "p")
        assert definition is not None
        found = await hydrating.hydrated(definition, harness.definitions, at=AT)
        assert found == hydrating.stored(definition)

    harness.do(work)
