"""Stage types of Spinnaker's clouds that no provider here offers: said so, with what does their work."""

import pytest
from tests.fakes.rollouts import FakePlace, stage
from tests.harness import problem_of

from gennaker.model.statuses import Status
from gennaker.plugins.deploy import not_offered


@pytest.mark.parametrize("offered", not_offered.stages, ids=lambda one: one.name)
def test_a_stage_of_such_a_type_fails_at_once_and_says_what_to_do(offered: not_offered.StageType) -> None:
    execution = FakePlace().run(stage(offered.name))

    assert execution.head.status is Status.TERMINAL
    assert offered.instead in problem_of(execution)
