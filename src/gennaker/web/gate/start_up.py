"""What Deck asks when it starts, and on every page, about what this installation doesn't have: there is none of it."""

from typing import Any

from litestar import Controller, Request, Response, get, post, put

from gennaker.interfaces import artifacts
from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web import orchestrations
from gennaker.web.gate import unavailable
from gennaker.web.ports import Asking, Ports

_LISTS = (
    "/banners",
    "/notifications/metadata",
    "/plugins/deck/plugin-manifest.json",
    "/pubsub/subscriptions",
    "/slack/channels",
    "/pagerDuty/services",
    "/subnets",
    "/subnets/{provider:str}",
    "/vpcs",
    "/keyPairs",
    "/instanceTypes",
    "/certificates",
    "/roles/{provider:str}",
    "/storage",
    "/tags",
)
"""Lists of things that nothing here makes or uses."""
_MAPS = ("/securityGroups", "/firewalls", "/networks", "/networks/{provider:str}")
"""The same, of things that are asked for by account."""


class GateStartUpController(Controller):
    """Routes of many names."""

    @get([*_LISTS])
    async def none(self, principal: Asking) -> list[JsonObject]:
        """There is none."""
        return []

    @get([*_MAPS])
    async def none_of_any_account(self, principal: Asking) -> JsonObject:
        """There is none."""
        return {}

    @get("/capabilities/quietPeriod")
    async def quiet_period(self, principal: Asking) -> JsonObject:
        """Triggers are never held back for a time."""
        return {"enabled": False, "startTime": 0, "endTime": 0}

    @post(["/banners", "/tags"])
    async def written(self, principal: Asking, request: Request[Any, Any, Any]) -> None:
        """What nothing here would heed isn't kept either."""
        raise unavailable.refusal(request)

    @get("/artifacts/credentials")
    async def artifact_accounts(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """By which account artifacts of which types can be read."""
        found: list[JsonObject] = []
        for one in ports.services.artifacts.values():
            types: list[Json] = list(one.types)
            found.append({"name": one.name, "types": types})
        return found

    @put("/artifacts/fetch", status_code=200)
    async def fetch(self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]) -> Response[bytes]:
        """What an artifact refers to, as it is."""
        artifact = orchestrations.read_object(await request.body())
        try:
            content = await artifacts.content(ports.services.artifacts, artifact)
        except ArtifactUnavailable as error:
            raise Refused(Problem(code="artifact.unavailable", message=str(error)), status=503) from error
        headers = {"content-disposition": "attachment"}
        return Response(content, media_type="application/octet-stream", headers=headers)

    @get("/v2/builds")
    async def build_masters(self, ports: Ports, principal: Asking) -> list[str]:
        """Names of the CI systems of the settings."""
        return list(ports.services.ci)
