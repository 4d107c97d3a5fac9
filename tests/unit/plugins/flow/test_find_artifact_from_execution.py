"""Find artifact from execution: the newest run that counts, and what it left."""

from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import Harness, problem_of

from gennaker.interfaces.stages import TaskContext
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow

EXPECTED: list[Json] = [{"id": "e", "matchArtifact": {"type": "docker/image", "name": "shop"}}]


async def produce(context: TaskContext) -> TaskResult:
    """Puts out the image that the trigger names."""
    artifact: JsonObject = {"type": "docker/image", "name": "shop", "version": context.execution.head.trigger["tag"]}
    return Done(outputs={"artifacts": [artifact]})


class Installation:
    """Two pipelines: one that produces and one that finds."""

    def __init__(self) -> None:
        self.harness = Harness(flow.plugin, scripted.plugin(Target(), scripted.stage("produce", produce)))

    def built(self, tag: str, *more: JsonObject) -> Execution:
        stages: list[Any] = [make.stage_json("p", type="produce"), *more]
        return self.harness.run({"application": "shop", "name": "build", "id": "build", "stages": stages}, {"tag": tag})

    def found(self, config_id: str = "deliver", **context: Any) -> Execution:
        stages: list[Any] = [
            make.stage_json(
                "f", type="findArtifactFromExecution", **{"pipeline": "build", "expectedArtifacts": EXPECTED, **context}
            ),
        ]
        config: JsonObject = {"application": "shop", "name": "d", "id": config_id, "stages": stages}
        return self.harness.run(config, {"tag": "0"})


def version(execution: Execution) -> Any:
    outputs: Any = next(execution.top_level()).outputs
    (artifact,) = outputs["artifacts"]
    (resolved,) = outputs["resolvedExpectedArtifacts"]
    assert resolved["boundArtifact"] == artifact
    return artifact["version"]


@pytest.mark.parametrize(
    ("options", "tag"),
    [
        ({"successful": True}, "2"),
        ({"succeeded": True}, "2"),
        ({"terminal": True}, "3"),
        ({"successful": True, "terminal": True}, "3"),
        ({}, "3"),
    ],
)
def test_the_newest_run_with_a_status_that_counts_is_taken(options: JsonObject, tag: str) -> None:
    installed = Installation()
    installed.built("1")
    installed.built("2")
    installed.built("3", make.stage_json("x", "p", type="fail"))

    execution = installed.found(executionOptions=options)

    assert version(execution) == tag


def test_the_older_form_with_one_artifact_is_read_too() -> None:
    installed = Installation()
    installed.built("1")

    found = installed.found(expectedArtifacts=None, expectedArtifact=EXPECTED[0])

    assert version(found) == "1"


def test_a_pipeline_without_runs_or_a_run_without_the_artifact_is_said() -> None:
    installed = Installation()
    assert "'build' has no execution with the status TERMINAL" in problem_of(
        installed.found(executionOptions={"terminal": True})
    )
    installed.built("1")

    wanted: list[Json] = [{"id": "e", "displayName": "the cart", "matchArtifact": {"name": "cart"}}]
    execution = installed.found(expectedArtifacts=wanted)

    assert execution.head.status is Status.TERMINAL
    assert "Unmatched expected artifact the cart could not be resolved" in problem_of(execution)


def test_a_default_artifact_is_taken_where_there_is_no_run() -> None:
    default: JsonObject = {"type": "docker/image", "name": "shop", "version": "first"}
    fitting: JsonObject = {"type": "docker/image", "name": "shop"}
    expected: JsonObject = {"id": "e", "matchArtifact": fitting, "defaultArtifact": default, "useDefaultArtifact": True}

    execution = Installation().found(expectedArtifacts=[expected])

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert version(execution) == "first"


def test_of_runs_of_the_same_pipeline_the_same_stage_is_left_out() -> None:
    installed = Installation()
    installed.built("1")
    first = installed.found(config_id="build")
    assert version(first) == "1"

    second = installed.found(config_id="build")

    assert second.head.status is Status.TERMINAL, "the newest run holds it only because the same stage had found it"


def test_downstream_sees_what_was_found() -> None:
    installed = Installation()
    installed.built("1")

    execution = installed.found(executionOptions={"successful": True})

    assert next(execution.top_level()).context["foundInExecution"]
