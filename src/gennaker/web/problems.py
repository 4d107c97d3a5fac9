"""Problems as answers: RFC 9457, all that is wrong at once, never a stack trace."""

from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from gennaker.model.codec import JsonObject, to_json
from gennaker.model.problems import Problem, Refused

log = structlog.get_logger()

_MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "The request is not right",
    401: "Credentials are missing",
    403: "This is not allowed",
    404: "There is no such thing",
    405: "This can't be done here",
    409: "It doesn't fit the present state",
    413: "The body is too large",
    422: "The document is not right",
    500: "Something is broken here",
    501: "This isn't built yet",
}


def refused(request: Request[Any, Any, Any], error: Refused) -> "Response[JsonObject]":
    """The answer to a request that can't be fulfilled."""
    return answer(error.status, list(error.problems))


def http(request: Request[Any, Any, Any], error: HTTPException) -> "Response[JsonObject]":
    """The answer where the framework has refused: unknown route, wrong method, unreadable body."""
    problem = Problem(
        code=f"http.{error.status_code}", message=error.detail or _TITLES.get(error.status_code, "Refused")
    )
    return answer(error.status_code, [problem])


def unexpected(request: Request[Any, Any, Any], error: Exception) -> "Response[JsonObject]":
    """The answer to a fault of our own; the log has the trace."""
    log.error("web.unexpected", path=request.url.path, method=request.method, exc_info=error)
    problem = Problem(
        code="server.fault",
        message=f"An unexpected fault: {type(error).__name__}.",
        remedy="The server's log has the trace; nothing was half done.",
    )
    return answer(500, [problem])


def answer(status: int, problems: list[Problem]) -> "Response[JsonObject]":
    """A problem document."""
    first = problems[0]
    body: JsonObject = {
        "type": f"urn:gennaker:problem:{first.code}",
        "title": _TITLES.get(status, "Refused"),
        "status": status,
        "detail": str(first),
        "code": first.code,
        "problems": [to_json(problem) for problem in problems],
    }
    return Response(body, status_code=status, media_type=_MEDIA_TYPE)
