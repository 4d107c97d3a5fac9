"""Pipelines in the native API: saving, running a file, starting by hand, stage types."""

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from gennaker.canary import lint
from gennaker.canary.findings import Severity
from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.executions import Submission
from gennaker.model import trigger_secrets
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web.ports import Asking, Ports, WebPorts


class PipelinesController(Controller):
    """Routes under /api/v1/…."""

    path = "/api/v1"

    @post("/pipelines", status_code=200)
    async def save(self, ports: Ports, principal: Asking, data: JSONBody[JsonObject]) -> JsonObject:
        """Saves a pipeline; refused with everything that is wrong with it, and nothing stored."""
        saved, warnings = await save_pipeline(ports, principal, data)
        return {"id": saved.id, "revision": saved.revision, "warnings": warnings}

    @get("/pipelines")
    async def all(self, ports: Ports, principal: Asking, application: FromQuery[str | None] = None) -> JsonObject:
        """All pipelines, or those of an application."""
        found = await ports.services.definitions.list("pipeline", application)
        shown: list[Json] = [
            {**trigger_secrets.masked(one.body), "id": one.id, "revision": one.revision} for one in found
        ]
        return {"pipelines": shown}

    @post("/run", status_code=202)
    async def run(self, ports: Ports, principal: Asking, data: JSONBody[JsonObject]) -> JsonObject:
        """Saves a pipeline under its name and starts it."""
        saved, warnings = await save_pipeline(ports, principal, {"application": "adhoc", **data})
        trigger: JsonObject = {"type": "manual", "user": principal.name}
        execution_id = await ports.services.executions.submit(
            Submission(config={**saved.body, "id": saved.id}, trigger=trigger), principal
        )
        return {"executionId": execution_id, "pipelineId": saved.id, "warnings": warnings}

    @post("/applications/{application:str}/pipelines/{name_or_id:str}/start", status_code=202)
    async def start(
        self,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        name_or_id: FromPath[str],
        data: JSONBody[JsonObject],
    ) -> JsonObject:
        """Starts a pipeline by hand; the body is its trigger (parameters, artifacts)."""
        execution_id = await ports.services.intake.start(application, name_or_id, data, principal)
        return {"executionId": execution_id}

    @post("/canary-configs", status_code=200)
    async def save_canary_config(self, ports: Ports, principal: Asking, data: JSONBody[JsonObject]) -> JsonObject:
        """Saves a canary config under its id, or its name where it has none."""
        config_id = str(data.get("id") or data.get("name") or "")
        if not config_id:
            raise Refused(
                Problem(code="canary_config.nameless", message="The canary config has no name.", pointer="/name"),
                status=422,
            )
        findings = lint.lint(data, query_types=lint.QUERY_TYPES | set(ports.services.metrics))
        errors = [finding.problem for finding in findings if finding.severity is Severity.ERROR]
        if errors:
            raise Refused(*errors, status=422)
        saved = await ports.services.definitions.save("canary-config", config_id, data, author=principal.name)
        warnings: list[Json] = [to_json(finding.problem) for finding in findings]
        return {"id": saved.id, "revision": saved.revision, "warnings": warnings}

    @get("/stage-types")
    async def stage_types(self, ports: Ports, principal: Asking) -> JsonObject:
        """All stage types with the JSON schemas of their fields."""
        kinds = {id(one): one for one in ports.stage_types.values()}.values()
        listed: list[Json] = [
            {
                "type": one.name,
                "aliases": list(one.aliases),
                "label": one.label,
                "about": one.about,
                "schema": msgspec.json.schema(one.spec),
                "tasks": [task.name for task in one.tasks],
            }
            for one in sorted(kinds, key=lambda one: one.name)
            if not one.instead
        ]
        return {"stageTypes": listed}


async def save_pipeline(ports: WebPorts, principal: Principal, body: JsonObject) -> tuple[Definition, list[Json]]:
    """Checks and stores a pipeline, with what its template gives it; an id is kept, or made. Raises Refused(422)."""
    checked = await ports.services.checks.pipeline(body)
    if checked.problems:
        raise Refused(*checked.problems, status=422)
    pipeline_id = str(body.get("id") or "") or await _id_by_name(ports, body)
    stored = await ports.services.definitions.get("pipeline", pipeline_id)
    complete = trigger_secrets.unmasked({**body, "id": pipeline_id}, stored.body if stored else None)
    definition = await ports.services.definitions.save("pipeline", pipeline_id, complete, author=principal.name)
    return definition, [to_json(warning) for warning in checked.warnings]


async def _id_by_name(ports: WebPorts, body: JsonObject) -> str:
    for one in await ports.services.definitions.list("pipeline", str(body["application"])):
        if one.body.get("name") == body["name"]:
            return one.id
    return ports.services.ids.uuid()
