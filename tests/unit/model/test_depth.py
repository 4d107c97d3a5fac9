"""Depth: what is nested too deeply is told from what isn't, and refused where it comes in."""

import pytest
from tests.harness import TESTER, Harness

from gennaker.engine import validation
from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model import depth
from gennaker.model.codec import Json
from gennaker.model.problems import Refused
from gennaker.plugins.flow.plugin import plugin as flow


def nested(levels: int) -> Json:
    value: Json = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("levels", "is_too_deep"), [(0, False), (1, False), (200, False), (201, True), (100_000, True)]
)
def test_two_hundred_levels_are_enough(levels: int, is_too_deep: bool) -> None:
    assert depth.is_too_deep(nested(levels)) is is_too_deep


def test_a_definition_that_is_too_deep_has_that_one_problem() -> None:
    found = validation.validate({"name": 5, "stages": [{"type": "wait", "x": nested(900)}]}, {})

    assert [one.code for one in found.problems] == ["request.too_deep"]


@pytest.mark.parametrize(
    "submission", [Submission(config={"x": nested(900)}), Submission(config={}, trigger={"x": nested(900)})]
)
def test_what_is_too_deep_is_not_started(submission: Submission) -> None:
    async def work(services: Services) -> None:
        with pytest.raises(Refused, match="nested too deeply") as refused:
            await services.executions.submit(submission, TESTER)
        assert refused.value.status == 400

    Harness(flow).do(work)
