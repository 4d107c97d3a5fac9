"""Gate's routes by which executions of pipelines are started, read and steered."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from gennaker.engine import orca_json
from gennaker.interfaces.executions import Found
from gennaker.model.codec import JsonObject
from gennaker.model.event import PauseAsked, RestartAsked, ResumeAsked, StagePatched
from gennaker.model.execution import ExecutionKind
from gennaker.web import judging, orchestrations, pipeline_saves
from gennaker.web.gate import amounts, applications, cancelling, listing
from gennaker.web.gate.amounts import Amount
from gennaker.web.gate.definitions import StaleCheck
from gennaker.web.gate.listing import ConfigIds, ExecutionIds, shown, statuses_of
from gennaker.web.native.executions import existing, existing_stage, refuse_unknown_choice
from gennaker.web.ports import Asking, Ports, WebPorts

NameFilter = Annotated[str, QueryParameter(name="pipelineNameFilter")]
MostPipelines = Annotated[int | None, QueryParameter(name="pipelineLimit", ge=1)]

_MOST = 1000
"""Executions of an application in one answer."""


class GatePipelinesController(Controller):
    """Routes under /pipelines and /applications/…/pipelines."""

    @post("/pipelines/{application:str}/{name_or_id:str}", status_code=202)
    async def start(
        self,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        application: FromPath[str],
        name_or_id: FromPath[str],
    ) -> JsonObject:
        """Starts a pipeline by hand; the body, where there is one, is its trigger, or holds it as `trigger`."""
        trigger = _trigger(orchestrations.read_object(await request.body()))
        execution_id = await ports.services.intake.start(application, name_or_id, trigger, principal)
        return {"ref": f"/pipelines/{execution_id}"}

    # Here and not with the other definitions: the framework wants one controller for all methods of a path.
    @post("/pipelines", status_code=200)
    async def save(
        self, *, ports: Ports, principal: Asking, data: JSONBody[JsonObject], stale_check: StaleCheck = False
    ) -> None:
        """Saves a pipeline: without an id it is new."""
        await pipeline_saves.save(ports, principal, data, checks_staleness=stale_check)

    @get("/pipelines")
    async def some_of_orca(
        self,
        *,
        ports: Ports,
        principal: Asking,
        config_ids: ConfigIds = None,
        execution_ids: ExecutionIds = None,
        limit: Amount = 1,
        statuses: FromQuery[str] = "",
        expand: FromQuery[bool] = True,
    ) -> list[msgspec.Raw]:
        """Orca's name for /executions."""
        return await listing.some(ports, principal, config_ids, execution_ids, (limit, statuses), expand=expand)

    @post("/pipelines/v2/{application:str}/{name_or_id:str}", status_code=202)
    async def start_v2(
        self,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        application: FromPath[str],
        name_or_id: FromPath[str],
    ) -> JsonObject:
        """As above, and answers with the event's id, too."""
        event_id = ports.services.ids.uuid()
        trigger = {**_trigger(orchestrations.read_object(await request.body())), "eventId": event_id}
        execution_id = await ports.services.intake.start(application, name_or_id, trigger, principal)
        return {"eventId": event_id, "ref": f"/pipelines/{execution_id}"}

    @get("/pipelines/{execution_id:str}")
    async def execution(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> JsonObject:
        """One execution in Orca's form."""
        return orca_json.execution_json(await existing(ports, execution_id))

    @get(["/applications/{application:str}/pipelines", "/v2/applications/{application:str}/pipelines"])
    async def executions(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        limit: Amount = 10,
        statuses: FromQuery[str] = "",
        expand: FromQuery[bool] = True,
        name_filter: NameFilter = "",
        most_pipelines: MostPipelines = None,
    ) -> list[msgspec.Raw]:
        """The newest executions of each pipeline of an application, or of those with a part of this name.

        Without a filter also the newest of the application, whose pipelines may have been deleted, or never saved. With
        `expand=false` without what their stages hold.
        """
        wanted = statuses_of(statuses)
        await applications.existing(ports, application)
        config_ids = await _filtered(ports, application, name_filter, most_pipelines)
        limit = min(limit, amounts.EXECUTIONS)
        found = await listing.newest(ports, config_ids, wanted, limit, application=application)
        if not name_filter and not most_pipelines:
            kind = ExecutionKind.PIPELINE
            others = await ports.services.executions.listed(
                Found(application=application, kind=kind, statuses=wanted, limit=limit)
            )
            found = listing.merged(found, others)
        return await shown(ports, principal, found[:_MOST], expand=expand)

    @delete("/pipelines/{execution_id:str}", status_code=200)
    async def forget(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> None:
        """Deletes an execution that has ended; the audit's records and the evidence stay."""
        await ports.services.executions.delete(execution_id, principal)

    @put("/pipelines/{execution_id:str}/cancel", status_code=200)
    async def cancel(
        self, ports: Ports, principal: Asking, execution_id: FromPath[str], reason: FromQuery[str] = ""
    ) -> None:
        """Cancels; one that has ended stays as it is."""
        await cancelling.cancel(ports, principal, execution_id, reason)

    @put("/applications/{application:str}/pipelines/{execution_id:str}/cancel", status_code=200)
    async def cancel_of_application(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        execution_id: FromPath[str],
        reason: FromQuery[str] = "",
    ) -> None:
        """Cancels; the application doesn't count: some clients send its name as `{application}`, literally."""
        await cancelling.cancel(ports, principal, execution_id, reason)

    @put("/pipelines/{execution_id:str}/pause", status_code=200)
    async def pause(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> None:
        """Pauses."""
        event = PauseAsked(at=ports.services.clock.now(), by=principal.name)
        await ports.services.executions.tell(execution_id, event, principal)

    @put("/pipelines/{execution_id:str}/resume", status_code=200)
    async def resume(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> None:
        """Resumes."""
        event = ResumeAsked(at=ports.services.clock.now(), by=principal.name)
        await ports.services.executions.tell(execution_id, event, principal)

    @patch("/pipelines/{execution_id:str}/stages/{stage_id:str}", status_code=200)
    async def patch_stage(
        self,
        ports: Ports,
        principal: Asking,
        execution_id: FromPath[str],
        stage_id: FromPath[str],
        data: JSONBody[JsonObject],
    ) -> JsonObject:
        """Merges keys into a stage's context: a judgment, a skipped wait."""
        execution = await existing(ports, execution_id)
        stage = existing_stage(execution, stage_id)
        refuse_unknown_choice(stage, data.get("judgmentInput"))
        seen = ""
        if data.get("judgmentStatus"):
            answer: JsonObject = {"judgment": data["judgmentStatus"], "judgmentInput": data.get("judgmentInput")}
            seen = await judging.seen(ports, principal, execution, stage, answer)
        event = StagePatched(
            at=ports.services.clock.now(),
            stage_id=stage.id,
            by=principal.name,
            roles=principal.roles,
            patch=data,
            seen=seen,
        )
        return orca_json.execution_json(await ports.services.executions.tell(execution_id, event, principal))

    @put("/pipelines/{execution_id:str}/stages/{stage_id:str}/restart", status_code=200)
    async def restart(
        self, ports: Ports, principal: Asking, execution_id: FromPath[str], stage_id: FromPath[str]
    ) -> JsonObject:
        """Restarts a stage and all that follows it; the body is replaced by the pipeline as it is saved now, as in Gate."""
        execution = await existing(ports, execution_id)
        stage = existing_stage(execution, stage_id)
        saved = await _saved_stages(ports, execution.head.pipeline_config_id)
        event = RestartAsked(at=ports.services.clock.now(), stage_id=stage.id, by=principal.name, stages=saved)
        return orca_json.execution_json(await ports.services.executions.tell(execution_id, event, principal))


def _trigger(body: JsonObject) -> JsonObject:
    wrapped = body.get("trigger")
    return wrapped if isinstance(wrapped, dict) else body


async def _filtered(ports: WebPorts, application: str, name_filter: str, most: int | None) -> list[str]:
    """Ids of the application's pipelines whose names hold the text, whatever its case."""
    found = await ports.services.definitions.list("pipeline", application)
    ids = [one.id for one in found if name_filter.casefold() in str(one.body.get("name")).casefold()]
    return ids[:most]


async def _saved_stages(ports: WebPorts, config_id: str | None) -> tuple[JsonObject, ...]:
    definition = await ports.services.definitions.get("pipeline", config_id) if config_id else None
    if definition is None:
        return ()
    stages = (await ports.services.checks.expanded(definition.body)).get("stages")
    return tuple(one for one in stages if isinstance(one, dict)) if isinstance(stages, list) else ()
