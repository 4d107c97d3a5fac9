"""Gate's check of a cron expression, as Deck makes it while one is typed."""

from itertools import islice

from litestar import Controller, get
from litestar.params import FromQuery

from gennaker.model import cron_expressions, cron_wording
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.cron_expressions import InvalidExpression
from gennaker.web import due_times
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
        times: list[Json] = [milliseconds(due) for due in islice(due_times.following(found, services), _SHOWN_TIMES)]
        return {"valid": True, "description": description, "timeZone": zone, "nextTimes": times}
