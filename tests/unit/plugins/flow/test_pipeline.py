"""Pipeline: starts another pipeline, follows it, ends as it ends, and takes it along when cancelled."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests import make, waiting
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, problem_of, reached

from gennaker.engine import validation
from gennaker.interfaces.executions import Found
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import TaskContext
from gennaker.model.codec import JsonObject, milliseconds
from gennaker.model.event import CancelAsked, Done, SkipAsked, TaskResult
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import child_starts, pipeline
from gennaker.plugins.flow import plugin as flow


class Family:
    """A parent whose stage starts a child of one stage."""

    def __init__(
        self, *child_stages: Any, meanwhile: Any = None, child: JsonObject | None = None, **context: Any
    ) -> None:
        self.harness = Harness(flow.plugin, scripted.plugin(Target()))
        stages: list[Any] = list(child_stages)
        body: JsonObject = {"application": "shop", "name": "the child", "stages": stages, **(child or {})}
        asyncio.run(self.harness.definitions.save("pipeline", "child", body, author="ada"))
        own: list[Any] = [
            make.stage_json("p", type="pipeline", **{"pipeline": "child", "application": "shop", **context})
        ]
        config: JsonObject = {"application": "shop", "name": "parent", "stages": own}
        self.parent = self.harness.run(config, {"tag": "1"}, meanwhile=meanwhile, afterwards=timedelta(minutes=20))
        self.children = [one for one in self.harness.executions() if one.head.name == "the child"]

    @property
    def child(self) -> Execution:
        (found,) = self.children
        return found

    @property
    def stage(self) -> Any:
        return next(self.parent.in_order())


MAKE = make.stage_json("m", type="make", name="made it")


def test_the_parent_gets_the_childs_outputs_and_the_child_knows_its_parent() -> None:
    family = Family(MAKE, pipelineParameters={"size": "big"})

    assert family.parent.head.status is Status.SUCCEEDED
    assert family.stage.outputs == {"made": "made it"}
    assert family.stage.context["executionId"] == family.child.head.id
    trigger = family.child.head.trigger
    parent = trigger["parentExecution"]
    assert isinstance(parent, dict)
    assert (trigger["type"], parent["id"]) == ("pipeline", family.parent.head.id)
    assert trigger["parameters"] == {"size": "big"}
    began = milliseconds(family.parent.head.start_time)
    assert trigger["correlationId"] == f"{family.parent.head.id}_{family.stage.id}_child_{began}"
    assert family.child.head.root_id == family.parent.head.id


def test_a_child_that_fails_fails_the_parent_with_its_reason() -> None:
    family = Family(make.stage_json("f", type="fail", name="Break"))

    assert family.parent.head.status is Status.TERMINAL
    assert "Exception in child pipeline stage (the child: Break): It was meant to fail." in problem_of(family.parent)


def test_a_parent_that_does_not_wait_goes_on_at_once() -> None:
    family = Family(make.stage_json("w", type="wait", waitTime=600), waitForCompletion=False)

    assert family.parent.head.end_time is not None
    assert family.child.head.end_time is not None
    assert family.parent.head.end_time + timedelta(seconds=500) < family.child.head.end_time
    assert family.child.head.status is Status.SUCCEEDED


def test_a_cancelled_parent_takes_its_child_along() -> None:
    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "pipeline", task="monitorPipeline")
        await asyncio.sleep(10)
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    family = Family(make.stage_json("w", type="wait", waitTime=6000), meanwhile=cancel)

    assert family.parent.head.status is Status.CANCELED
    assert family.child.head.status is Status.CANCELED
    assert family.child.head.cancellation_reason == "The parent pipeline was cancelled."


def test_a_cancelled_child_cancels_the_stage() -> None:
    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "pipeline", task="monitorPipeline")
        parent = await services.executions.get(execution_id)
        assert parent is not None
        child_id = str(next(parent.in_order()).context["executionId"])
        await services.executions.tell(child_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    family = Family(make.stage_json("w", type="wait", waitTime=6000), meanwhile=cancel)

    assert family.child.head.status is Status.CANCELED
    assert family.stage.status is Status.CANCELED
    assert family.parent.head.status is Status.CANCELED


@pytest.mark.parametrize(
    ("context", "child", "said"),
    [
        ({"pipeline": "nobody"}, {}, "There is no pipeline with the id 'nobody'"),
        ({}, {"disabled": True}, "The pipeline 'the child' is disabled"),
    ],
)
def test_a_child_that_can_not_start_is_said(context: JsonObject, child: JsonObject, said: str) -> None:
    family = Family(MAKE, child=child, **context)

    assert family.parent.head.status is Status.TERMINAL
    assert said in problem_of(family.parent)
    assert family.children == []


def test_downstream_outputs_can_be_left_out() -> None:
    assert Family(MAKE, skipDownstreamOutput=True).stage.outputs == {}
    failing = make.stage_json("f", "m", type="fail")
    assert Family(MAKE, failing, skipDownstreamOutput=True).stage.outputs != {}
    assert Family(MAKE, failing, skipDownstreamOutput=True, continuePipeline=True).stage.outputs == {}


async def produce(_: TaskContext) -> TaskResult:
    """Puts an image out."""
    return Done(outputs={"artifacts": [{"type": "docker/image", "name": "shop", "version": "7"}]})


IMAGE: dict[str, Any] = {"id": "image", "matchArtifact": {"type": "docker/image", "name": "shop"}}


def test_the_childs_failure_has_orcas_shape_with_where_it_happened() -> None:
    family = Family(MAKE, make.stage_json("f", "m", type="fail", name="Break"))

    exception = family.stage.context["exception"]
    assert exception["details"]["errors"] == [
        "Exception in child pipeline stage (the child: Break): It was meant to fail."
    ]
    failed = next(one for one in family.child.in_order() if one.name == "Break")
    assert exception["source"] == {
        "executionId": family.child.head.id,
        "stageId": failed.id,
        "stageName": "Break",
        "stageIndex": 1,
    }
    assert family.stage.outputs == {"made": "made it"}, "outputs are taken over from a failed child too"


def test_a_child_that_never_began_is_explained() -> None:
    family = Family(child={"stages": "none"})

    assert family.parent.head.status is Status.TERMINAL
    assert "The child pipeline the child has ended TERMINAL" in problem_of(family.parent)


def test_the_child_gets_the_artifacts_that_the_stage_sees_and_binds_what_it_expects() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target(), scripted.stage("produce", produce)))
    body: JsonObject = {"application": "shop", "name": "the child", "stages": [MAKE], "expectedArtifacts": [IMAGE]}
    asyncio.run(harness.definitions.save("pipeline", "child", body, author="ada"))

    harness.run(
        make.config(make.stage_json("a", type="produce"), make.stage_json("p", "a", type="pipeline", pipeline="child"))
    )

    (child,) = (one for one in harness.executions() if one.head.name == "the child")
    resolved: Any = child.head.trigger["resolvedExpectedArtifacts"]
    assert [one["boundArtifact"]["version"] for one in resolved] == ["7"]
    assert child.head.trigger["expectedArtifactIds"] == ["image"]


def test_what_the_stage_expects_is_bound_to_what_the_child_has_made() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target(), scripted.stage("produce", produce)))
    body: JsonObject = {"application": "shop", "name": "the child", "stages": [make.stage_json("a", type="produce")]}
    asyncio.run(harness.definitions.save("pipeline", "child", body, author="ada"))

    parent = harness.run(
        make.config(make.stage_json("p", type="pipeline", pipeline="child", expectedArtifacts=[IMAGE]))
    )

    stage: Any = next(parent.top_level())
    assert [task.name for task in stage.tasks] == ["startPipeline", "monitorPipeline", "bindProducedArtifacts"]
    assert stage.outputs["resolvedExpectedArtifacts"][0]["boundArtifact"]["version"] == "7"


@pytest.mark.parametrize(
    ("wanted", "keys", "status", "put_out"),
    [
        ("shop", {}, Status.SUCCEEDED, set()),
        ("another", {"continuePipeline": True}, Status.FAILED_CONTINUE, set()),
        ("another", {}, Status.TERMINAL, {"artifacts"}),
    ],
)
def test_what_is_bound_can_be_left_out_too_when_it_has_been_found_among_the_childs_outputs(
    wanted: str, keys: JsonObject, status: Status, put_out: set[str]
) -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target(), scripted.stage("produce", produce)))
    body: JsonObject = {"application": "shop", "name": "the child", "stages": [make.stage_json("a", type="produce")]}
    asyncio.run(harness.definitions.save("pipeline", "child", body, author="ada"))
    expected = {**IMAGE, "matchArtifact": {"type": "docker/image", "name": wanted}}
    own: JsonObject = {"pipeline": "child", "expectedArtifacts": [expected], "skipDownstreamOutput": True, **keys}

    parent = harness.run(make.config(make.stage_json("p", type="pipeline", **own)))

    stage = next(parent.top_level())
    assert (stage.status, set(stage.outputs)) == (status, put_out)
    assert ("resolvedExpectedArtifacts" in stage.context) == (wanted == "shop")


def test_a_skippable_stage_can_be_skipped_while_it_waits() -> None:
    async def skip(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "pipeline", task="monitorPipeline")
        parent = await services.executions.get(execution_id)
        assert parent is not None
        event = SkipAsked(at=services.clock.now(), stage_id=next(parent.in_order()).id, by="ada")
        await services.executions.tell(execution_id, event, TESTER)

    family = Family(make.stage_json("w", type="wait", waitTime=600), meanwhile=skip, skippable=True)

    assert (family.stage.status, family.parent.head.status) == (Status.SKIPPED, Status.SUCCEEDED)


@pytest.mark.slow
def test_pipelines_that_start_each_other_without_end_are_stopped() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    body: JsonObject = {
        "application": "shop",
        "name": "endless",
        "stages": [make.stage_json("p", type="pipeline", pipeline="endless")],
    }
    asyncio.run(harness.definitions.save("pipeline", "endless", body, author="ada"))

    first = harness.run({**body, "id": "endless"})

    assert first.head.status is Status.TERMINAL
    assert len(harness.executions()) == child_starts.DEEPEST + 1
    deepest = harness.executions()[-1]
    assert problem_of(deepest).startswith("p: The pipeline 'endless' would be number 251")


def test_a_child_made_from_a_template_gets_what_its_template_expects() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target(), scripted.stage("produce", produce)))
    template: JsonObject = {"schema": "v2", "id": "t", "pipeline": {"stages": [MAKE], "expectedArtifacts": [IMAGE]}}
    use: JsonObject = {
        "schema": "v2",
        "type": "templatedPipeline",
        "application": "shop",
        "name": "the child",
        "template": {"reference": "spinnaker://t"},
    }
    asyncio.run(harness.definitions.save("template", "t", template, author="ada"))
    asyncio.run(harness.definitions.save("pipeline", "child", use, author="ada"))

    parent = harness.run(
        make.config(make.stage_json("a", type="produce"), make.stage_json("p", "a", type="pipeline", pipeline="child"))
    )

    (child,) = (one for one in harness.executions() if one.head.name == "the child")
    resolved: Any = child.head.trigger["resolvedExpectedArtifacts"]
    assert parent.head.status is Status.SUCCEEDED
    assert [one["boundArtifact"]["version"] for one in resolved] == ["7"]
    assert child.head.source == {"type": "templatedPipeline", "version": "v2"}


def test_a_dry_run_goes_through_child_pipelines_too_and_changes_nothing() -> None:
    target = Target()
    harness = Harness(flow.plugin, scripted.plugin(target))
    stages: list[Any] = [MAKE, make.stage_json("h", "m", type="hang"), make.stage_json("j", "h", type="manualJudgment")]
    body: JsonObject = {"application": "shop", "name": "the child", "stages": stages}
    asyncio.run(harness.definitions.save("pipeline", "child", body, author="ada"))
    own: list[Any] = [
        make.stage_json("w", type="wait", waitTime=3600),
        make.stage_json("v", "w", type="evaluateVariables", variables=[{"key": "two", "value": "${1 + 1}"}]),
        make.stage_json("p", "v", type="pipeline", pipeline="child", application="shop"),
    ]

    parent = harness.run({"application": "shop", "name": "parent", "stages": own}, {"dryRun": True})

    (child,) = [one for one in harness.executions() if one.head.name == "the child"]
    assert (parent.head.status, child.head.status) == (Status.SUCCEEDED, Status.SUCCEEDED)
    assert next(one for one in parent.in_order() if one.ref_id == "v").outputs["two"] in (2, "2")
    assert (target.made, target.order) == ({}, [])


def test_a_child_that_was_started_unseen_ends_with_a_parent_that_is_cancelled_then() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    child: Any = make.config(make.stage_json("w", type="wait", waitTime=600), name="the child")
    asyncio.run(harness.definitions.save("pipeline", "child", child, author="ada"))

    async def cancel(services: Services, execution_id: str) -> None:
        # Its instant is what counts.
        await waiting.until_found(
            lambda: services.executions.find(Found(name="the child")), "the child", pause_seconds=0
        )
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    parent = harness.run(
        make.config(make.stage_json("p", type="pipeline", pipeline="child")),
        meanwhile=cancel,
        afterwards=timedelta(seconds=5),
    )

    [found] = [one for one in harness.executions() if one.head.name == "the child"]
    assert parent.head.status is Status.CANCELED
    assert "executionId" not in next(parent.top_level()).context
    assert (found.head.status, found.head.canceled_by) == (Status.CANCELED, "parent pipeline")


def test_a_stage_that_names_no_pipeline_is_told_of_and_no_reason_to_refuse() -> None:
    def found(**keys: Any) -> validation.Validated:
        stage = make.stage_json("p", type="pipeline", application="shop", **keys)
        return validation.validate(
            {"application": "shop", "name": "parent", "stages": [stage]}, {"pipeline": pipeline.stage}
        )

    assert [(one.code, one.pointer) for one in found().warnings] == [("pipeline.none_named", "/stages/0")]
    assert found().problems == found(pipeline="${ trigger.child }").warnings == ()
