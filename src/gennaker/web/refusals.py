"""Refusals of requests, as the audit trail gets them: what is refused for security's sake, by whichever route or guard (decision 56)."""

from typing import Any

from litestar import Request, Response
from litestar.background_tasks import BackgroundTask

from gennaker.model.codec import JsonObject
from gennaker.model.principal import ANONYMOUS
from gennaker.model.problems import Problem
from gennaker.web.ports import ports_of
from gennaker.web.sign_in import address_of

_LONGEST_SUBJECT = 300
_OF_SECURITY = frozenset({401, 403, 408, 413, 429})
"""Statuses of what isn't allowed, and of what is too much."""
_CODES_OF_SECURITY = frozenset(
    {
        "application.in_shadow",
        "cut_over.done",
        "cut_over.planning",
        "import.changed",
        "redirect.foreign",
        "request.ambiguous_proxy",
        "sign_in.not_first",
    }
)
"""Others that say no to somebody, not that something is wrong."""


def record(request: Request[Any, Any, Any], answered: "Response[JsonObject]", problem: Problem, status: int) -> None:
    """After the answer, if that is of the kind: the exception handlers of the framework can't wait."""
    if status not in _OF_SECURITY and problem.code not in _CODES_OF_SECURITY:
        return
    principal = request.scope["state"].get("principal", ANONYMOUS)
    answered.background = BackgroundTask(
        ports_of(request).sign_in.refused,
        principal,
        ports_of(request).services.secrets.masked(problem),
        subject=f"route:{request.method} {request.url.path}"[:_LONGEST_SUBJECT],
        address=address_of(request),
        status=status,
    )
