"""The rollout keeper: ends rollouts whose execution is over but whose last step was cut off.

A cancellation may fall between two tasks, and a stop hook takes only one step. So whatever rollout is left without a
running execution is taken on to its end here, a step at a time.
"""

from datetime import timedelta

import structlog

from gennaker.interfaces.plugins import Service
from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.deploy import rollouts

log = structlog.get_logger()

_EVERY = timedelta(seconds=1)


async def once(services: Services) -> None:
    """One step for each rollout that nobody else takes on."""
    for rollout in await rollouts.unfinished(services):
        execution = await services.executions.get(rollout.execution_id)
        if execution is not None and not execution.head.status.is_complete:
            continue
        status = execution.head.status.value if execution else "without a trace"
        try:
            waiting = await rollouts.abandon(services, rollout, because=f"Its execution has ended {status}.")
        except (Refused, OSError) as error:
            waiting = str(error)
        log.info("rollout.abandoned", rollout=rollout.key, server_group=rollout.new, waiting_for=waiting)


async def keep(services: Services) -> None:
    """Looks about every second, until cancelled."""
    while True:
        await once(services)
        await services.clock.sleep_until(services.clock.now() + _EVERY)


service = Service(name="rollout-keeper", run=keep)
