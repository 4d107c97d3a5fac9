"""Identity: on whose behalf a stage runs."""

import pytest
from msgspec.structs import replace
from tests.make import AT, execution, stage_json

from gennaker.engine import identity
from gennaker.engine.sight import StageSight
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution, LastModified, Stage
from gennaker.model.statuses import Status


def judgment(ref: str, *requires: str, **context: Json) -> JsonObject:
    given: JsonObject = {"judgmentStatus": "continue", "propagateAuthenticationContext": True, **context}
    return stage_json(ref, *requires, type="manualJudgment", **given)


def judged(
    found: Execution, ref: str, by: str, status: Status = Status.SUCCEEDED, roles: frozenset[str] = frozenset()
) -> Execution:
    stage = of(found, ref)
    done = replace(stage, status=status, last_modified=LastModified(user=by, at=AT, roles=roles))
    return replace(found, stages=found.stages.set(stage.id, done))


def of(found: Execution, ref: str) -> Stage:
    return next(stage for stage in found.in_order() if stage.ref_id == ref)


def test_the_nearest_judge_who_passes_it_on_counts() -> None:
    found = execution(judgment("j"), stage_json("a", "j"), judgment("k", "a"), stage_json("b", "k"))
    found = judged(judged(found, "j", "ada"), "k", "bob")

    assert [identity.user_of(found, of(found, ref)) for ref in ("a", "b")] == ["ada", "bob"]


def test_the_roles_are_those_of_whose_identity_it_is() -> None:
    found = execution(judgment("j"), stage_json("a", "j"), stage_json("b"), roles=("dev",))
    found = judged(found, "j", "bob", roles=frozenset({"ops"}))

    assert [identity.roles_of(found, of(found, ref)) for ref in ("a", "b")] == [{"ops"}, {"dev"}]


@pytest.mark.parametrize(
    ("context", "status"),
    [
        ({"propagateAuthenticationContext": False}, Status.SUCCEEDED),
        ({"propagateAuthenticationContext": "true"}, Status.SUCCEEDED),
        ({"judgmentStatus": "stop"}, Status.FAILED_CONTINUE),
        ({}, Status.SKIPPED),
    ],
)
def test_otherwise_it_is_who_the_execution_belongs_to(context: JsonObject, status: Status) -> None:
    found = judged(execution(judgment("j", **context), stage_json("a", "j")), "j", "bob", status)

    assert identity.user_of(found, of(found, "a")) == "ada"


def test_branches_without_the_judgment_are_not_touched_and_expressions_see_the_judge() -> None:
    found = judged(execution(judgment("j"), stage_json("a", "j"), stage_json("z")), "j", "bob")
    sights = [StageSight(found, of(found, ref), at=AT) for ref in ("a", "z")]

    assert [sight.user for sight in sights] == ["bob", "ada"]
    assert [sight.evaluate("${#currentUser()}").value for sight in sights] == ["bob", "ada"]
