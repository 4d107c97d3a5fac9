"""Sight: artifacts, expressions and other executions as a stage sees them."""

from msgspec.structs import replace
from tests.make import AT, execution, stage_json

from gennaker.engine.sight import StageSight
from gennaker.interfaces.stages import Evaluation
from gennaker.model.codec import Json
from gennaker.model.execution import Execution, Stage


def of(found: Execution, ref: str) -> Stage:
    return next(stage for stage in found.in_order() if stage.ref_id == ref)


def with_outputs(found: Execution, ref: str, **outputs: Json) -> Execution:
    stage = of(found, ref)
    return replace(found, stages=found.stages.set(stage.id, replace(stage, outputs=outputs)))


def test_a_failed_expression_stays_and_says_why() -> None:
    found = execution(stage_json("a", image="shop"))
    sight = StageSight(found, of(found, "a"), at=AT)

    assert sight.evaluate({"v": "${image + ':1'}"}) == Evaluation(value={"v": "shop:1"})
    failed = sight.evaluate("${nobody}")
    assert (failed.value, failed.failed) == ("${nobody}", ("The key nobody doesn't exist.",))
    assert list(failed.summary) == ["nobody"]


def test_artifacts_of_a_run_are_listed_latest_stage_first_and_a_stage_can_be_left_out() -> None:
    one, two, three = ({"type": "docker/image", "name": name} for name in ("one", "two", "three"))
    found = execution(stage_json("a"), stage_json("b", "a"), trigger={"artifacts": [three]})
    found = with_outputs(found, "a", artifacts=[one], size=1)
    found = with_outputs(found, "b", artifacts=[two, one], size=2)
    sight = StageSight(found, of(found, "b"), at=AT)

    assert sight.artifacts_of(found) == [two, one, three]
    assert sight.artifacts_of(found, without_ref_id="b") == [three]
    assert sight.outputs_of(found) == {"artifacts": [one, two], "size": 2}
    assert [stage.ref_id for stage in sight.ancestors()] == ["b", "a"]
    assert sight.artifacts() == [two, one, three]
    assert sight.bound_artifact("x") is None


def test_a_default_artifact_is_evaluated_where_it_is_used_and_one_from_outside_is_not() -> None:
    asked = "shop:${ #stage('a').outputs.tag }"
    given: Json = {"id": "given", "boundArtifact": {"reference": asked}, "defaultArtifact": {"reference": "shop:1"}}
    default: Json = {"id": "default", "boundArtifact": {"reference": asked}, "defaultArtifact": {"reference": asked}}
    found = execution(stage_json("a"), stage_json("b", "a"), trigger={"resolvedExpectedArtifacts": [given, default]})
    found = with_outputs(found, "a", tag="7")
    sight = StageSight(found, of(found, "b"), at=AT)

    assert sight.bound_artifact("default") == {"reference": "shop:7"}
    assert sight.bound_artifact("given") == {"reference": asked}
