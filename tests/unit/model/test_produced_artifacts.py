"""Produced artifacts: what a stage puts out for what it expects."""

from gennaker.model import produced_artifacts
from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, Failed

ONE: JsonObject = {"type": "docker/image", "name": "shop", "reference": "shop:1"}
TWO: JsonObject = {"type": "docker/image", "name": "shop", "reference": "shop:2"}
EXPECTED: JsonObject = {"id": "e", "matchArtifact": {"type": "docker/image", "name": "shop"}}


def test_the_first_that_fits_is_taken_even_if_several_do() -> None:
    found = produced_artifacts.bound([EXPECTED], [ONE, TWO])

    assert isinstance(found, Done)
    assert found.outputs == {"artifacts": [ONE], "resolvedExpectedArtifacts": [{**EXPECTED, "boundArtifact": ONE}]}
    assert found.context == found.outputs


def test_who_expects_nothing_gets_nothing() -> None:
    assert [produced_artifacts.bound(one, [ONE]) for one in (None, [], "x")] == [Done(), Done(), Done()]


def test_what_is_missing_is_said() -> None:
    wanted = {**EXPECTED, "matchArtifact": {"name": "cart"}, "displayName": "the cart"}

    found = produced_artifacts.bound([wanted], [ONE])

    assert isinstance(found, Failed)
    assert found.problem.code == "artifact.unmatched"
    assert "the cart" in found.problem.message


def test_what_can_not_be_read_is_said() -> None:
    found = produced_artifacts.bound([EXPECTED], [{"type": {"not": "text"}}])

    assert isinstance(found, Failed)
    assert found.problem.code == "artifact.unreadable"
