"""Dependents: pipelines that start when another pipeline has ended."""

from gennaker.interfaces.definitions import Definitions
from gennaker.interfaces.executions import Executions, Submission
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import Announce
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.principal import Principal
from gennaker.triggers import downstream


class Dependents:
    """Starts what waits for the end of a pipeline; told twice, it starts nothing twice."""

    def __init__(self, *, definitions: Definitions, executions: Executions) -> None:
        """Both over the same store."""
        self._definitions = definitions
        self._executions = executions

    async def announced(self, execution: Execution, announce: Announce) -> None:
        """Called for every Announce effect."""
        head = execution.head
        if announce.moment != "execution.ended" or head.kind is not ExecutionKind.PIPELINE:
            return
        for definition in await self._definitions.list("pipeline"):
            config: JsonObject = {**definition.body, "id": definition.id}
            trigger = downstream.trigger_for(config, execution)
            if trigger is None:
                continue
            user: Json = trigger.get("user")
            await self._executions.submit(
                Submission(config=config, trigger=trigger, key=str(trigger["correlationId"])),
                Principal(name=str(user), via="trigger:pipeline"),
            )
