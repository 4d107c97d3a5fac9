"""Gate's pipeline routes: saving, listing, starting and steering executions as Spinnaker's clients do it."""

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from gennaker.engine import orca_json
from gennaker.interfaces.executions import Found
from gennaker.model import trigger_secrets
from gennaker.model.codec import JsonObject
from gennaker.model.event import CancelAsked, PauseAsked, RestartAsked, ResumeAsked, StagePatched
from gennaker.model.execution import ExecutionKind
from gennaker.model.problems import Problem, Refused
from gennaker.web import orchestrations
from gennaker.web.gate import listing
from gennaker.web.gate.listing import ConfigIds, ExecutionIds, PerPipeline, shown, statuses_of
from gennaker.web.native.executions import existing, existing_stage, refuse_unknown_choice
from gennaker.web.native.pipelines import save_pipeline
from gennaker.web.ports import Asking, Ports, WebPorts


class GatePipelinesController(Controller):
    """Routes under /pipelines and /applications/…/pipelineConfigs."""

    @post("/pipelines", status_code=200)
    async def save(self, ports: Ports, principal: Asking, data: JSONBody[JsonObject]) -> JsonObject:
        """Saves a pipeline."""
        saved, _ = await save_pipeline(ports, principal, data)
        return trigger_secrets.masked(saved.body)

    @get("/applications/{application:str}/pipelineConfigs")
    async def configs(self, ports: Ports, principal: Asking, application: FromPath[str]) -> list[JsonObject]:
        """All pipelines of an application."""
        found = await ports.services.definitions.list("pipeline", application)
        return [trigger_secrets.masked(one.body) for one in found]

    @get("/applications/{application:str}/pipelineConfigs/{name:str}")
    async def config(
        self, ports: Ports, principal: Asking, application: FromPath[str], name: FromPath[str]
    ) -> JsonObject:
        """One pipeline by name."""
        return trigger_secrets.masked(await _named(ports, application, name))

    @delete("/pipelines/{application:str}/{name:str}", status_code=200)
    async def remove(self, ports: Ports, principal: Asking, application: FromPath[str], name: FromPath[str]) -> None:
        """Deletes a pipeline; its revisions stay."""
        body = await _named(ports, application, name)
        await ports.services.definitions.delete("pipeline", str(body["id"]), author=principal.name)

    @post("/pipelines/{application:str}/{name_or_id:str}", status_code=202)
    async def start(
        self,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        application: FromPath[str],
        name_or_id: FromPath[str],
    ) -> JsonObject:
        """Starts a pipeline by hand; the body, where there is one, is its trigger."""
        trigger = orchestrations.read_object(await request.body())
        execution_id = await ports.services.intake.start(application, name_or_id, trigger, principal)
        return {"ref": f"/pipelines/{execution_id}"}

    @get("/pipelines")
    async def some_of_orca(
        self,
        *,
        ports: Ports,
        principal: Asking,
        config_ids: ConfigIds = None,
        execution_ids: ExecutionIds = None,
        limit: PerPipeline = 1,
        statuses: FromQuery[str] = "",
        expand: FromQuery[bool] = True,
    ) -> list[JsonObject]:
        """Orca's name for /executions."""
        return await listing.some(ports, config_ids, execution_ids, (limit, statuses), expand=expand)

    @get("/pipelines/{execution_id:str}")
    async def execution(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> JsonObject:
        """One execution in Orca's form."""
        return orca_json.execution_json(await existing(ports, execution_id))

    @get("/applications/{application:str}/pipelines")
    async def executions(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 10,
        statuses: FromQuery[str] = "",
        expand: FromQuery[bool] = True,
    ) -> list[JsonObject]:
        """Executions of an application, newest first; with `expand=false` without what their stages hold."""
        wanted = Found(
            application=application, kind=ExecutionKind.PIPELINE, statuses=statuses_of(statuses), limit=limit
        )
        return shown(await ports.services.executions.find(wanted), expand=expand)

    @delete("/pipelines/{execution_id:str}", status_code=200)
    async def forget(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> None:
        """Deletes an execution that has ended; the audit's records and the evidence stay."""
        await ports.services.executions.delete(execution_id, principal)

    @put("/pipelines/{execution_id:str}/cancel", status_code=200)
    async def cancel(
        self, ports: Ports, principal: Asking, execution_id: FromPath[str], reason: FromQuery[str] = ""
    ) -> None:
        """Cancels."""
        event = CancelAsked(at=ports.services.clock.now(), by=principal.name, reason=reason)
        await ports.services.executions.tell(execution_id, event, principal)

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
        stage = existing_stage(await existing(ports, execution_id), stage_id)
        refuse_unknown_choice(stage, data.get("judgmentInput"))
        event = StagePatched(
            at=ports.services.clock.now(), stage_id=stage.id, by=principal.name, roles=principal.roles, patch=data
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


async def _named(ports: WebPorts, application: str, name: str) -> JsonObject:
    for one in await ports.services.definitions.list("pipeline", application):
        if one.body.get("name") == name:
            return one.body
    raise Refused(Problem(code="pipeline.unknown", message=f"{application} has no pipeline {name!r}."), status=404)


async def _saved_stages(ports: WebPorts, config_id: str | None) -> tuple[JsonObject, ...]:
    definition = await ports.services.definitions.get("pipeline", config_id) if config_id else None
    if definition is None:
        return ()
    stages = (await ports.services.checks.expanded(definition.body)).get("stages")
    return tuple(one for one in stages if isinstance(one, dict)) if isinstance(stages, list) else ()
