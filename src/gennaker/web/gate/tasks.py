"""Gate's tasks: jobs that are done at once instead of by a pipeline, as Spinnaker's clients submit and follow them."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from gennaker.engine import orca_json
from gennaker.interfaces.executions import Found, Listed
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.permissions import Right
from gennaker.model.problems import Problem, Refused
from gennaker.web import orchestrations, visible
from gennaker.web.gate import amounts, cancelling, jobs
from gennaker.web.gate.amounts import Amount
from gennaker.web.gate.listing import statuses_of
from gennaker.web.ports import Asking, Ports, WebPorts


class GateTasksController(Controller):
    """Routes under /tasks and /applications/…/tasks."""

    @post("/tasks", status_code=200)
    async def submit(self, ports: Ports, principal: Asking, data: JSONBody[JsonObject]) -> JsonObject:
        """Starts jobs."""
        return await jobs.begun(ports, principal, data)

    @post("/applications/{application:str}/tasks", status_code=200)
    async def submit_for(
        self, ports: Ports, principal: Asking, application: FromPath[str], data: JSONBody[JsonObject]
    ) -> JsonObject:
        """Starts jobs of an application."""
        return await jobs.begun(ports, principal, {**data, "application": application})

    @get(["/tasks/{task_id:str}", "/applications/{application:str}/tasks/{task_id:str}"])
    async def one(self, ports: Ports, principal: Asking, task_id: FromPath[str]) -> JsonObject:
        """How the jobs are getting on; the application, where one is named, says nothing more."""
        return orca_json.orchestration_json(await _existing(ports, task_id))

    @get("/applications/{application:str}/tasks")
    async def all(
        self,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        page: Annotated[int, QueryParameter(ge=1, le=100)] = 1,
        limit: Amount = 20,
        statuses: FromQuery[str] = "",
    ) -> list[msgspec.Raw]:
        """Those of an application, newest first."""
        limit = min(limit, amounts.EXECUTIONS)
        kind, wanted = ExecutionKind.ORCHESTRATION, statuses_of(statuses)
        found = await ports.services.executions.listed(
            Found(application=application, kind=kind, statuses=wanted, limit=page * limit)
        )
        return await _shown(ports, found[(page - 1) * limit :])

    @get("/tasks")
    async def newest(
        self,
        ports: Ports,
        principal: Asking,
        limit: Amount = 100,
        statuses: FromQuery[str] = "",
    ) -> list[msgspec.Raw]:
        """Those of all applications, newest first."""
        most = min(limit, amounts.EXECUTIONS)
        wanted = Found(kind=ExecutionKind.ORCHESTRATION, statuses=statuses_of(statuses), limit=most)
        found = await ports.services.executions.listed(wanted)
        return await _shown(ports, await visible.listed(ports, principal, found))

    @delete("/tasks/{task_id:str}", status_code=200)
    async def forget(self, ports: Ports, principal: Asking, task_id: FromPath[str]) -> None:
        """Deletes one that has ended; the audit's records stay."""
        await ports.services.executions.delete((await _existing(ports, task_id)).head.id, principal)

    @put("/tasks/cancel", status_code=200)
    async def cancel_several(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], ids: FromQuery[str] = ""
    ) -> None:
        """Cancels those that `ids`, or the list in the body, names; all of them must be there."""
        body = await request.body()
        named = [one for one in ids.split(",") if one] or foreign.items(orchestrations.read(body) if body else [])
        found = [await _existing(ports, str(one)) for one in named]
        await visible.refuse(ports, principal, Right.EXECUTE, *(one.head.application for one in found))
        for execution in found:
            await cancelling.cancel(ports, principal, execution.head.id, "")

    @put(["/tasks/{task_id:str}/cancel", "/applications/{application:str}/tasks/{task_id:str}/cancel"], status_code=200)
    async def cancel(
        self, ports: Ports, principal: Asking, task_id: FromPath[str], reason: FromQuery[str] = ""
    ) -> None:
        """Cancels; one that has ended stays as it is."""
        await cancelling.cancel(ports, principal, (await _existing(ports, task_id)).head.id, reason)


async def _shown(ports: WebPorts, listed: Sequence[Listed]) -> list[msgspec.Raw]:
    return await ports.shown.executions(ports.services.executions, listed, orca_json.orchestration_json)


async def _existing(ports: WebPorts, task_id: str) -> Execution:
    found = await ports.services.executions.get(task_id)
    if found is None or found.head.kind is not ExecutionKind.ORCHESTRATION:
        raise Refused(Problem(code="task.unknown", message=f"There is no task {task_id!r}."), status=404)
    return found
