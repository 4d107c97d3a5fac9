"""Orca's own routes by which things are started and planned, for clients that speak to Orca instead of Gate.

Differs in one thing: an execution is stored as soon as it is accepted. What is wrong with it ends it afterwards, with all
problems, where Orca's answer would be the error.
"""

from typing import Annotated, Any

from litestar import Controller, Request, post
from litestar.params import FromPath, QueryParameter

from gennaker.engine import expanding, naming, submission
from gennaker.interfaces.executions import Submission
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import orchestrations
from gennaker.web.ports import Asking, Ports, WebPorts

ResolvesArtifacts = Annotated[bool, QueryParameter(name="resolveArtifacts")]


class OrcaController(Controller):
    """Routes of Orca that Gate doesn't have."""

    @post("/orchestrate", status_code=200)
    async def orchestrate(self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]) -> JsonObject:
        """Starts the pipeline of the body with the body's `trigger`; with `plan: true` shows what would be run."""
        config, trigger = _parted(orchestrations.read_object(await request.body()))
        return await _started_or_planned(ports, principal, config, trigger)

    @post("/orchestrate/{config_id:str}", status_code=200)
    async def orchestrate_stored(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], config_id: FromPath[str]
    ) -> JsonObject:
        """Starts a stored pipeline; the body is its trigger."""
        trigger = orchestrations.read_object(await request.body())
        return await _started_or_planned(ports, principal, await _stored(ports, config_id), trigger)

    @post("/plan", status_code=200)
    async def plan(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        resolves_artifacts: ResolvesArtifacts = True,
    ) -> JsonObject:
        """What a run of the pipeline of the body would be made of."""
        config, trigger = _parted(orchestrations.read_object(await request.body()))
        return await _planned(ports, principal, config, trigger, resolves_artifacts=resolves_artifacts)

    @post("/plan/{config_id:str}", status_code=200)
    async def plan_stored(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        config_id: FromPath[str],
        resolves_artifacts: ResolvesArtifacts = True,
    ) -> JsonObject:
        """What a run of a stored pipeline would be made of; the body is its trigger."""
        trigger = orchestrations.read_object(await request.body())
        config = await _stored(ports, config_id)
        return await _planned(ports, principal, config, trigger, resolves_artifacts=resolves_artifacts)

    @post("/v2/pipelineTemplates/plan", status_code=200)
    async def plan_template(self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]) -> JsonObject:
        """The pipeline that a configuration of a template makes, with the values of its variables. Gate has this route, too."""
        config, _ = _parted(orchestrations.read_object(await request.body()))
        services = ports.services
        found = await expanding.plan(config, services.definitions, at=services.clock.now())
        if found.problems:
            raise Refused(*found.problems)
        return found.config

    @post("/fail", status_code=200)
    async def fail(self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]) -> JsonObject:
        """Records that a pipeline could not be started, with the body's `errorMessage`."""
        config, trigger = _parted(orchestrations.read_object(await request.body()))
        said = foreign.text(config.get("errorMessage")) or "The pipeline could not be started."
        return await orchestrations.start(ports, principal, {**config, "errorMessage": said}, trigger)

    @post("/ops", status_code=200)
    async def operate(self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]) -> JsonObject:
        """Starts jobs: a list of them, or an object with `application`, `description` and `job`."""
        body = orchestrations.read(await request.body())
        jobs: JsonObject = body if isinstance(body, dict) else {"job": body}
        return await orchestrations.submit(ports, principal, jobs)


async def _started_or_planned(
    ports: WebPorts, principal: Principal, config: JsonObject, trigger: JsonObject
) -> JsonObject:
    if foreign.flag(config.get("plan")) or foreign.flag(trigger.get("plan")):
        return await _planned(ports, principal, config, trigger)
    return await orchestrations.start(ports, principal, config, trigger)


async def _planned(
    ports: WebPorts, principal: Principal, config: JsonObject, trigger: JsonObject, *, resolves_artifacts: bool = True
) -> JsonObject:
    wanted = Submission(config={key: value for key, value in config.items() if key != "plan"}, trigger=trigger)
    services = ports.services
    needed = await naming.asked_for(wanted, services.executions, services.definitions)
    refused = await services.authoriser.refusal(principal, *needed)
    if refused is not None:
        raise Refused(refused, status=403)
    planned = await submission.plan(
        wanted,
        principal,
        stage_types=ports.stage_types,
        services=services,
        at=services.clock.now(),
        resolves_artifacts=resolves_artifacts,
    )
    if planned.problems:
        raise Refused(*planned.problems)
    return {**planned.config, "trigger": planned.trigger}


async def _stored(ports: WebPorts, config_id: str) -> JsonObject:
    found = await ports.services.definitions.get("pipeline", config_id)
    if found is None:
        raise Refused(
            Problem(code="pipeline.unknown", message=f"There is no pipeline with the id {config_id!r}."), status=404
        )
    return {**found.body, "id": config_id}


def _parted(body: JsonObject) -> tuple[JsonObject, JsonObject]:
    """The pipeline and its trigger."""
    return {key: value for key, value in body.items() if key != "trigger"}, foreign.mapping(body.get("trigger"))
