"""Pipeline triggers: what a dependent is given of the execution that has ended."""

from typing import Any

from msgspec.structs import replace
from tests import make

from gennaker.model.execution import Execution, StageMap
from gennaker.model.statuses import Status
from gennaker.triggers import downstream

TRIGGER = {"enabled": True, "type": "pipeline", "pipeline": "first", "status": ["successful"], "runAsUser": ""}


def ended(status: Status = Status.SUCCEEDED, **head: Any) -> Execution:
    execution = make.execution(
        make.stage_json("1"), status=status, pipeline_config_id="first", start_time=make.AT, **head
    )
    (stage,) = execution.in_order()
    image = {"type": "docker/image", "name": "shop", "reference": "shop@1"}
    stages = StageMap({stage.id: replace(stage, outputs={"artifacts": [image]})})
    return replace(execution, stages=stages)


def test_the_child_knows_its_parent_its_artifacts_and_its_key() -> None:
    expected = {"id": "e", "matchArtifact": {"type": "docker/image", "name": "shop"}}
    config = {"id": "second", "triggers": [TRIGGER], "expectedArtifacts": [expected]}

    trigger = downstream.trigger_for(config, ended(trigger={"user": "ada", "dryRun": True}))  # type: ignore[arg-type]  # JSON

    assert trigger is not None
    assert trigger["user"] == "ada"
    assert trigger["dryRun"] is True
    assert trigger["correlationId"] == f"{make.EXECUTION}_null_second_{int(make.AT.timestamp() * 1000)}"
    assert trigger["expectedArtifactIds"] == ["e"]
    assert trigger["artifacts"] == [{"type": "docker/image", "name": "shop", "reference": "shop@1"}]
    parent = trigger["parentExecution"]
    assert isinstance(parent, dict)
    assert (parent["id"], parent["status"]) == (make.EXECUTION, "SUCCEEDED")
    assert "status" not in trigger


def test_each_end_has_its_word() -> None:
    words = {
        Status.SUCCEEDED: "successful",
        Status.CANCELED: "canceled",
        Status.TERMINAL: "failed",
        Status.STOPPED: "failed",
    }
    for status, word in words.items():
        for listed in words.values():
            config: Any = {"id": "s", "triggers": [{**TRIGGER, "status": [listed]}]}
            found = downstream.trigger_for(config, ended(status))
            assert (found is not None) == (listed == word), (status, listed)


def test_artifacts_of_later_stages_come_first_and_each_once() -> None:
    one, two = {"name": "one"}, {"name": "two"}
    execution = make.execution(make.stage_json("1"), make.stage_json("2"), trigger={"artifacts": [one]})
    first, second = execution.in_order()
    stages = {
        first.id: replace(first, outputs={"artifacts": [one]}),
        second.id: replace(second, outputs={"artifacts": [two, one]}),
    }

    assert downstream.artifacts_of(replace(execution, stages=StageMap(stages))) == [two, one]
