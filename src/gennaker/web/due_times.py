"""Due times: when cron triggers start pipelines next, for those who look."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gennaker.interfaces.services import Services
from gennaker.model import cron_times
from gennaker.model.codec import JsonObject
from gennaker.model.cron_expressions import CronExpression
from gennaker.triggers import cron
from gennaker.triggers.cron import Scheduled


def following(expression: CronExpression, services: Services) -> Iterator[datetime]:
    """Its times from now on; none where the setting `engine.time-zone` is no time zone, as nothing fires then."""
    try:
        zone = ZoneInfo(services.settings.engine.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return
    due = cron_times.after(expression, services.clock.now(), zone)
    while due is not None:
        yield due
        due = cron_times.after(expression, due, zone)


def of_pipeline(pipeline: JsonObject, services: Services) -> datetime | None:
    """When the first of its own triggers is due; None: never, or not by the clock."""
    if not services.settings.engine.cron_triggers:
        return None
    triggers = [one for one in cron.of_pipeline(pipeline) if isinstance(one, Scheduled)]
    dues = [next(following(one.expression, services), None) for one in triggers]
    return min((due for due in dues if due is not None), default=None)
