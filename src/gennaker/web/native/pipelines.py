"""Pipelines in the native API: saving, running a file, starting by hand, stage types."""

from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from gennaker.canary import lint
from gennaker.canary.findings import Severity
from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.executions import Submission
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import due_times, idempotency, paging, pipeline_saves, preconditions, visible
from gennaker.web.idempotency import IdempotencyKey, submission_key
from gennaker.web.ports import Asking, Ports, WebPorts


class PipelinesController(Controller):
    """Routes under /api/v1/…."""

    path = "/api/v1"

    @post("/pipelines", status_code=200, dependencies=preconditions.CONDITIONS)
    async def save(
        self, ports: Ports, principal: Asking, data: JSONBody[JsonObject], conditions: preconditions.Given
    ) -> Response[JsonObject]:
        """Saves a pipeline; refused with everything that is wrong with it, and nothing stored."""
        saved, warnings = await pipeline_saves.save(ports, principal, data, adopts_name=True, conditions=conditions)
        return _saved(saved, warnings)

    @get("/pipelines")
    async def all(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        application: FromQuery[str | None] = None,
        after: paging.After = "",
        limit: paging.Limit = 100,
    ) -> Response[JsonObject]:
        """Pipelines by id, or those of an application; `nextDue` is when the clock starts one next."""
        found = await ports.services.definitions.list("pipeline", application)
        readable = await visible.definitions(ports, principal, found)
        return paging.page(
            request,
            "pipelines",
            readable,
            key=lambda one: one.id,
            show=lambda one: _shown(one, ports),
            after=after,
            limit=limit,
        )

    @post("/run", status_code=202, dependencies=preconditions.CONDITIONS)
    async def run(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        data: JSONBody[JsonObject],
        conditions: preconditions.Given,
        idempotency_key: IdempotencyKey = None,
    ) -> JsonObject:
        """Saves a pipeline under its name and starts it; repeated with the same Idempotency-Key it does neither again."""
        key = await submission_key(ports, principal, request, idempotency_key)
        answer = await idempotency.answered(ports, principal, idempotency_key)
        if answer is None:
            answer = await _run(ports, principal, {"application": "adhoc", **data}, conditions, (idempotency_key, key))
            await idempotency.keep(ports, principal, idempotency_key, answer)
        return answer

    @post("/applications/{application:str}/pipelines/{name_or_id:str}/start", status_code=202)
    async def start(
        self,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        name_or_id: FromPath[str],
        request: Request[Any, Any, Any],
        data: JSONBody[JsonObject],
        idempotency_key: IdempotencyKey = None,
    ) -> JsonObject:
        """Starts a pipeline by hand; the body is its trigger (parameters, artifacts)."""
        key = await submission_key(ports, principal, request, idempotency_key)
        execution_id = await ports.services.intake.start(application, name_or_id, data, principal, key=key)
        return {"executionId": execution_id}

    @post("/canary-configs", status_code=200, dependencies=preconditions.CONDITIONS)
    async def save_canary_config(
        self, ports: Ports, principal: Asking, data: JSONBody[JsonObject], conditions: preconditions.Given
    ) -> Response[JsonObject]:
        """Saves a canary config under its id, or its name where it has none."""
        config_id = str(data.get("id") or data.get("name") or "")
        findings = lint.lint(data, query_types=lint.QUERY_TYPES | set(ports.services.metrics))
        problems = [finding.problem for finding in findings if finding.severity is Severity.ERROR]
        if not config_id:
            nameless = Problem(code="canary_config.nameless", message="The canary config has no name.", pointer="/name")
            problems.insert(0, nameless)
        if problems:
            raise Refused(*problems, status=422)
        warnings: list[Json] = [to_json(finding.problem) for finding in findings]
        return _saved(await _save_canary_config(ports, principal, config_id, data, conditions), warnings)

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


async def _run(
    ports: WebPorts,
    principal: Principal,
    given: JsonObject,
    conditions: preconditions.Conditions,
    keys: tuple[str | None, str],
) -> JsonObject:
    """`keys`: the caller's, and what the engine knows the submission by."""
    theirs, ours = keys

    async def intent() -> JsonObject:
        return foreign.mapping(to_json(await pipeline_saves.intent(ports, given)))

    intended = await idempotency.intent(ports, principal, theirs, intent)
    once = msgspec.convert(intended, pipeline_saves.Intent) if intended else None
    try:
        saved, warnings = await pipeline_saves.save(
            ports, principal, given, adopts_name=True, conditions=conditions, once=once
        )
    except Refused as error:
        if pipeline_saves.is_changed(error):
            await idempotency.give_up(ports, principal, theirs)
        raise
    trigger: JsonObject = {"type": "manual", "user": principal.name}
    execution_id = await ports.services.executions.submit(
        Submission(config={**saved.body, "id": saved.id}, trigger=trigger, key=ours), principal
    )
    return {"executionId": execution_id, "pipelineId": saved.id, "revision": saved.revision, "warnings": warnings}


async def _save_canary_config(
    ports: WebPorts, principal: Principal, config_id: str, data: JsonObject, conditions: preconditions.Conditions
) -> Definition:
    definitions = ports.services.definitions
    existing = await definitions.get("canary-config", config_id)
    await conditions.refuse_definition(definitions, "canary-config", config_id)
    revision = existing.revision if existing else 0
    with conditions.writing():
        return await definitions.save("canary-config", config_id, data, author=principal.name, if_revision=revision)


def _saved(one: Definition, warnings: list[Json]) -> Response[JsonObject]:
    shape: JsonObject = {"id": one.id, "revision": one.revision, "warnings": warnings}
    return preconditions.tagged(shape, preconditions.of_revision(one))


def _shown(one: Definition, ports: WebPorts) -> JsonObject:
    due = due_times.of_pipeline({**one.body, "id": one.id}, ports.services)
    next_due: JsonObject = {"nextDue": due.isoformat()} if due else {}
    return {**pipeline_saves.shown(one), "revision": one.revision, **next_due}
