"""Dependents: pipelines that start when another pipeline has ended."""

import msgspec
import structlog

from gennaker.interfaces.definitions import Definition, Definitions
from gennaker.interfaces.executions import Executions, Submission
from gennaker.model.codec import Json
from gennaker.model.effect import Announce
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.triggers import downstream
from gennaker.worker import hydrating

log = structlog.get_logger()


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
            try:
                await self._start(definition, execution)
            except (Refused, msgspec.ValidationError) as error:
                # One pipeline that can't be started must not keep the others from starting.
                log.exception("dependent.refused", pipeline=definition.id, ended=head.id, reason=str(error))

    async def _start(self, definition: Definition, ended: Execution) -> None:
        at = ended.head.end_time or ended.head.build_time
        trigger = downstream.trigger_for(await hydrating.hydrated(definition, self._definitions, at=at), ended)
        if trigger is None:
            return
        user: Json = trigger.get("user")
        await self._executions.submit(
            Submission(config=hydrating.stored(definition), trigger=trigger, key=str(trigger["correlationId"])),
            Principal(
                name=str(user),
                behind=ended.head.behind or ended.head.authentication.user,
                via="trigger:pipeline",
                headers=ended.head.additional_headers,
            ),
        )
