"""Produced artifacts: the task bindProducedArtifacts, with which stages of many types end that expect artifacts."""

import msgspec

from gennaker.interfaces.stages import TaskContext, TaskType
from gennaker.model import foreign, produced_artifacts
from gennaker.model.event import Done, TaskResult


async def bind(context: TaskContext) -> TaskResult:
    """Binds the stage's `expectedArtifacts` to the artifacts that it sees."""
    return produced_artifacts.bound(context.stage.context.get("expectedArtifacts"), context.sight.artifacts())


async def bind_quietly(context: TaskContext) -> TaskResult:
    """As `bind`, of stages whose `noOutput` means that later ones see nothing of them."""
    found = await bind(context)
    is_quiet = isinstance(found, Done) and foreign.flag(context.stage.context.get("noOutput"))
    return msgspec.structs.replace(found, outputs={}) if is_quiet else found


quiet_task = TaskType(name="bindProducedArtifacts", run=bind_quietly, is_calculation=True)
task = TaskType(name="bindProducedArtifacts", run=bind, is_calculation=True)
