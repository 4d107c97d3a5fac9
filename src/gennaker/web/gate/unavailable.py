"""Gate's routes of features that don't exist here: they say so with 501, and never that something was done."""

from typing import Any

from litestar import Controller, Request, delete, get, patch, post, put

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web import absent
from gennaker.web.ports import Asking


class GateUnavailableController(Controller):
    """Routes of many names."""

    @get(absent.OLD_TEMPLATES)
    async def no_templates(self, principal: Asking) -> list[JsonObject]:
        """There is none of schema v1. Deck asks for them before it makes a pipeline."""
        return []

    @get([*absent.NOT_OFFERED["GET"]])
    async def read(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing to be read."""
        raise refusal(request)

    @post([*absent.NOT_OFFERED["POST"]])
    async def written(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing is done."""
        raise refusal(request)

    @put([*absent.NOT_OFFERED["PUT"]])
    async def replaced(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing is done."""
        raise refusal(request)

    @patch([*absent.NOT_OFFERED["PATCH"]])
    async def patched(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing is done."""
        raise refusal(request)

    @delete([*absent.NOT_OFFERED["DELETE"]])
    async def deleted(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing is done."""
        raise refusal(request)


def refusal(request: Request[Any, Any, Any]) -> Refused:
    """The answer of a route whose feature doesn't exist."""
    return Refused(
        Problem(
            code="gate.not_offered",
            message=f"{request.method} {request.url.path} belongs to a part of Spinnaker that doesn't exist here.",
            remedy="The guide on Spinnaker's clients lists what there is.",
        ),
        status=501,
    )
