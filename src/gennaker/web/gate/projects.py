"""Gate's projects: groups of applications with what of them is to be seen together. Written by jobs (`/tasks`)."""

from litestar import Controller, get
from litestar.params import FromPath

from gennaker.interfaces.definitions import Definition
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web.ports import Asking, Ports, WebPorts

_KIND = "project"
_EMPTY: JsonObject = {"applications": [], "clusters": [], "pipelineConfigs": []}


class GateProjectsController(Controller):
    """Routes under /projects."""

    @get("/projects")
    async def all(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """All projects, by name."""
        shown = [_shown(one) for one in await ports.services.definitions.list(_KIND)]
        return sorted(shown, key=lambda one: str(one.get("name")).casefold())

    @get("/projects/{project:str}")
    async def one(self, ports: Ports, principal: Asking, project: FromPath[str]) -> JsonObject:
        """One project by name, else by id."""
        return _shown(await existing(ports, project))


async def existing(ports: WebPorts, wanted: str) -> Definition:
    """The project of this name, else of this id. Raises Refused(404)."""
    stored = await ports.services.definitions.list(_KIND)
    named = [one for one in stored if str(one.body.get("name")).casefold() == wanted.casefold()]
    found = named or [one for one in stored if one.id == wanted]
    if not found:
        raise Refused(Problem(code="project.unknown", message=f"There is no project {wanted!r}."), status=404)
    return found[0]


def _shown(project: Definition) -> JsonObject:
    config = project.body.get("config")
    complete: JsonObject = {**_EMPTY, **config} if isinstance(config, dict) else {**_EMPTY}
    return {**project.body, "id": project.id, "config": complete}
