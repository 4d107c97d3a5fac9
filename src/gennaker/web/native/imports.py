"""Coming from Spinnaker in the native API: importing bundles, where applications stand, the cut-over."""

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody

from gennaker.model.codec import JsonObject, to_json
from gennaker.model.foreign import mapping
from gennaker.web import cutting_over, importing, paging, preconditions
from gennaker.web.cutting_over import CutOver
from gennaker.web.importing import Importing
from gennaker.web.ports import Asking, Ports


class ImportsController(Controller):
    """Routes under /api/v1/imports."""

    path = "/api/v1/imports"

    @post("/", status_code=200)
    async def take(self, ports: Ports, principal: Asking, data: JSONBody[Importing]) -> JsonObject:
        """Stores what can be stored of a bundle and says every gap."""
        return mapping(to_json(await importing.take(ports, principal, data)))

    @get("/")
    async def all(
        self,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        after: paging.After = "",
        limit: paging.Limit = 100,
    ) -> Response[JsonObject]:
        """Imported applications and their phases, by name."""
        found = await ports.phases.all()
        return paging.page(
            request,
            "applications",
            found,
            key=lambda one: one.application,
            show=cutting_over.shown,
            after=after,
            limit=limit,
        )

    @post("/{application:str}/cut-over", status_code=200, dependencies=preconditions.CONDITIONS)
    async def cut_over(
        self,
        *,
        ports: Ports,
        principal: Asking,
        application: FromPath[str],
        data: JSONBody[CutOver],
        conditions: preconditions.Given,
    ) -> JsonObject:
        """Records that Gennaker runs the application from now on: its triggers fire, and its runs act.

        With If-Match, the `etag` of the list, only if it still stands as it did then.
        """
        return await cutting_over.cut_over(ports, principal, application, data, conditions)
