"""Look-up: what a stage sees of the others."""

import time

from msgspec.structs import replace
from tests.make import execution, stage_json

from gennaker.engine import lookup
from gennaker.model.codec import Json
from gennaker.model.execution import Execution, Side, Stage


def with_outputs(found: Execution, ref: str, **outputs: Json) -> Execution:
    stage = of(found, ref)
    return replace(found, stages=found.stages.set(stage.id, replace(stage, outputs=outputs)))


def of(found: Execution, ref: str) -> Stage:
    return next(stage for stage in found.in_order() if stage.ref_id == ref)


def synthetic(parent: str, ref: str, side: Side) -> Stage:
    found = execution(stage_json(parent))
    return Stage(id=ref, ref_id=ref, type="work", name=ref, side=side, parent_id=of(found, parent).id)


def test_the_own_context_wins_even_with_null() -> None:
    found = with_outputs(execution(stage_json("a"), stage_json("b", "a", image=None)), "a", image="shop:1")

    assert lookup.find(found, of(found, "b"), "image") == (True, None)


def test_outputs_of_the_nearest_ancestor_are_seen_and_contexts_are_not() -> None:
    found = execution(stage_json("a", secret="x"), stage_json("b", "a"), stage_json("c", "b"), stage_json("d"))
    found = with_outputs(found, "a", image="shop:1", digest="1")
    found = with_outputs(found, "b", image="shop:2")
    found = with_outputs(found, "d", other=1)

    look_up = lookup.of_stage(found, of(found, "c"))

    assert (look_up("image"), look_up("digest")) == ("shop:2", "1")
    assert (look_up("secret"), look_up("other")) == (None, None)
    assert lookup.find(found, of(found, "c"), "secret") == (False, None)


def test_ancestors_come_nearest_first_with_their_synthetic_stages() -> None:
    before, after = synthetic("a", "a<1", Side.BEFORE), synthetic("a", "a>1", Side.AFTER)
    found = execution(before, stage_json("a"), after, stage_json("b", "a"), stage_json("c", "b", "a"))

    refs = [stage.ref_id for stage in lookup.ancestors(found, of(found, "c"))]

    assert refs[:6] == ["c", "b", "a", "a<1", "a>1", "a"]


def test_an_after_stage_sees_its_parents_before_stages_then_the_parent() -> None:
    before, after = synthetic("a", "a<1", Side.BEFORE), synthetic("a", "a>1", Side.AFTER)
    found = execution(stage_json("z"), before, stage_json("a", "z"), after)

    assert [stage.ref_id for stage in lookup.ancestors(found, after)] == ["a>1", "a<1", "a", "z"]
    assert [stage.ref_id for stage in lookup.ancestors(found, before)] == ["a<1", "a", "z"]


def test_a_long_chain_of_ancestors_is_no_problem() -> None:
    chain = [stage_json(str(one), *([str(one - 1)] if one else [])) for one in range(3000)]
    found = with_outputs(execution(*chain), "0", image="shop:1")

    assert lookup.of_stage(found, of(found, "2999"))("image") == "shop:1"


def test_the_executions_context_joins_lists_and_lets_later_values_win() -> None:
    found = execution(stage_json("b", "a"), stage_json("a"))
    found = with_outputs(found, "a", names=["x", "y"], image="1")
    found = with_outputs(found, "b", names=["y", "z", "z"], image="2")

    assert lookup.execution_context(found) == {"names": ["x", "y", "z"], "image": "2"}


def test_thousands_of_artifacts_are_put_together_in_no_time() -> None:
    found = execution(stage_json("a"), stage_json("b", "a"))
    for ref in ("a", "b"):
        found = with_outputs(found, ref, artifacts=[{"name": f"{ref}{number}"} for number in range(10_000)])
    begins = time.process_time()

    assert len(lookup.execution_context(found)["artifacts"]) == 20_000  # type: ignore[arg-type]  # a list
    assert len(lookup.artifacts_of_run(found, without_ref_id="a")) == 10_000
    assert len(lookup.artifacts(found, of(found, "b"))) == 20_000
    assert time.process_time() - begins < 2


def test_artifacts_are_seen_by_nearness_and_the_triggers_last() -> None:
    found = execution(stage_json("a"), stage_json("b", "a"), trigger={"artifacts": [{"name": "t"}, {"name": "a"}]})
    found = with_outputs(found, "a", artifacts=[{"name": "a"}])

    assert lookup.artifacts(found, of(found, "b")) == [{"name": "a"}, {"name": "t"}]


def test_a_bound_artifact_without_account_takes_the_expected_ones() -> None:
    bound = {"id": "x", "matchArtifact": {"artifactAccount": "docker"}, "boundArtifact": {"name": "shop"}}
    found = execution(stage_json("a"), trigger={"resolvedExpectedArtifacts": [bound]})

    assert lookup.bound_artifact(found, of(found, "a"), "x") == {"name": "shop", "artifactAccount": "docker"}
    assert lookup.bound_artifact(found, of(found, "a"), "y") is None


def test_among_many_stages_only_ancestors_are_seen_too() -> None:
    chain = (stage_json(f"s{number}", *([f"s{number - 1}"] if number else [])) for number in range(100))
    found = with_outputs(with_outputs(execution(*chain, stage_json("other")), "s3", image="shop:1"), "other", tag="7")
    last = of(found, "s99")

    assert [lookup.find(found, last, key) for key in ("image", "tag", "nothing")] == [
        (True, "shop:1"),
        (False, None),
        (False, None),
    ]
    assert lookup.find(found, replace(last, outputs={"nothing": 1}), "nothing") == (True, 1)
