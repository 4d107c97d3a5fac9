"""Save pipelines from artifact: all that it holds, each by itself."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.http_target import Answer, running
from tests.harness import problem_of
from tests.jobs import Installation, encoded
from tests.make import config, stage_json

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.stages import TaskContext
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.statuses import Status
from gennaker.plugins.artifacts import plugin as files
from gennaker.plugins.definitions.save_pipelines_from_artifact import stage
from gennaker.settings import Settings

ONE: JsonObject = {"name": "one", "stages": []}
TWO: JsonObject = {"name": "two", "stages": []}


def artifact(content: Json) -> JsonObject:
    return {"type": "embedded/base64", "name": "pipelines", "reference": encoded(content)}


def names(listed: Any) -> list[str]:
    return [one["name"] for one in listed]


def test_each_is_created_or_updated_by_its_name() -> None:
    installed = Installation()
    installed.save("pipeline", "p1", {**ONE, "application": "shop", "index": 3})

    saved = installed.done("savePipelinesFromArtifact", pipelinesArtifact=artifact({"shop": [ONE, TWO], "cart": [ONE]}))

    assert names(saved.outputs["pipelinesCreated"]) == ["two", "one"]
    assert saved.outputs["pipelinesUpdated"] == [{"application": "shop", "name": "one", "id": "p1"}]
    assert saved.outputs["pipelinesFailedToSave"] == []
    stored = {(one.body["application"], one.body["name"]) for one in installed.list("pipeline")}
    assert stored == {("shop", "one"), ("shop", "two"), ("cart", "one")}
    assert [task.name for task in saved.tasks] == [
        "getPipelinesFromArtifact",
        "savePipeline",
        "checkForRemainingPipelines",
        "savePipelinesCompleteTask",
    ]


def test_one_that_fails_keeps_no_other_from_being_saved_but_fails_the_stage() -> None:
    installed = Installation()
    broken: JsonObject = {"name": "broken", "stages": [stage_json("a", "a")]}

    execution = installed.job("savePipelinesFromArtifact", pipelinesArtifact=artifact({"shop": [broken, TWO]}))

    saved: Any = next(execution.top_level())
    assert execution.head.status is Status.TERMINAL
    assert "Failed to save pipelines: shop: broken: Stages require each other in a circle" in problem_of(execution)
    assert names(saved.outputs["pipelinesFailedToSave"]) == ["broken"]
    assert [one.body["name"] for one in installed.list("pipeline")] == ["two"]


def test_the_artifact_may_be_one_that_was_bound_before() -> None:
    installed = Installation()
    make = stage_json(
        "a",
        type="evaluateArtifacts",
        artifactContents=[{"name": "pipelines", "contents": '{"shop": [{"name": "one", "stages": []}]}'}],
        expectedArtifacts=[{"id": "wanted", "matchArtifact": {"name": "pipelines"}}],
    )

    execution = installed.harness.run(
        config(make, stage_json("s", "a", type="savePipelinesFromArtifact", pipelinesArtifactId="wanted"))
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.body["name"] for one in installed.list("pipeline")] == ["one"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "No artifact could be bound to ''"),
        ({"pipelinesArtifactId": "nobody"}, "No artifact could be bound to 'nobody'"),
        ({"pipelinesArtifact": {"type": "gcs/object"}}, "type 'gcs/object' names no account"),
        ({"pipelinesArtifact": artifact([])}, "it is no object"),
        ({"pipelinesArtifact": artifact({"shop": [7]})}, "no list of objects"),
        ({"pipelinesArtifact": artifact({"shop": []})}, "it holds no pipeline"),
        ({"pipelinesArtifact": {"type": "embedded/base64", "reference": "%"}}, "isn't base64"),
    ],
)
def test_an_artifact_that_holds_none_is_said(fields: JsonObject, said: str) -> None:
    assert said in Installation().refused("savePipelinesFromArtifact", **fields)


def test_an_artifact_that_lies_elsewhere_is_fetched_and_asked_for_again_if_that_may_help() -> None:
    left = iter([Answer(status=503), Answer(body={"shop": [ONE]})])
    with running(lambda _: next(left)) as target:
        settings = Settings(webhook_hosts=(target.address,))
        installed = Installation(files.plugin, settings=settings)
        lying_there: JsonObject = {"type": "http/file", "reference": f"{target.url}/pipelines.json"}

        saved = installed.done("savePipelinesFromArtifact", pipelinesArtifact=lying_there)

    assert names(saved.outputs["pipelinesCreated"]) == ["one"]
    assert target.paths() == ["GET /pipelines.json"] * 2


def test_a_crash_between_two_saves_loses_none_and_doubles_none() -> None:
    installed = Installation()

    execution = installed.job(
        "savePipelinesFromArtifact",
        pipelinesArtifact=artifact({"shop": [ONE, TWO]}),
        kill_at=("effect.after:RunTask:savePipelinesFromArtifact.savePipeline#2",),
    )

    saved: Any = next(execution.top_level())
    assert execution.head.status is Status.SUCCEEDED
    assert names(saved.outputs["pipelinesCreated"]) == ["one", "two"]
    assert len(installed.list("pipeline")) == 2


def test_expressions_of_what_is_saved_stay_as_they_are() -> None:
    installed = Installation()
    later = [stage_json("a", type="wait", waitTime="${ 1 + 1 }", name="${ execution.id } ${ nowhere }")]
    written: list[JsonObject] = [{"name": f"p{number}", "stages": [*later]} for number in range(3)]

    installed.done("savePipelinesFromArtifact", pipelinesArtifact=artifact({"shop": [*written]}))

    assert [one.body["stages"] for one in installed.list("pipeline")] == [later, later, later]


def test_what_was_begun_before_pipelines_were_encoded_is_saved_to_its_end() -> None:
    lists: JsonObject = {"pipelinesCreated": [], "pipelinesUpdated": [], "pipelinesFailedToSave": []}
    listed: list[Json] = [{**ONE, "application": "shop"}, {**TWO, "application": "shop"}]

    async def as_before(_: TaskContext) -> TaskResult:
        return Done(context={**lists, "pipelinesToSave": listed})

    first, *others = stage.tasks
    begun_before = replace(stage, name="before", tasks=(replace(first, run=as_before), *others))
    installed = Installation(Plugin(name="before", stages=(begun_before,)))

    done = installed.done("before")

    assert names(done.outputs["pipelinesCreated"]) == ["one", "two"]
    assert len(installed.list("pipeline")) == 2
