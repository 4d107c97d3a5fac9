"""Executions as expressions see them: ancestors, objects, triggers."""

import pytest

from gennaker.expressions import root, template
from gennaker.expressions.execution_view import ExecutionView
from gennaker.expressions.trigger_view import scm_commits, scm_info, trigger, trigger_map
from gennaker.expressions.values import MISSING, Record, Value
from gennaker.model.codec import Json, JsonObject


def _stage(ref: str, *requisites: str, **more: Json) -> JsonObject:
    wanted: list[Json] = list(requisites)
    return {"id": f"S{ref}", "refId": ref, "name": f"Stage {ref}", "type": "wait", "status": "SUCCEEDED"} | {
        "requisiteStageRefIds": wanted,
        "context": {},
        "outputs": {},
        **more,
    }


def _execution(*stages: JsonObject) -> JsonObject:
    return {
        "id": "E",
        "application": "shop",
        "status": "RUNNING",
        "stages": list(stages),
        "trigger": {"type": "manual"},
    }


def _refs(execution: JsonObject, ref: str) -> list[Json]:
    view = ExecutionView(execution)
    stage = view.by_ref(ref)
    assert stage is not None
    return [ancestor["refId"] for ancestor in view.ancestors(stage)]


def test_ancestors_are_visited_nearest_first_and_once() -> None:
    diamond = _execution(_stage("1"), _stage("2", "1"), _stage("3", "1"), _stage("4", "2", "3"))

    assert _refs(diamond, "4") == ["4", "2", "3", "1"]


def test_synthetic_stages_of_requisites_are_ancestors() -> None:
    before = _stage("1<1", parentStageId="S1", syntheticStageOwner="STAGE_BEFORE")

    assert _refs(_execution(before, _stage("1"), _stage("2", "1")), "2") == ["2", "1", "1<1"]


def test_an_after_stage_sees_its_parents_before_stages_and_the_parent() -> None:
    before = _stage("2<1", parentStageId="S2", syntheticStageOwner="STAGE_BEFORE")
    after = _stage("2>1", parentStageId="S2", syntheticStageOwner="STAGE_AFTER")

    assert _refs(_execution(_stage("1"), before, _stage("2", "1"), after), "2>1") == ["2>1", "2<1", "2", "1"]


def test_a_cycle_of_requisites_ends() -> None:
    assert _refs(_execution(_stage("1", "2"), _stage("2", "1")), "1") == ["1", "2"]


def test_a_key_is_own_even_if_null_else_an_output_of_the_nearest_ancestor_and_never_a_context() -> None:
    first = _stage("1", outputs={"image": "a", "own": "no"}, context={"secret": 1})
    view = ExecutionView(_execution(first, _stage("2", "1", context={"own": None})))
    stage = view.by_ref("2")
    assert stage is not None
    names = view.names(stage)

    assert [names.get(key) for key in ("image", "own", "secret")] == ["a", None, MISSING]


def test_the_executions_context_joins_lists_and_lets_later_stages_win() -> None:
    execution = _execution(
        _stage("2", "1", outputs={"k": 2, "l": ["b", "a"]}),
        _stage("1", outputs={"k": 1, "l": ["a"]}),
    )

    assert ExecutionView(execution).merged_outputs() == {"k": 2, "l": ["a", "b"]}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("#stage('Stage 1').status == 'SUCCEEDED'", True),
        ("#stage('Stage 2').ancestors().![refId]", ["2", "1"]),
        ("execution.stages[1].parent", None),
        ("#stageByRefId(2).context.image", "a"),
        ("#currentStage().name", "Stage 2"),
        ("execution['status'].name()", "RUNNING"),
        ("execution.stages.?[hasSucceeded].size()", 2),
        ("execution.trigger.artifacts", []),
        ("image", "a"),
        ("execution.getId()", "E"),
    ],
)
def test_objects_of_the_execution_can_be_read(expression: str, expected: Json) -> None:
    execution = _execution(_stage("1", outputs={"image": "a"}), _stage("2", "1"))

    found = template.evaluate(f"${{{expression}}}", root.at_stage(execution, "2")).value

    assert found == (f"${{{expression}}}" if expected is None else expected)


@pytest.mark.parametrize(
    "expression", ["execution.type", "execution.source", "execution.__init__", "execution.raw", "execution.methods"]
)
def test_blocked_and_foreign_properties_cannot_be_read(expression: str) -> None:
    assert len(template.evaluate(f"${{{expression}}}", root.at_stage(_execution(), "")).failures) == 1


def test_a_trigger_has_the_fields_that_every_trigger_has() -> None:
    made = trigger_map({"type": "docker", "tag": "1", "extra": 1, "user": None})

    assert (made["user"], made["artifacts"], made["extra"]) == ("[anonymous]", [], 1)
    assert "repository" not in made


BUILD: JsonObject = {"type": "manual", "master": "ci", "job": "shop", "buildNumber": 7}


@pytest.mark.parametrize(
    ("raw", "name", "own"),
    [
        (BUILD, "JenkinsTrigger", "propertyFile"),
        ({**BUILD, "type": "travis"}, "JenkinsTrigger", "buildInfo"),
        ({**BUILD, "type": "jenkins", "buildNumber": None}, "DefaultTrigger", ""),
        ({"type": "concourse"}, "ConcourseTrigger", "buildInfo"),
        ({"type": "docker", "account": "a", "repository": "r"}, "DefaultTrigger", ""),
        ({"type": "cron", "account": "a", "repository": "r", "tag": "1"}, "DockerTrigger", "tag"),
        ({"type": "pipeline"}, "DefaultTrigger", ""),
        (dict.fromkeys(("source", "project", "branch", "slug", "hash"), "x"), "GitTrigger", "action"),
    ],
)
def test_the_class_of_a_trigger_is_told_by_what_it_brings(raw: JsonObject, name: str, own: str) -> None:
    made = trigger(raw, lambda _: (None, None, None))

    assert made.type_name == name
    assert own in made.properties if own else "buildInfo" not in made.properties


def test_a_push_without_an_action_has_an_undefined_one() -> None:
    push: JsonObject = dict.fromkeys(("source", "project", "branch", "slug", "hash"), "x")

    assert trigger_map(push)["action"] == "undefined"


def test_the_commit_is_the_first_off_the_main_branches_else_the_first() -> None:
    def commit(*branches: str) -> Value:
        built: JsonObject = {**BUILD, "buildInfo": {"scm": [{"branch": branch} for branch in branches]}}
        found = scm_info(scm_commits(built))
        return found.properties["branch"]() if isinstance(found, Record) else None

    assert [commit("master", "x"), commit("master", "develop"), commit("master"), commit()] == [
        "x",
        "master",
        "master",
        None,
    ]


def test_an_execution_says_to_which_family_it_belongs() -> None:
    seen = root.at_stage({**_execution(_stage("1")), "rootId": "R"}, "1")

    assert template.evaluate("${execution.rootId}", seen).value == "R"


def test_a_stage_of_an_orchestration_sees_its_own_context_alone() -> None:
    seen = root.at_stage({**_execution(_stage("1", context={"a": 1})), "type": "ORCHESTRATION"}, "1")

    assert template.evaluate("${keySet().![#this]}", seen).value == ["scmInfo", "a", "parameters"]
    assert template.evaluate("${execution?.id}", seen).value == "${execution?.id}"
