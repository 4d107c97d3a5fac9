"""Released histories: what Temporal has recorded of workflows that run, every later version of the loop does in the same way.

A file is made once, with the version that it is named after (`temporal workflow show --output json`), and never again: workflows
that were begun by it go on after an update.
"""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from gennaker.worker.temporal.messages import JsonPayloads
from gennaker.worker.temporal.workflow import ExecutionWorkflow

pytestmark = pytest.mark.slow
FILES = sorted((Path(__file__).parent / "temporal").glob("*.json"))


def replay(name: str, history: str) -> None:
    """Raises where the loop does otherwise."""
    replayer = Replayer(
        workflows=[ExecutionWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=DataConverter(payload_converter_class=JsonPayloads),
    )
    asyncio.run(replayer.replay_workflow(WorkflowHistory.from_json(name, history)))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_released_history_is_replayed_in_the_same_way(file: Path) -> None:
    replay(file.stem, file.read_text())


def test_a_history_that_the_loop_would_have_made_otherwise_is_noticed() -> None:
    history = FILES[0].read_text().replace('"activityType":{"name":"perform"}', '"activityType":{"name":"other"}', 1)

    with pytest.raises(NondeterminismError):
        replay("changed", history)


def test_there_are_histories() -> None:
    assert FILES
