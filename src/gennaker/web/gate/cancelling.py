"""Cancelling as Gate does it: to cancel what has ended is no error. `spin application pipelines cancel-all` cancels all that it lists."""

from gennaker.model.event import CancelAsked
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.web.ports import WebPorts

_IGNORED = "command.ignored"
"""What the engine says of a command that comes too late."""


async def cancel(ports: WebPorts, principal: Principal, execution_id: str, reason: str) -> None:
    """Raises Refused (404) for an unknown execution."""
    event = CancelAsked(at=ports.services.clock.now(), by=principal.name, reason=reason)
    try:
        await ports.services.executions.tell(execution_id, event, principal)
    except Refused as error:
        found = await ports.services.executions.get(execution_id)
        if error.problems[0].code != _IGNORED or found is None or not found.head.status.is_complete:
            raise
