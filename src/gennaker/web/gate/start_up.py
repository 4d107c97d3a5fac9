"""What Deck asks when it starts, and on every page, about what this installation doesn't have: there is none of it."""

from typing import Any

from litestar import Controller, Request, get, post

from gennaker.model.codec import JsonObject
from gennaker.web import absent
from gennaker.web.gate import unavailable
from gennaker.web.ports import Asking


class GateStartUpController(Controller):
    """Routes of many names."""

    @get([*absent.LISTS, "/plugins/deck/plugin-manifest.json"])
    async def none(self, principal: Asking) -> list[JsonObject]:
        """There is none."""
        return []

    @get([*absent.MAPS])
    async def none_of_any_account(self, principal: Asking) -> JsonObject:
        """There is none."""
        return {}

    @get("/capabilities/quietPeriod")
    async def quiet_period(self, principal: Asking) -> JsonObject:
        """Triggers are never held back for a time."""
        return {"enabled": False, "startTime": 0, "endTime": 0}

    @post([*absent.ALSO_LISTED])
    async def written(self, principal: Asking, request: Request[Any, Any, Any]) -> None:
        """What nothing here would heed isn't kept either."""
        raise unavailable.refusal(request)
