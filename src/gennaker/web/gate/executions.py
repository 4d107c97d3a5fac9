"""Gate's and Orca's routes by which executions are found: by id or pipeline, by trigger, by what failed in them."""

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from gennaker.interfaces.executions import Found
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.web import visible
from gennaker.web.gate import amounts, failed_stages, listing, projects, search
from gennaker.web.gate.amounts import Amount
from gennaker.web.gate.listing import ConfigIds, ExecutionIds, shown, statuses_of
from gennaker.web.ports import Asking, Ports
from gennaker.web.sign_in import address_of

Start = Annotated[int, QueryParameter(name="startIndex", ge=0, le=10_000)]
Types = Annotated[str, QueryParameter(name="triggerTypes")]
PipelineName = Annotated[str, QueryParameter(name="pipelineName")]
EventId = Annotated[str, QueryParameter(name="eventId")]
From = Annotated[int, QueryParameter(name="triggerTimeStartBoundary", ge=0)]
To = Annotated[int, QueryParameter(name="triggerTimeEndBoundary", ge=0)]
ExecutionId = Annotated[str, QueryParameter(name="executionId")]
Origin = Annotated[str, QueryParameter(name="deckOrigin")]

_MOST_CORRELATED = 200


class GateExecutionsController(Controller):
    """Routes under /executions, /pipelines, /projects and /applications; Gate's and Orca's name of each."""

    @get("/executions")
    async def some(
        self,
        *,
        ports: Ports,
        principal: Asking,
        config_ids: ConfigIds = None,
        execution_ids: ExecutionIds = None,
        limit: Amount = 1,
        statuses: FromQuery[str] = "",
        expand: FromQuery[bool] = True,
    ) -> list[msgspec.Raw]:
        """Executions by their ids, or the newest of each pipeline; unknown ones are left out."""
        return await listing.some(ports, principal, config_ids, execution_ids, (limit, statuses), expand=expand)

    @get("/projects/{project:str}/pipelines")
    async def of_project(
        self,
        *,
        ports: Ports,
        principal: Asking,
        project: FromPath[str],
        limit: Amount = 5,
        statuses: FromQuery[str] = "",
        expand: FromQuery[bool] = True,
    ) -> list[msgspec.Raw]:
        """The newest executions of each pipeline of a project."""
        config = foreign.mapping((await projects.existing(ports, project)).body.get("config"))
        configs = [
            str(one["pipelineConfigId"]) for one in search.mappings(config, "pipelineConfigs", "pipelineConfigId")
        ]
        found = await listing.newest(ports, configs, statuses_of(statuses), limit)
        return await shown(ports, principal, found, expand=expand)

    @get(["/applications/{application:str}/executions/search", "/applications/{application:str}/pipelines/search"])
    async def search(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        types: Types = "",
        name: PipelineName = "",
        event_id: EventId = "",
        trigger: FromQuery[str] = "",
        start: From = 0,
        end: To = search.FOREVER,
        statuses: FromQuery[str] = "",
        first: Start = 0,
        size: Amount = 10,
        reverse: FromQuery[bool] = False,
        expand: FromQuery[bool] = False,
    ) -> Response[list[msgspec.Raw]]:
        """Executions by what their triggers hold, newest first; the application `*` means all.

        Where older ones were not looked at, the answer has a `Warning`.
        """
        wanted = search.Wanted(
            application=None if application == "*" else application,
            name=name or None,
            types=frozenset(filter(None, types.split(","))) - {"*"},
            event_id=event_id,
            trigger=search.decoded(trigger),
            start=start,
            end=end,
            statuses=statuses_of(statuses),
            is_oldest_first=reverse,
        )
        most = first + min(size, amounts.EXECUTIONS)
        found = await search.find(ports.services.executions, wanted, most=most, comparing=ports.comparing)
        return Response(await shown(ports, principal, found.found[first:], expand=expand), headers=found.headers)

    @get(["/executions/failedStages", "/pipelines/failedStages"])
    async def failed(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        execution_id: ExecutionId,
        origin: Origin = "",
        limit: Amount = 1,
    ) -> list[JsonObject]:
        """The stages that have failed, of child pipelines where it was a child that failed."""
        look = partial(visible.execution, ports, principal, address=address_of(request))
        return await failed_stages.find(look, execution_id, origin=origin, limit=min(limit, amounts.FAILED_STAGES))

    @get("/executions/correlated/{correlation_id:str}")
    async def correlated(self, ports: Ports, principal: Asking, correlation_id: FromPath[str]) -> list[str]:
        """Ids of the executions with this correlation id, newest first."""
        found = await ports.services.executions.listed(Found(correlation_id=correlation_id, limit=_MOST_CORRELATED))
        return [one.id for one in await visible.listed(ports, principal, found)]
