"""The guard behind the guard: asks the authoriser whether whoever asks may use this route, once anybody has to sign in."""

from typing import Any

from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler

from gennaker.model.permissions import Right
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import access_rules
from gennaker.web.ports import ports_of

NO_SIGN_IN = Problem(
    code="request.not_signed_in",
    message="This needs somebody who has signed in.",
    remedy="Sign in at /ui/sign-in, or send an API token (`Authorization: Bearer …`) or name and password (basic authentication).",
)
_OPTIONS = "OPTIONS"
_SAFE = frozenset({"GET", "HEAD"})


async def may_use(connection: "ASGIConnection[Any, Any, Any, Any]", handler: BaseRouteHandler) -> None:
    """A guard of all routes: what has no rule is refused to all but administrators.

    Raises Refused: 401 for nobody, 403 for somebody who may not.
    """
    del handler
    services = ports_of(connection).services
    method = str(connection.scope.get("method"))
    if not services.settings.sign_in.required or method == _OPTIONS:
        return
    rule = access_rules.of(method, str(connection.scope["path_template"]))
    if rule is access_rules.open_to_all:
        return
    principal = connection.scope["state"]["principal"]
    assert isinstance(principal, Principal)
    if principal.name == ANONYMOUS.name:
        raise Refused(NO_SIGN_IN, status=401)
    assert isinstance(connection, Request)
    needs = await rule(connection, services)
    if not needs and method not in _SAFE:
        problem = _out_of_scope(principal, access_rules.right_of(method, str(connection.scope["path_template"])))
    else:
        problem = await services.authoriser.refusal(principal, *needs)
    if problem is not None:
        raise Refused(problem, status=403)


def _out_of_scope(principal: Principal, right: Right) -> Problem | None:
    """What is everybody's to change is still nothing for a token that may only read."""
    if principal.scopes is None or right in principal.scopes:
        return None
    return Problem(
        code="access.out_of_scope",
        message=f"This API token isn't good for {right}, only for {', '.join(sorted(principal.scopes)) or 'nothing'}.",
        remedy="Use a token with that scope, or one without scopes.",
    )
