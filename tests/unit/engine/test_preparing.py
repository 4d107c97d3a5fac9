"""Preparing: evaluating, conditions, strict reading, planning, windows, submissions."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from msgspec.structs import replace
from tests.make import AT, EXECUTION, child, config, execution, head, stage_json
from tests.playbook import stage_id

from gennaker.engine import preparing
from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.lookups import Answer, Question
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskType, Unplannable
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import AfterKind, Effect, PrepareAfterStages, PrepareStage, PrepareSubmission, PrepareTask
from gennaker.model.event import (
    AfterStagesPrepared,
    PlannedStage,
    StagePrepared,
    SubmissionPrepared,
    TaskPrepared,
    TaskResult,
)
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """A stage that needs an image."""

    image: str
    count: int = 1


async def never(context: object) -> TaskResult:
    """Nobody runs it here."""
    raise AssertionError(context)


async def plan(spec: StageSpec, _: StageContext) -> Plan:
    """Two children, one of which has an expression."""
    assert isinstance(spec, Spec)
    if spec.image == "away":
        raise Unplannable(Problem(code="test.away", message="Nobody answers."), retryable=True)
    if spec.image == "fault":
        raise ZeroDivisionError("boom")
    circle = spec.image == "circle"
    before = (child("one", *([1] if circle else []), image="shop:${ parameters.tag }"), child("two", 0))
    return Plan(before=before, tasks=(RUN.planned(),), context={"planned": spec.count})


async def late(spec: StageSpec, _: StageContext) -> tuple[PlannedStage, ...]:
    """One stage after."""
    assert isinstance(spec, Spec)
    return (child("after", image=spec.image),)


RUN = TaskType(name="run", run=never)
TYPES = {
    "work": StageType(name="work", label="Work", about="", spec=Spec, tasks=(RUN,)),
    "planning": StageType(
        name="planning", label="Plan", about="", spec=Spec, plan=plan, plan_after=late, aliases=("planned",)
    ),
    "asking": StageType(name="asking", label="Ask", about="", spec=Spec, plans_without_io=False),
}


class Definitions:
    """A store of definitions with one application."""

    async def get(self, kind: str, definition_id: str) -> Definition | None:
        """The application `shop` tells a team of failures."""
        moments: list[Json] = ["pipeline.complete", "pipeline.failed"]
        team: JsonObject = {"type": "email", "address": "team", "when": moments, "message": "of the application"}
        body: JsonObject = {"email": [team, {"type": "email", "address": "stages", "when": ["stage.failed"]}]}
        if (kind, definition_id) != ("notifications", "shop"):
            return None
        return Definition(kind=kind, id=definition_id, body=body, revision=1, author="ada", at=AT)


class Runs:
    """Earlier executions."""

    def __init__(self, *runs: Execution) -> None:
        self.runs = runs

    async def find(self, wanted: object) -> tuple[Execution, ...]:
        """All of them."""
        return self.runs

    async def get(self, execution_id: str) -> Execution | None:
        """By id."""
        return next((one for one in self.runs if one.head.id == execution_id), None)


def services(*runs: Execution) -> Services:
    fields: dict[str, Any] = dict.fromkeys(Services.__struct_fields__)
    return Services(**{**fields, "definitions": Definitions(), "executions": Runs(*runs)})


def prepare(effect: Effect, found: Execution, *runs: Execution) -> Any:
    return asyncio.run(preparing.prepare(effect, found, stage_types=TYPES, services=services(*runs), at=AT))


def staged(kind: str = "work", **context: Json) -> StagePrepared:
    found = execution(stage_json("a", type=kind, **context), trigger={"parameters": {"tag": "1.2"}})
    return cast("StagePrepared", prepare(PrepareStage(key="k", stage_id=stage_id("a")), found))


def test_a_number_where_the_type_wants_text_is_text_for_whoever_looks_at_the_context() -> None:
    context = staged(image="${ 1 + 1 }", count=2, other=3).context

    assert (context["image"], context["count"], context["other"]) == ("2", 2, 3)


def test_expressions_are_evaluated_and_all_tasks_planned() -> None:
    prepared = staged(image="shop:${ parameters.tag }", count="${ 1 + 2 }")

    assert prepared == StagePrepared(
        at=AT, key="k", stage_id=stage_id("a"), context={"image": "shop:1.2", "count": 3}, tasks=(RUN.planned(),)
    )


def test_an_expression_that_fails_stays_and_is_summed_up() -> None:
    prepared = staged(image="shop", note="${ no.such.thing }")

    assert prepared.context["note"] == "${ no.such.thing }"
    assert list(cast("JsonObject", prepared.context["expressionEvaluationSummary"])) == ["no.such.thing"]
    assert prepared.problem is None


class Told:
    """An outside that knows one text."""

    async def answers(self, questions: Sequence[Question]) -> list[Answer]:
        """The same for all."""
        return ["shop:7" for _ in questions]


@pytest.mark.parametrize(
    "effect",
    [
        PrepareStage(key="k", stage_id=stage_id("a")),
        PrepareTask(key="k", stage_id=stage_id("a"), task_id="1"),
    ],
)
def test_what_an_expression_asks_outside_is_answered_first(effect: PrepareStage | PrepareTask) -> None:
    found = execution(stage_json("a", type="work", image="${ #fromUrl('https://example.com/tag') }"))
    asked = replace(services(), outside=Told())

    prepared = asyncio.run(preparing.prepare(effect, found, stage_types=TYPES, services=asked, at=AT))

    assert preparing.needs_io(effect, found, TYPES)
    assert cast("StagePrepared", prepared).context["image"] == "shop:7"


def test_wrong_and_missing_fields_are_said_together_with_pointers() -> None:
    prepared = staged(count="many")

    assert prepared.problem is not None
    assert prepared.problem.code == "stage.fields_wrong"
    found = cast("list[JsonObject]", prepared.problem.details["problems"])
    assert [(one["code"], one["pointer"]) for one in found] == [
        ("stage.field_missing", "/image"),
        ("stage.field_wrong", "/count"),
    ]


def test_keys_of_every_stage_are_checked_once_they_are_evaluated() -> None:
    prepared = staged(
        image=[5], failPipeline="${ 'x' }", stageTimeoutMs="${ no.such.thing }", comments="${ no.such.thing }"
    )

    assert prepared.problem is not None
    found = cast("list[JsonObject]", prepared.problem.details["problems"])
    assert [(one["code"], one["message"]) for one in found] == [
        ("stage.field_wrong", '`failPipeline` of stage a must be true or false, not the text "x".'),
        ("stage.field_wrong", '`stageTimeoutMs` of stage a must be a number, not the text "${ no.such.thing }".'),
        ("stage.field_wrong", "`image` of stage a must be text, not a list."),
    ]


@pytest.mark.parametrize("window", [5, "${ 5 }", {"days": ["Monday"]}])
def test_a_wrong_execution_window_is_left_to_the_stage_that_waits_for_it(window: Json) -> None:
    prepared = staged(image="shop", restrictExecutionDuringTimeWindow="true", restrictedExecutionWindow=window)

    assert prepared.problem is None
    assert [one.type for one in prepared.before] == ["restrictExecutionDuringTimeWindow"]


def test_a_stage_that_is_skipped_may_have_wrong_keys() -> None:
    prepared = staged(image=[5], failPipeline=[], stageEnabled={"type": "expression", "expression": "false"})

    assert prepared.problem is None
    assert prepared.skip


def after(outputs: JsonObject, **context: Json) -> StagePrepared:
    """What is prepared of a stage behind one that has put this out."""
    found = execution(stage_json("z"), stage_json("a", "z", **context))
    first = found.stages[stage_id("z")]
    found = replace(found, stages=found.stages.set(first.id, replace(first, outputs=outputs)))
    return cast("StagePrepared", prepare(PrepareStage(key="k", stage_id=stage_id("a")), found))


def test_a_field_may_come_from_an_ancestors_outputs() -> None:
    assert after({"image": "shop:1"}).problem is None


def test_a_field_that_the_stage_can_do_without_is_its_own() -> None:
    assert after({"count": "many"}, image="shop:1").problem is None


def test_what_an_ancestor_has_put_out_for_a_field_that_is_needed_must_fit() -> None:
    problem = after({"image": [5], "count": "many"}).problem

    assert problem is not None
    assert problem.message == "`image` of stage a must be text, not a list."


def test_null_and_blank_are_as_good_as_nothing() -> None:
    prepared = staged(image="shop", count=None, failPipeline="", stageTimeoutMs=None)

    assert prepared.problem is None


def test_a_field_that_is_needed_is_missing_where_it_is_null() -> None:
    problem = staged(image=None).problem

    assert problem is not None
    assert (problem.code, problem.pointer) == ("stage.field_missing", "/image")


def test_an_unknown_type_is_a_clear_problem() -> None:
    problem = staged("teleport").problem

    assert problem is not None
    assert problem.code == "stage.unknown_type"
    assert problem.message == "Stage a has the type 'teleport', which this installation doesn't know."
    assert problem.remedy.startswith("`GET /api/v1/stage-types` lists all")


def test_a_type_that_is_nearly_one_names_it() -> None:
    problem = staged("palnned").problem

    assert problem is not None
    assert problem.remedy.startswith("Did you mean planned? ")


def test_children_are_planned_with_their_contexts_evaluated() -> None:
    prepared = staged("planned", image="shop:1", count=2)

    assert prepared.before == (child("one", image="shop:1.2"), child("two", 0))
    assert prepared.context["planned"] == 2


def test_what_cannot_be_planned_is_a_problem_and_a_fault_too() -> None:
    away, fault, circle = (staged("planning", image=image) for image in ("away", "fault", "circle"))

    assert (away.problem, away.is_retryable) == (Problem(code="test.away", message="Nobody answers."), True)
    assert fault.problem is not None
    assert "ZeroDivisionError: boom" in fault.problem.message
    assert circle.problem is not None
    assert "wait for each other" in circle.problem.message


def test_an_execution_window_comes_before_everything_else() -> None:
    prepared = staged("planning", image="shop", restrictExecutionDuringTimeWindow=True, restrictedExecutionWindow={})

    window, one, two = prepared.before
    assert (window.type, window.context) == (
        "restrictExecutionDuringTimeWindow",
        {"image": "shop", "restrictedExecutionWindow": {}},
    )
    assert (one.requisites, two.requisites) == ((0,), (1,))


def enabled(expression: Json, **context: Json) -> str:
    rule: JsonObject = {"type": "Expression", "expression": expression}
    return staged(image="shop", stageEnabled=rule, **context).skip


def test_a_condition_decides_whether_a_stage_runs() -> None:
    assert enabled("parameters.tag == '1.2'") == ""
    assert enabled("${ parameters.tag == '1.2' }") == ""
    assert enabled("parameters.tag == '9'") == "its condition is false: parameters.tag == '9'"
    assert enabled("no.such.thing") == (
        "its condition can't be evaluated: no.such.thing: "
        "The property such can't be read: no doesn't exist (character 1: no)."
    )
    assert enabled("") == ""


def test_late_stages_are_planned_from_the_present_context() -> None:
    found = execution(stage_json("a", type="planning", image="shop:1"))

    prepared = prepare(PrepareAfterStages(key="k", stage_id=stage_id("a"), kind=AfterKind.AFTER), found)
    failure = prepare(PrepareAfterStages(key="k", stage_id=stage_id("a"), kind=AfterKind.ON_FAILURE), found)

    assert prepared == AfterStagesPrepared(
        at=AT, key="k", stage_id=stage_id("a"), stages=(child("after", image="shop:1"),)
    )
    assert failure.stages == ()


def test_a_task_has_the_context_evaluated_again() -> None:
    found = execution(stage_json("a", title="${ 'x' + 'y' }", expressionEvaluationSummary={"old": []}))

    prepared = prepare(PrepareTask(key="k", stage_id=stage_id("a"), task_id="1"), found)

    assert prepared == TaskPrepared(at=AT, key="k", stage_id=stage_id("a"), task_id="1", context={"title": "xy"})


def test_only_planning_that_asks_somebody_needs_io() -> None:
    found = execution(stage_json("a"), stage_json("b", type="asking"))

    def needs(effect: Effect) -> bool:
        return preparing.needs_io(effect, found, TYPES)

    assert not needs(PrepareStage(key="k", stage_id=stage_id("a")))
    assert needs(PrepareStage(key="k", stage_id=stage_id("b")))
    assert not needs(PrepareTask(key="k", stage_id=stage_id("b"), task_id="1"))
    assert needs(PrepareSubmission(key="k"))


def submitted(definition: JsonObject, trigger: JsonObject, *runs: Execution) -> SubmissionPrepared:
    found = Execution(head=head(initial_config=definition, trigger=trigger, pipeline_config_id="config"))
    return cast("SubmissionPrepared", prepare(PrepareSubmission(key="k"), found, *runs))


def test_a_submission_is_completed() -> None:
    definition: JsonObject = {
        "name": "deliver ${ trigger.parameters.tag }",
        "parameterConfig": [{"name": "tag", "default": "1"}, {"name": "empty", "default": "x"}],
        "stages": [{"type": "work", "image": "${ trigger.parameters.tag }"}, {"type": "work", "image": "b"}],
        "notifications": [{"type": "email", "address": "team", "when": ["pipeline.complete"]}],
        "spelEvaluator": "v4",
    }

    prepared = submitted(definition, {"parameters": {"empty": "", "more": 1}})

    assert prepared.problems == ()
    assert prepared.config["name"] == "deliver 1"
    assert prepared.config["stages"] == [
        {"type": "work", "image": "${ trigger.parameters.tag }", "refId": "0", "requisiteStageRefIds": []},
        {"type": "work", "image": "b", "refId": "1", "requisiteStageRefIds": ["0"]},
    ]
    assert prepared.config["notifications"] == [
        {"type": "email", "address": "team", "when": ["pipeline.complete"]},
        {"type": "email", "address": "team", "when": ["pipeline.failed"], "message": "of the application"},
    ]
    assert prepared.trigger["type"] == "manual"
    assert prepared.trigger["user"] == "ada"
    assert prepared.trigger["parameters"] == {"empty": "", "more": 1, "tag": "1"}


@pytest.mark.parametrize(
    ("kind", "name"), [("manual", "deliver ${trigger.type}, ${trigger.payload}"), ("pipeline", "deliver pipeline, $")]
)
def test_parameters_and_artifacts_of_a_trigger_see_the_trigger_as_it_came(kind: str, name: str) -> None:
    definition: JsonObject = {
        "name": "deliver ${ parameters.kind }, ${ parameters.asked }",
        "parameterConfig": [
            {"name": "kind", "default": "${trigger.type}"},
            {"name": "odd", "default": "${ 7 % 2 == 1 }"},
        ],
        "expectedArtifacts": [
            {"id": "image", "useDefaultArtifact": True, "defaultArtifact": {"reference": "shop:${ parameters.tag }"}}
        ],
        "stages": [],
    }
    given: JsonObject = {"tag": "1.2", "asked": "${trigger.payload}", "later": "${ #stage('x') }", "sum": "${ x = 1 }"}

    prepared = submitted(definition, {"type": kind, "parameters": given, "payload": "$"})

    assert (prepared.problems, prepared.config["name"]) == ((), name)
    assert prepared.trigger["parameters"] == {**given, "asked": "$", "kind": kind, "odd": True}
    assert prepared.trigger["artifacts"] == [{"reference": "shop:1.2"}]


def test_an_expected_artifact_is_compared_with_what_the_trigger_makes_of_it() -> None:
    match: JsonObject = {
        "type": "maven/file",
        "name": "shop:${ trigger['buildNumber'] }",
        "version": "${ trigger.buildNumber }",
    }
    definition = config(
        stage_json("a", image="x"),
        expectedArtifacts=[
            {"id": "jar", "matchArtifact": match},
            {
                "id": "later",
                "matchArtifact": {"type": "git/repo"},
                "useDefaultArtifact": True,
                "defaultArtifact": {"name": "${ #stage('a').name }"},
            },
        ],
    )
    jar: JsonObject = {"type": "maven/file", "name": "shop:100", "version": "100"}

    prepared = submitted(definition, {"buildNumber": 100, "artifacts": [jar], "expectedArtifactIds": ["jar"]})

    resolved = cast("list[JsonObject]", prepared.trigger["resolvedExpectedArtifacts"])
    assert prepared.problems == ()
    assert [one["boundArtifact"] for one in resolved] == [jar, {"name": "${ #stage('a').name }"}]


def test_what_else_an_event_has_brought_along_stays_as_it_came() -> None:
    event: JsonObject = {"type": "webhook", "payload": {"message": "costs ${ 1 + 1 }"}}

    assert submitted(config(stage_json("a", image="x")), event).trigger["payload"] == event["payload"]


def test_without_the_newest_evaluator_stages_are_evaluated_at_submission_too() -> None:
    prepared = submitted(config(stage_json("a", image="${ trigger.type }", late="${ #stage('x') }")), {"type": "git"})

    stage = cast("list[JsonObject]", prepared.config["stages"])[0]
    assert (stage["image"], stage["late"]) == ("git", "${ #stage('x') }")


def test_everything_that_is_wrong_with_a_submission_is_said_at_once() -> None:
    definition = config(
        stage_json("a", "nowhere"),
        disabled=True,
        expectedArtifacts=[{"id": "image", "useDefaultArtifact": True, "matchArtifact": {"type": "docker/image"}}],
    )

    prepared = submitted(definition, {})

    assert [one.code for one in prepared.problems] == [
        "artifact.unmatched",
        "pipeline.disabled",
        "stage.missing_requisite",
    ]


def test_expected_artifacts_are_bound_and_joined_to_what_was_received() -> None:
    definition = config(
        stage_json("a", image="x"),
        expectedArtifacts=[
            {"id": "image", "matchArtifact": {"type": "docker/image", "name": "shop"}},
            {"id": "unused", "matchArtifact": {"type": "never"}},
            {"id": "prior", "usePriorArtifact": True, "matchArtifact": {"type": "git/repo"}},
        ],
    )
    before = replace(
        execution(trigger={"artifacts": [{"type": "git/repo", "name": "shop"}]}),
        head=head(id="EARLIER", trigger={"artifacts": [{"type": "git/repo", "name": "shop"}]}),
    )
    image: JsonObject = {"type": "docker/image", "name": "shop", "version": "1", "kind": "gone", "extra": True}

    prepared = submitted(definition, {"artifacts": [image, image], "expectedArtifactIds": ["image"]}, before)

    read: JsonObject = {"type": "docker/image", "name": "shop", "version": "1", "metadata": {"extra": True}}
    repo: JsonObject = {"type": "git/repo", "name": "shop"}
    assert prepared.problems == ()
    assert prepared.trigger["artifacts"] == [read, repo]
    resolved = cast("list[JsonObject]", prepared.trigger["resolvedExpectedArtifacts"])
    assert [(one["id"], one["boundArtifact"]) for one in resolved] == [("image", read), ("prior", repo)]


def test_a_named_parent_run_hands_on_its_artifacts() -> None:
    parent = replace(
        execution(stage_json("a")),
        head=head(id="PARENT", name="build", trigger={"artifacts": [{"type": "docker/image", "name": "shop"}]}),
    )

    trigger = submitted(config(stage_json("a", image="x")), {"parentPipelineId": "PARENT"}, parent).trigger

    assert trigger["artifacts"] == [{"type": "docker/image", "name": "shop"}]
    assert (trigger["isPipeline"], trigger["parentPipelineName"]) == (True, "build")
    assert cast("JsonObject", trigger["parentExecution"])["id"] == "PARENT"


def test_a_stage_that_is_gone_is_a_problem_not_a_crash() -> None:
    found = execution(stage_json("a"))

    for effect in (
        PrepareStage(key="k", stage_id="gone"),
        PrepareTask(key="k", stage_id="gone", task_id="1"),
        PrepareAfterStages(key="k", stage_id="gone", kind=AfterKind.AFTER),
    ):
        assert prepare(effect, found).problem.code == "stage.vanished"
    assert found.head.id == EXECUTION
