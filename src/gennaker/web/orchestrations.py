"""Orchestrations: requests that list jobs ("tasks" for Gate, "operations" for Orca) become executions of their own."""

import msgspec

from gennaker.interfaces.executions import Submission
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json, why_not_json
from gennaker.model.execution import ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web.ports import WebPorts


async def submit(ports: WebPorts, principal: Principal, request: JsonObject) -> JsonObject:
    """Starts the jobs one after another, each a stage; answers where to look. Raises Refused."""
    jobs = _jobs(request.get("job"))
    said = foreign.text(request.get("description")) or foreign.text(request.get("name"))
    left_out = {"job", "trigger", "name", "description"}
    config: JsonObject = {
        **{key: value for key, value in request.items() if key not in left_out},
        "name": said,
        "description": said,
        "stages": jobs,
    }
    submission = Submission(
        kind=ExecutionKind.ORCHESTRATION, config=config, trigger=foreign.mapping(request.get("trigger"))
    )
    return {"ref": f"/tasks/{await ports.services.executions.submit(submission, principal)}"}


async def start(ports: WebPorts, principal: Principal, config: JsonObject, trigger: JsonObject) -> JsonObject:
    """Starts a pipeline as it was given, stored or not; answers where to look. Raises Refused."""
    if not foreign.text(config.get("application")):
        raise Refused(
            Problem(
                code="pipeline.no_application",
                message="The pipeline has no application.",
                remedy="Give it an `application`.",
                pointer="/application",
            ),
            status=422,
        )
    execution_id = await ports.services.executions.submit(Submission(config=config, trigger=trigger), principal)
    return {"ref": f"/pipelines/{execution_id}"}


def read(body: bytes) -> Json:
    """The JSON of a request. Raises Refused."""
    try:
        return decode_json(body)
    except msgspec.DecodeError as error:
        raise Refused(
            Problem(
                code="request.not_json",
                message=f"The body is not JSON: {why_not_json(error, body)}.",
                remedy="Send JSON.",
            )
        ) from error


def read_object(body: bytes) -> JsonObject:
    """The JSON object of a request; no body, or `null`, is an empty one. Raises Refused."""
    found = read(body) if body.strip() not in (b"", b"null") else {}
    if not isinstance(found, dict):
        raise Refused(
            Problem(code="request.not_object", message="The body is no JSON object.", remedy="Send an object.")
        )
    return found


def _jobs(listed: Json) -> list[Json]:
    problem = Problem(
        code="orchestration.no_jobs",
        message="The request lists no jobs to do.",
        remedy="Send `job`, a list of objects with a `type` each.",
        pointer="/job",
    )
    if not isinstance(listed, list) or not listed:
        raise Refused(problem, status=422)
    wrong = [
        msgspec.structs.replace(problem, message="A job must be an object with a `type`.", pointer=f"/job/{place}")
        for place, one in enumerate(listed)
        if not foreign.text_at(one, "type")
    ]
    if wrong:
        raise Refused(*wrong, status=422)
    return listed
