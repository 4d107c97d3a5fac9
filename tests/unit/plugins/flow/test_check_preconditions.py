"""Check preconditions: each kind holds or fails with what was seen; each precondition's own flags decide what that means."""

from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.clouds import CloudState, FakeCloud
from tests.fakes.scripted import Target
from tests.harness import Harness, problem_of

from gennaker.interfaces.clouds import Capacity, Place, ServerGroup
from gennaker.interfaces.plugins import Plugin
from gennaker.model import moniker
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution, Stage
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow

CLUSTER: JsonObject = {"cluster": "shop-prod", "credentials": "local", "regions": ["here"]}


def cloud() -> Plugin:
    """Two server groups of shop-prod in `here`, one of which is disabled, and none elsewhere."""
    state = CloudState()
    place = Place(account="local", region="here")
    for number, is_disabled in ((0, True), (1, False)):
        name = moniker.server_group_name("shop-prod", number)
        state.groups[name] = ServerGroup(
            name=name,
            place=place,
            cloud_provider="fake",
            moniker=moniker.parse(name),
            created_at=state.at,
            capacity=Capacity(min=1, max=1, desired=1),
            is_disabled=is_disabled,
            image="shop@sha256:1",
        )
    return Plugin(name="cloud", clouds=(lambda _: FakeCloud(state, place),))


def run(*preconditions: JsonObject, before: JsonObject | None = None, **context: Any) -> Execution:
    stages = [before] if before else []
    stages.append(
        make.stage_json(
            "c", *(["f"] if before else []), type="checkPreconditions", preconditions=list(preconditions), **context
        )
    )
    config: JsonObject = {"application": "shop", "name": "d", "stages": list[Any](stages)}
    return Harness(flow.plugin, scripted.plugin(Target()), cloud()).run(config, {"parameters": {"env": "prod"}})


def checks(execution: Execution) -> list[Stage]:
    return [stage for stage in execution.in_order() if stage.parent_id is not None]


def expression(text: Any, **fields: Any) -> JsonObject:
    return {"type": "expression", "context": {"expression": text, **fields.pop("context", {})}, **fields}


def test_each_precondition_is_a_child_and_all_run_side_by_side() -> None:
    execution = run(expression("true"), {"type": "noop"}, expression("parameters.env == 'prod'"))

    children = checks(execution)
    assert execution.head.status is Status.SUCCEEDED
    assert [(one.name, one.type, one.requisite_ref_ids) for one in children] == [
        ("Check precondition (expression)", "checkPreconditions", ()),
        ("Check precondition (noop)", "checkPreconditions", ()),
        ("Check precondition (expression)", "checkPreconditions", ()),
    ]
    assert [task.name for task in children[0].tasks] == ["checkPrecondition"]


@pytest.mark.parametrize(
    ("text", "status", "result"),
    [
        ("true", Status.SUCCEEDED, "true"),
        ("TRUE", Status.SUCCEEDED, "true"),
        ("'TruE'", Status.SUCCEEDED, "TruE"),
        ("${parameters.env == 'prod'}", Status.SUCCEEDED, "true"),
        (True, Status.SUCCEEDED, "true"),
        ("false", Status.TERMINAL, "false"),
        ("1", Status.TERMINAL, "1"),
        ("parameters.env == 'test'", Status.TERMINAL, "false"),
        ("#stage('nobody')['status']", Status.TERMINAL, "#stage('nobody')['status']"),
        ("nobody", Status.TERMINAL, "nobody"),
    ],
)
def test_an_expression_must_give_true(text: Any, status: Status, result: str) -> None:
    execution = run(expression(text))

    (child,) = checks(execution)
    context = child.context["context"]
    assert isinstance(context, dict)
    assert (execution.head.status, context["expressionResult"]) == (status, result)


def test_a_failed_expression_says_what_it_was_and_what_came_of_it() -> None:
    execution = run(expression("parameters.env == 'test'", context={"failureMessage": "Only in test."}))

    assert "Only in test. (The expression `parameters.env == 'test'` gave 'false', not true.)" in problem_of(execution)


def test_an_expression_that_can_not_be_evaluated_is_in_the_summary() -> None:
    execution = run(expression("nobody.nothing"))

    (child,) = checks(execution)
    said = "The expression `nobody.nothing` could not be evaluated: The property nothing can't be read: nobody doesn't exist."
    assert problem_of(execution).splitlines()[0].endswith(said)
    assert child.context["expressionEvaluationSummary"]


@pytest.mark.parametrize(
    ("own", "stage", "child_status", "stage_status", "execution_status"),
    [
        ({"failPipeline": True}, {}, Status.TERMINAL, Status.TERMINAL, Status.TERMINAL),
        ({}, {}, Status.TERMINAL, Status.TERMINAL, Status.TERMINAL),
        ({"failPipeline": False}, {}, Status.STOPPED, Status.STOPPED, Status.SUCCEEDED),
        ({"failPipeline": True}, {"failPipeline": False}, Status.TERMINAL, Status.STOPPED, Status.SUCCEEDED),
        ({}, {"continuePipeline": True}, Status.FAILED_CONTINUE, Status.FAILED_CONTINUE, Status.SUCCEEDED),
    ],
)
def test_its_own_flags_say_what_a_failure_means(
    own: JsonObject, stage: JsonObject, child_status: Status, stage_status: Status, execution_status: Status
) -> None:
    execution = run(expression("false", **own), **stage)

    top = next(execution.top_level())
    assert (checks(execution)[0].status, top.status, execution.head.status) == (
        child_status,
        stage_status,
        execution_status,
    )


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"expected": 2}, Status.SUCCEEDED),
        ({"expected": 1, "comparison": ">"}, Status.SUCCEEDED),
        ({"expected": 2, "comparison": "<="}, Status.SUCCEEDED),
        ({"expected": 3, "comparison": "<"}, Status.SUCCEEDED),
        ({"expected": "2", "comparison": ">="}, Status.SUCCEEDED),
        ({"expected": 1, "onlyEnabledServerGroups": True}, Status.SUCCEEDED),
        ({"expected": 1}, Status.TERMINAL),
        ({"expected": 0, "regions": ["there"]}, Status.SUCCEEDED),
        ({"expected": 2, "regions": ["here", "there"]}, Status.TERMINAL),
        ({"expected": 0, "credentials": "other"}, Status.SUCCEEDED),
        ({"expected": 0, "cluster": "shop-test"}, Status.SUCCEEDED),
    ],
)
def test_the_size_of_a_cluster_is_compared_in_each_region(wanted: JsonObject, status: Status) -> None:
    assert run({"type": "clusterSize", "context": {**CLUSTER, **wanted}}).head.status is status


def test_a_wrong_size_names_what_was_found() -> None:
    said = problem_of(run({"type": "clusterSize", "context": {"expected": 1}}, **CLUSTER))

    assert "expected == 1 server groups in here but found 2: ['shop-prod-v000', 'shop-prod-v001']" in said


def test_a_question_without_sense_lists_all_that_is_wrong() -> None:
    said = problem_of(run({"type": "clusterSize", "context": {"comparison": "!=", "expected": -1}}))

    assert "Missing cluster, Unsupported comparison !=, Invalid value for expected -1, Missing regions" in said


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"stageName": "f", "stageStatus": "FAILED_CONTINUE"}, ""),
        ({"stageName": "f", "stageStatus": "SUCCEEDED"}, "asserted to be SUCCEEDED, but was actually FAILED_CONTINUE"),
        ({"stageName": "g", "stageStatus": "SUCCEEDED"}, "Failed to find stage 'g'"),
        ({"stageStatus": "SUCCEEDED"}, "needs `stageName`"),
        ({"stageName": "f"}, "needs `stageStatus`"),
    ],
)
def test_the_status_of_a_stage_is_compared(context: JsonObject, said: str) -> None:
    failing = make.stage_json("f", type="fail", continuePipeline=True)
    execution = run({"type": "stageStatus", "context": context}, before=failing)

    assert (execution.head.status is Status.SUCCEEDED) == (said == "")
    assert said in problem_of(execution)


@pytest.mark.parametrize(
    ("precondition", "said"), [({"type": "moon"}, "There is no precondition of type 'moon'"), ({}, "has no type")]
)
def test_unknown_kinds_are_said(precondition: JsonObject, said: str) -> None:
    assert said in problem_of(run(precondition))


def test_no_precondition_is_no_obstacle() -> None:
    execution = run()

    assert (execution.head.status, next(execution.top_level()).status) == (Status.SUCCEEDED, Status.SKIPPED)
