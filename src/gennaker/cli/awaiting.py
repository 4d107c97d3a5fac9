"""Waiting for the end of an execution that plans only: it takes no longer than its stages take to be planned."""

import time

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import text_at
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.transport.client import Client

_LONGEST_SECONDS = 120.0
_LOOKS_EVERY_SECONDS = 0.1


def ended(client: Client, path: str) -> JsonObject:
    """What the path of a dry run answers once it is over. Raises Refused after two minutes."""
    until = time.monotonic() + _LONGEST_SECONDS
    while True:
        execution = foreign.mapping(client.get(path))
        if Status(text_at(execution, "status")).is_complete:
            return execution
        if time.monotonic() > until:
            own_id = path.rpartition("/")[2]
            raise Refused(
                Problem(
                    code="plan.waits",
                    message=f"The dry run {own_id} has not ended within {_LONGEST_SECONDS:.0f} seconds.",
                    remedy=f"`gennaker why {own_id}` says what it waits for.",
                )
            )
        time.sleep(_LOOKS_EVERY_SECONDS)
