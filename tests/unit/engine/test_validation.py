"""Validation: everything that is wrong with a definition, at once, each with its pointer."""

import pytest
from tests.make import config, stage_json

from gennaker.engine import validation
from gennaker.interfaces.stages import StageSpec, StageType
from gennaker.model.codec import Json, JsonObject


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """A stage with fields of several types."""

    wait_time: int = 30
    names: tuple[str, ...] = ()
    options: dict[str, int] | None = None


TYPES = {"work": StageType(name="work", label="Work", about="Works.", spec=Spec, aliases=("job",))}


def pointers(found: JsonObject) -> list[str]:
    return [problem.pointer for problem in validation.validate(found, TYPES).problems]


def test_a_sound_definition_has_no_problems() -> None:
    found = config(
        stage_json("1", waitTime="5"),
        stage_json("2", "1", type="job", waitTime="${ parameters.seconds }"),
        triggers=[{"type": "git", "enabled": True}],
        parameterConfig=[{"name": "seconds", "default": "3"}],
        expectedArtifacts=[{"id": "x", "matchArtifact": {"type": "docker/image"}}],
        notifications=[{"type": "email", "when": ["pipeline.failed"]}],
        limitConcurrent=True,
        maxConcurrentExecutions=0,
    )

    assert validation.validate(found, TYPES) == validation.Validated()


def test_all_problems_are_named_at_once() -> None:
    found = config(
        stage_json("1", "2", waitTime="soon", names=["a", 1], options={"a/b": "x"}),
        stage_json("2", "1"),
        stage_json("2", "nowhere"),
        {"name": "nameless"},
        triggers=[{}, 1],
        limitConcurrent="yes",
    )

    assert set(pointers(found)) == {
        "/limitConcurrent",
        "/triggers/0/type",
        "/triggers/1",
        "/stages/0/requisiteStageRefIds",
        "/stages/0/waitTime",
        "/stages/0/names/1",
        "/stages/0/options",
        "/stages/2/refId",
        "/stages/2/requisiteStageRefIds/0",
        "/stages/3/refId",
        "/stages/3/type",
    }


def test_a_circle_is_said_as_one() -> None:
    found = config(stage_json("1", "3"), stage_json("2", "1"), stage_json("3", "2"), stage_json("4", "3"))

    problems = validation.validate(found, TYPES).problems

    assert [(one.code, one.message) for one in problems] == [
        ("pipeline.cycle", "Stages require each other in a circle: 1 → 3 → 2 → 1.")
    ]


def test_a_stage_may_not_require_itself() -> None:
    assert pointers(config(stage_json("1", "1"))) == ["/stages/0/requisiteStageRefIds"]


def test_an_unknown_stage_type_is_a_warning() -> None:
    found = validation.validate(config(stage_json("1", type="teleport")), TYPES)

    assert found.problems == ()
    assert [(one.code, one.pointer) for one in found.warnings] == [("stage.unknown_type", "/stages/0/type")]


def test_a_linear_pipeline_needs_no_ref_ids() -> None:
    assert pointers({"stages": [{"type": "work"}, {"type": "work"}]}) == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"stages": {}}, "/stages"),
        ({"stages": [1]}, "/stages/0"),
        ({"name": 1}, "/name"),
        ({"application": 1}, "/application"),
        ({"application": "a/b"}, "/application"),
        ({"id": 1}, "/id"),
        ({"id": "a/b"}, "/id"),
        ({"maxConcurrentExecutions": -1}, "/maxConcurrentExecutions"),
        ({"maxConcurrentExecutions": True}, "/maxConcurrentExecutions"),
        ({"parameterConfig": [{}]}, "/parameterConfig/0/name"),
        ({"parameterConfig": [{"name": "a"}, {"name": "a"}]}, "/parameterConfig/1/name"),
        ({"expectedArtifacts": [{"id": 1}]}, "/expectedArtifacts/0"),
        ({"expectedArtifacts": [{"id": "a"}, {"id": "a"}]}, "/expectedArtifacts/1/id"),
        ({"notifications": [{}]}, "/notifications/0/type"),
        ({"triggers": [{"type": "git", "enabled": "no"}]}, "/triggers/0/enabled"),
        ({"stages": [{"refId": "1<1", "type": "work"}]}, "/stages/0/refId"),
        ({"stages": [{"refId": "1", "type": "work", "requisiteStageRefIds": "0"}]}, "/stages/0/requisiteStageRefIds"),
    ],
)
def test_each_wrong_field_has_its_pointer(fields: dict[str, Json], pointer: str) -> None:
    assert pointers(fields) == [pointer]


@pytest.mark.slow
def test_a_thousand_stages_in_a_chain_are_no_problem() -> None:
    chain = [stage_json(str(one), *([str(one - 1)] if one else [])) for one in range(5000)]

    assert pointers(config(*chain)) == []
