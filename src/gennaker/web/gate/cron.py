"""Gate's check of a cron expression, as Deck makes it while one is typed."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from litestar import Controller, get
from litestar.params import FromQuery

from gennaker.model import cron_expressions, cron_times, cron_wording
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.cron_expressions import CronExpression, InvalidExpression
from gennaker.web.ports import Asking, Ports

_SHOWN_TIMES = 5


class GateCronController(Controller):
    """Routes under /cron."""

    @get("/cron/validate")
    async def validate(self, ports: Ports, principal: Asking, expression: FromQuery[str]) -> JsonObject:
        """What it says, or what is wrong with it; when it would fire next, in milliseconds, is our own."""
        services = ports.services
        try:
            found = cron_expressions.read(cron_expressions.fuzzed(expression, ""))
        except InvalidExpression as error:
            return {"valid": False, "message": str(error)}
        zone = services.settings.engine.time_zone
        description = cron_wording.described(found)
        if cron_expressions.is_fuzzy(expression):
            description += " (`H` stands for another number in each trigger)"
        times = _times(found, services.clock.now(), zone)
        return {"valid": True, "description": description, "timeZone": zone, "nextTimes": times}


def _times(expression: CronExpression, at: datetime, zone: str) -> list[Json]:
    try:
        known = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return []  # no trigger fires then, which the log says
    found: list[Json] = []
    following = cron_times.after(expression, at, known)
    while following is not None and len(found) < _SHOWN_TIMES:
        found.append(milliseconds(following))
        following = cron_times.after(expression, following, known)
    return found
