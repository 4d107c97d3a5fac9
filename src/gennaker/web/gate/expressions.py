"""Gate's routes by which expressions are tried at an execution, and what expressions can do."""

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from gennaker.engine import parents, trying
from gennaker.expressions.functions import FUNCTIONS
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web import orchestrations
from gennaker.web.native.executions import existing, existing_stage
from gennaker.web.ports import Asking, Ports, WebPorts

After = Annotated[str, QueryParameter(name="requisiteStageRefIds")]
Version = Annotated[str, QueryParameter(name="spelVersion")]

_EVALUATORS: tuple[tuple[str, str, bool], ...] = (
    ("v4", "at each stage's start; variables one after another", False),
    ("v3", "at submission and at each stage's start", False),
    ("v2", "as v3", True),
)


class GateExpressionsController(Controller):
    """Routes that end in evaluateExpression or evaluateVariables, and /capabilities."""

    @get("/pipelines/{execution_id:str}/evaluateExpression")
    async def at_execution(
        self, ports: Ports, principal: Asking, execution_id: FromPath[str], expression: FromQuery[str]
    ) -> JsonObject:
        """What a text gives, with the execution and its trigger to be seen."""
        return await _tried(ports, execution_id, expression)

    @post("/pipelines/{execution_id:str}/evaluateExpression", status_code=200)
    async def at_execution_by_body(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], execution_id: FromPath[str]
    ) -> JsonObject:
        """The same for a text in the body: `{"expression": …}` or plain."""
        return await _tried(ports, execution_id, _text(await request.body()))

    @get("/pipelines/{execution_id:str}/{stage_id:str}/evaluateExpression")
    async def at_stage(
        self,
        ports: Ports,
        principal: Asking,
        execution_id: FromPath[str],
        stage_id: FromPath[str],
        expression: FromQuery[str],
    ) -> JsonObject:
        """What a text gives as a stage sees it."""
        return await _tried(ports, execution_id, expression, stage_id=stage_id)

    @post("/pipelines/{execution_id:str}/evaluateVariables", status_code=200)
    async def variables(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        execution_id: FromPath[str],
        after: After = "",
        version: Version = "",
    ) -> JsonObject:
        """What a list of `{key, value}` gives behind the stages of these refIds."""
        listed = orchestrations.read(await request.body())
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise Refused(_no_list(), status=400)
        execution = await existing(ports, execution_id)
        return await trying.variables(
            await parents.seen(execution, listed, ports.services.executions),
            foreign.mappings(listed),
            after=after.replace(";", " ").replace(",", " ").split(),
            version=version,
            outside=ports.services.outside,
            at=ports.services.clock.now(),
        )

    @get("/capabilities/expressions")
    async def capabilities(self, ports: Ports, principal: Asking) -> JsonObject:
        """The helper functions with their parameters, and the evaluators."""
        functions: list[Json] = [
            {
                "name": f"#{name}",
                "parameters": [
                    {"name": f"argument{place + 1}", "type": kind} for place, kind in enumerate(one.parameters)
                ],
            }
            for name, one in FUNCTIONS.items()
        ]
        evaluators: list[Json] = [
            {"versionKey": key, "displayName": f"SpEL {key}", "description": said, "isDeprecated": is_old}
            for key, said, is_old in _EVALUATORS
        ]
        return {"functions": functions, "spelEvaluators": evaluators}

    @get("/capabilities/deploymentMonitors")
    async def deployment_monitors(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """Those that the strategy `monitored` may name."""
        configured = ports.services.settings.deployment_monitors
        return [{"id": key, "name": one.name or key, "isStable": True} for key, one in sorted(configured.items())]

    @get("/jobs/preconfigured")
    async def preconfigured_jobs(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """There are none: jobs are `runJob` stages."""
        return []


async def _tried(ports: WebPorts, execution_id: str, text: str, *, stage_id: str = "") -> JsonObject:
    execution = await existing(ports, execution_id)
    stage = existing_stage(execution, stage_id) if stage_id else None
    services = ports.services
    execution = await parents.seen(execution, text, services.executions)
    return await trying.expression(execution, stage, text, outside=services.outside, at=services.clock.now())


def _text(body: bytes) -> str:
    """The expression of a body, whichever of the two forms it has."""
    if body.lstrip()[:1] == b"{":
        return foreign.text(orchestrations.read_object(body).get("expression"))
    return body.decode(errors="replace")


def _no_list() -> Problem:
    return Problem(
        code="request.no_variables",
        message="The body is no list of variables.",
        remedy='Send `[{"key": …, "value": …}, …]`.',
    )
