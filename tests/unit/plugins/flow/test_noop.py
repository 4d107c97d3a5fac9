"""Noop: ends skipped, and what follows it runs."""

from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import Harness

from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow


def test_it_ends_skipped_and_what_follows_runs() -> None:
    config = make.config(make.stage_json("n", type="noop"), make.stage_json("m", "n", type="make"))

    execution = Harness(flow.plugin, scripted.plugin(Target())).run(config)

    assert execution.head.status is Status.SUCCEEDED
    assert [stage.status for stage in execution.top_level()] == [Status.SKIPPED, Status.SUCCEEDED]
