"""Problems as answers, all that is wrong at once, never a stack trace: RFC 9457, and in Gate's form where Gate's clients call."""

from enum import StrEnum
from http import HTTPStatus
from typing import Any, get_args

import structlog
from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import HTTPException, SerializationException, ValidationException

from gennaker.interfaces.storage import StoreUnusable
from gennaker.model import pointers
from gennaker.model.codec import JsonObject, milliseconds, to_json, why_not_json
from gennaker.model.problems import Problem, Refused
from gennaker.web import refusals
from gennaker.web.gate import conventions
from gennaker.web.ports import ports_of

log = structlog.get_logger()

_WHOLE_BODY = "data"
"""The parameter of our handlers that has it."""
_MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "The request is not right",
    401: "Credentials are missing",
    403: "This is not allowed",
    404: "There is no such thing",
    405: "This can't be done here",
    408: "It took too long",
    409: "It doesn't fit the present state",
    412: "It isn't as the request supposes",
    413: "The body is too large",
    422: "The document is not right",
    429: "There is too much of it",
    500: "Something is broken here",
    501: "This isn't built yet",
    502: "Another system has answered amiss",
    503: "What is needed for it doesn't answer now",
    504: "There was no answer in time",
    507: "There is nowhere to keep it",
}


def refused(request: Request[Any, Any, Any], error: Refused) -> "Response[JsonObject]":
    """The answer to a request that can't be fulfilled; what was refused for security's sake is recorded, wherever that was."""
    answered = answer(request, error.status, list(error.problems))
    if not error.is_recorded:
        refusals.record(request, answered, error.problems[0], error.status)
    return answered


def http(request: Request[Any, Any, Any], error: HTTPException) -> "Response[JsonObject]":
    """The answer where the framework has refused: unknown route, wrong method, unreadable body."""
    detail = error.detail or _TITLES.get(error.status_code, "Refused")
    problems = _of_fields(request, error) or [
        _of_body(error) or _of_size(request, error) or Problem(code=f"http.{error.status_code}", message=detail)
    ]
    answered = answer(request, error.status_code, problems)
    answered.headers.update(error.headers or {})
    refusals.record(request, answered, problems[0], error.status_code)
    return answered


def too_deep(request: Request[Any, Any, Any], error: RecursionError) -> "Response[JsonObject]":
    """The answer to JSON that is nested so deeply that nobody can have meant it."""
    problem = Problem(
        code="request.too_deep", message="The document is nested too deeply.", remedy="Send a flatter one."
    )
    return answer(request, 400, [problem])


def not_utf8(request: Request[Any, Any, Any], error: UnicodeDecodeError) -> "Response[JsonObject]":
    """The answer to a body with a text in another encoding."""
    log.info("web.not_utf8", path=request.url.path, method=request.method, why=str(error))
    problem = Problem(code="request.not_utf8", message=f"The body is not UTF-8 ({error.reason}).", remedy="Send UTF-8.")
    return answer(request, 400, [problem])


class ReadableRequest(Request[Any, Any, Any]):
    """A request that says where its body stops being JSON."""

    async def json(self) -> Any:  # noqa: ANN401 - the framework's: whatever the JSON is
        """As the framework's. Raises SerializationException with line and column."""
        try:
            return await super().json()
        except SerializationException as error:
            raise SerializationException(why_not_json(error, await self.body())) from error


def _of_body(error: HTTPException) -> Problem | None:
    """What the framework's reader of JSON has found."""
    if not isinstance(error.__cause__, SerializationException):
        return None
    message = f"The body is not JSON: {error.__cause__}."
    return Problem(code="request.not_json", message=message, remedy="Send JSON.")


def _of_size(request: Request[Any, Any, Any], error: HTTPException) -> Problem | None:
    if error.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return None
    limit = request.app.request_max_body_size
    return Problem(
        code=f"http.{error.status_code}",
        message=f"The body has more than {limit:,} bytes, and no request may." if limit else _TITLES[error.status_code],
        remedy="Leave out of it what is large: manifests can be artifacts, which stages read where they lie. "
        "The setting is server.webhook-body-limit-bytes.",
    )


def _of_fields(request: Request[Any, Any, Any], error: HTTPException) -> list[Problem]:
    """What the framework found in parameters and body, one problem a field."""
    listed = error.extra if isinstance(error, ValidationException) and isinstance(error.extra, list) else []
    return [_of_field(request, found) for found in listed if isinstance(found, dict)]


def _of_field(request: Request[Any, Any, Any], found: dict[str, Any]) -> Problem:
    if found.get("message") == repr(_WHOLE_BODY):
        return Problem(code="request.invalid", message="The request has no body.", remedy="Send JSON.")
    return Problem(
        code="request.invalid",
        message=f"{_named(found)}: {found.get('message', '')}",
        remedy=_remedy(request, found),
        pointer=_pointer(found),
    )


def _remedy(request: Request[Any, Any, Any], found: dict[str, Any]) -> str:
    """The values of a parameter that takes one of a few."""
    parameter = request.route_handler.parsed_fn_signature.parameters.get(str(found.get("key", "")))
    listed = _values(parameter.annotation) if parameter and isinstance(found.get("source"), ParamType) else ()
    return f"Use one of {', '.join(listed)}." if listed else ""


def _values(annotation: object) -> tuple[str, ...]:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return tuple(one.value for one in annotation)
    return tuple(value for inner in get_args(annotation) for value in _values(inner))


def _named(found: dict[str, Any]) -> str:
    key = str(found.get("key", ""))
    source = found.get("source", "body")
    if isinstance(source, ParamType):
        return f"{source.value} parameter {key}"
    return str(source) if key == _WHOLE_BODY else f"{source} {key}"


def _pointer(found: dict[str, Any]) -> str:
    """A JSON pointer where the fault is in a part of the body; parameters are named by the message."""
    key = str(found.get("key", ""))
    if found.get("source") != "body" or key == _WHOLE_BODY:
        return ""
    return "/" + pointers.escaped(key).replace(".", "/")


def unstorable(request: Request[Any, Any, Any], error: StoreUnusable) -> "Response[JsonObject]":
    """The answer where disk or database don't take it: a full disk is nobody's fault but must be mended by somebody."""
    log.error("web.unstorable", path=request.url.path, method=request.method, why=str(error.problem))
    if error.problem.code == "store.full":
        return answer(request, 507, [error.problem])
    return answer(request, 503, [error.problem], title="The store can't be used")


def unexpected(request: Request[Any, Any, Any], error: Exception) -> "Response[JsonObject]":
    """The answer to a fault of our own; the log has the trace."""
    log.error("web.unexpected", path=request.url.path, method=request.method, exc_info=error)
    problem = Problem(
        code="server.fault",
        message=f"An unexpected fault: {type(error).__name__}.",
        remedy="The server's log has the trace; nothing was half done.",
    )
    return answer(request, 500, [problem])


def answer(
    request: Request[Any, Any, Any], status: int, problems: list[Problem], *, title: str = ""
) -> "Response[JsonObject]":
    """A problem document, or for Gate's clients what Spring answers with the problems beside it; `title`: not the status's."""
    problems = [ports_of(request).services.secrets.masked(problem) for problem in problems]
    if conventions.is_gates(request.url.path):
        return _as_gate(request, status, problems)
    first = problems[0]
    body: JsonObject = {
        "type": f"urn:gennaker:problem:{first.code}",
        "title": title or _TITLES.get(status, "Refused"),
        "status": status,
        "detail": str(first),
        "code": first.code,
        "problems": [to_json(problem) for problem in problems],
    }
    return Response(body, status_code=status, media_type=_MEDIA_TYPE)


def _as_gate(request: Request[Any, Any, Any], status: int, problems: list[Problem]) -> "Response[JsonObject]":
    """Gate knows no 422: what is wrong with a document is 400."""
    status = 400 if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
    body: JsonObject = {
        "timestamp": milliseconds(conventions.received_at(request.scope)),
        "status": status,
        "error": HTTPStatus(status).phrase,
        "message": " ".join(str(problem) for problem in problems),
        "path": request.url.path,
        "code": problems[0].code,
        "problems": [to_json(problem) for problem in problems],
    }
    return Response(body, status_code=status, media_type="application/json")
