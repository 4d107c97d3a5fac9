"""Produced artifacts: the task bindProducedArtifacts, with which stages of many types end that expect artifacts."""

from gennaker.interfaces.stages import TaskContext, TaskType
from gennaker.model import produced_artifacts
from gennaker.model.event import TaskResult


async def bind(context: TaskContext) -> TaskResult:
    """Binds the stage's `expectedArtifacts` to the artifacts that it sees."""
    return produced_artifacts.bound(context.stage.context.get("expectedArtifacts"), context.sight.artifacts())


task = TaskType(name="bindProducedArtifacts", run=bind, is_calculation=True)
