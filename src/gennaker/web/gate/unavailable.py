"""Gate's routes of features that don't exist here: they say so with 501, and never that something was done."""

from typing import Any

from litestar import Controller, Request, delete, get, patch, post, put

from gennaker.model.problems import Problem, Refused
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
    "/artifactory/names",
    "/artifacts/account/{account:str}/names",
    "/artifacts/account/{account:str}/versions",
    "/artifacts/{provider:str}/{package:str}",
    "/artifacts/{provider:str}/{package:str}/{version:str}",
    "/artifacts/content-address/{application:str}/{hash:str}",
    "/canaries/{canary:str}",
    "/canaryConfigs",
    "/charts/find",
    "/ci/builds",
    "/credentials/type/{kind:str}",
    "/history/{name:str}",
    "/nexus/names",
    "/plugins/info",
    "/plugins/installed",
    "/securityGroups/{account:str}/{region:str}/{name:str}",
    "/firewalls/{account:str}/{region:str}/{name:str}",
    "/v2/canaries/metadata/metricsService",
    "/v3/builds/{master:str}/jobs",
    "/v3/builds/{master:str}/job",
    "/v3/builds/{master:str}/builds",
    "/applications/{application:str}/snapshots/{account:str}",
    "/applications/{application:str}/tasks/{task_id:str}/details/{detail_id:str}",
    "/tasks/{task_id:str}/details/{detail_id:str}",
    "/pipelineConfigs/{pipeline_id:str}/convertToTemplate",
    "/pipelineTemplate",
)
_WRITTEN = (
    "/plugins/publish/{plugin:str}/{version:str}",
    "/auth/deleteSessionCache",
    "/notifications/callbacks/{source:str}",
    "/convertPipelineToTemplate",
)
_EVERYTHING = [path for one in _ANYTHING for path in (one, f"{one}/{{rest:path}}")]


class GateUnavailableController(Controller):
    """Routes of many names."""

    @get([*_EVERYTHING, *_READ])
    async def read(self, request: Request[Any, Any, Any], principal: Asking) -> None:
        """Nothing to be read."""
        raise refusal(request)

    @post([*_EVERYTHING, *_WRITTEN])
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

    @delete([*_EVERYTHING])
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
