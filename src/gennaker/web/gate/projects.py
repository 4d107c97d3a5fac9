"""Gate's projects: groups of applications with what of them is to be seen together. Written by jobs (`/tasks`)."""

from litestar import Controller, get
from litestar.params import FromPath

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.definitions import Definition
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.problems import Problem, Refused
from gennaker.web import visible
from gennaker.web.gate import live
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

    @get("/projects/{project:str}/clusters")
    async def clusters(self, ports: Ports, principal: Asking, project: FromPath[str]) -> list[JsonObject]:
        """What runs of the project's clusters, by application and region."""
        found = await existing(ports, project)
        config = foreign.mapping(found.body.get("config"))
        names = [str(one) for one in foreign.items(config.get("applications"))]
        readable = await visible.of(ports, principal, names, str)
        groups = [one for name in readable for one in await live.server_groups(ports, principal, name)]
        return [_matrix(cluster, names, groups) for cluster in foreign.mappings(config.get("clusters"))]


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


def _matrix(cluster: JsonObject, names: list[str], groups: list[ServerGroup]) -> JsonObject:
    own = [str(one) for one in foreign.items(cluster.get("applications"))] or names
    found = [one for one in groups if _is_of(one, cluster, own)]
    rows: list[Json] = [
        _row(name, members)
        for name in own
        if (members := [one for one in found if str(one.moniker.app).lower() == name.lower()])
    ]
    return {
        "account": cluster.get("account"),
        "stack": cluster.get("stack"),
        "detail": cluster.get("detail"),
        "applications": rows,
        "instanceCounts": live.counts(found),
    }


def _is_of(group: ServerGroup, cluster: JsonObject, applications: list[str]) -> bool:
    parts = ((cluster.get("stack"), group.moniker.stack), (cluster.get("detail"), group.moniker.detail))
    return (
        group.place.account == cluster.get("account")
        and str(group.moniker.app).lower() in (one.lower() for one in applications)
        and all(wanted == "*" or (wanted or "") == (found or "") for wanted, found in parts)
    )


def _row(name: str, groups: list[ServerGroup]) -> JsonObject:
    regions: dict[str, list[ServerGroup]] = {}
    for one in groups:
        regions.setdefault(one.place.region, []).append(one)
    clusters: list[Json] = [
        {
            "region": region,
            "lastPush": _last_push(members),
            "instanceCounts": live.counts(members),
            "builds": [
                {
                    "buildNumber": one.version,
                    "deployed": milliseconds(one.created_at),
                    "images": [one.image],
                }
                for one in members
                if not one.is_disabled
            ],
        }
        for region, members in regions.items()
    ]
    return {"application": name.lower(), "lastPush": _last_push(groups), "clusters": clusters}


def _last_push(groups: list[ServerGroup]) -> Json:
    return max(milliseconds(one.created_at) or 0 for one in groups)
