"""Stage types that only Spinnaker has: they fail when they are reached, with what to do, and change nothing else."""

import pytest
from tests import make
from tests.harness import Harness, problem_of

from gennaker.model.statuses import Status
from gennaker.plugins.flow import not_offered
from gennaker.plugins.flow import plugin as flow


@pytest.mark.parametrize("kind", [one.name for one in not_offered.stages])
def test_it_fails_with_what_to_do_and_honours_the_stage_s_flags(kind: str) -> None:
    execution = Harness(flow.plugin).run(
        make.config(
            make.stage_json("a", type="wait", waitTime=1),
            make.stage_json("b", "a", type=kind, failPipeline=False, continuePipeline=True),
            make.stage_json("c", "b", type="wait", waitTime=1),
        )
    )

    statuses = [stage.status for stage in execution.top_level()]
    assert statuses == [Status.SUCCEEDED, Status.FAILED_CONTINUE, Status.SUCCEEDED]
    assert f"{kind!r}, which Spinnaker has and Gennaker doesn't offer. " in problem_of(execution)
