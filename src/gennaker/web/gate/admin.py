"""What administrators do to executions by Gate's and Orca's routes."""

from typing import Annotated

from litestar import Controller, put
from litestar.params import QueryParameter

from gennaker.model.event import CancelAsked
from gennaker.web.native.executions import existing
from gennaker.web.ports import Asking, Ports

ExecutionId = Annotated[str, QueryParameter(name="executionId")]
CanceledBy = Annotated[str, QueryParameter(name="canceledBy")]


class GateAdminController(Controller):
    """Routes under /admin."""

    @put(["/admin/executions/forceCancel", "/admin/forceCancelExecution"], status_code=200)
    async def force_cancel(
        self, ports: Ports, principal: Asking, execution_id: ExecutionId, canceled_by: CanceledBy = ""
    ) -> None:
        """Cancels an execution of either kind, as every cancellation does: here none can get lost that would need force."""
        await existing(ports, execution_id)
        services = ports.services
        by = f" for {canceled_by}" if canceled_by else ""
        event = CancelAsked(at=services.clock.now(), by=principal.name, reason=f"Forced by an administrator{by}.")
        await services.executions.tell(execution_id, event, principal)
