"""Gate's routes of features that don't exist here: they say so with 501, and never that something was done."""

from typing import Any

from litestar import Controller, Request, delete, get, patch, post, put

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web import absent
from gennaker.web.ports import Asking

_ANYTHING = (
    "/admin",
    "/bakery",
    "/batch",
    "/cleanup",
    "/cloudMetrics",
    "/codebuild",
    "/concourse",
    "/ecs",
    "/extensions",
    "/gcb",
    "/integrations",
    "/managed",
    "/mcp",
    "/pipelineTemplates",
    "/proxies",
    "/servicebroker",
    "/snapshots",
    "/v1/data",
)
"""With everything below them."""
_READ = (
    "/artifacts/{provider:str}/{package:str}",
    "/artifacts/{provider:str}/{package:str}/{version:str}",
    "/artifacts/content-address/{application:str}/{hash:str}",
    "/canaries/{canary:str}",
    "/canaryConfigs",
    "/applications/{application:str}/snapshots",
    "/applications/{application:str}/snapshots/{account:str}",
    "/applications/{application:str}/snapshots/{account:str}/history",
    "/ci/builds",
    "/ci/builds/{build:str}/output",
    "/credentials/type/{kind:str}",
    "/history/{name:str}",
    "/plugins/info",
    "/plugins/installed",
    "/applications/{application:str}/tasks/{task_id:str}/details/{detail_id:str}",
    "/tasks/{task_id:str}/details/{detail_id:str}",
    "/pipelineConfigs/{pipeline_id:str}/convertToTemplate",
    "/pipelineTemplate",
    "/swagger-ui.html",
    "/v3/api-docs",
)
_WRITTEN = (
    "/plugins/publish/{plugin:str}/{version:str}",
    "/auth/deleteSessionCache",
    "/notifications/callbacks/{source:str}",
    "/convertPipelineToTemplate",
)
_NOTIFICATIONS = "/notifications/{kind:str}/{name:str}"
"""Of anything but applications."""
_EVERYTHING = [path for one in _ANYTHING for path in (one, f"{one}/{{rest:path}}")]


class GateUnavailableController(Controller):
    """Routes of many names."""

    @get(absent.OLD_TEMPLATES)
    async def no_templates(self, principal: Asking) -> list[JsonObject]:
        """There is none of schema v1. Deck asks for them before it makes a pipeline."""
        return []

    @get([*(path for path in _EVERYTHING if path != absent.OLD_TEMPLATES), *_READ, _NOTIFICATIONS])
    async def read(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing to be read."""
        raise refusal(request)

    @post([*_EVERYTHING, *_WRITTEN, _NOTIFICATIONS])
    async def written(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing is done."""
        raise refusal(request)

    @put([*_EVERYTHING, "/canaries/{canary:str}/end"])
    async def replaced(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing is done."""
        raise refusal(request)

    @patch([*_EVERYTHING])
    async def patched(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing is done."""
        raise refusal(request)

    @delete([*_EVERYTHING, _NOTIFICATIONS])
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
