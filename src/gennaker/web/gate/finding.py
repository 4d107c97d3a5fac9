"""Gate's search box: applications, clusters, server groups, instances, load balancers and projects whose names hold a text."""

from collections.abc import Iterable
from typing import Annotated

from litestar import Controller, get
from litestar.params import FromQuery, QueryParameter

from gennaker.interfaces.clouds import ServerGroup
from gennaker.model.codec import Json, JsonObject
from gennaker.model.principal import Principal
from gennaker.web import visible
from gennaker.web.gate import applications, clusters, live
from gennaker.web.ports import Asking, Ports, WebPorts

PageSize = Annotated[int, QueryParameter(name="pageSize", ge=1, le=1000)]
_INFRASTRUCTURE = frozenset({"clusters", "serverGroups", "instances", "loadBalancers"})
_TYPES = ("applications", "projects", "clusters", "serverGroups", "instances", "loadBalancers", "securityGroups")


class GateSearchController(Controller):
    """Routes under /search."""

    @get("/search")
    async def search(
        self,
        *,
        ports: Ports,
        principal: Asking,
        text: Annotated[str, QueryParameter(name="q")] = "",
        types: Annotated[list[str] | None, QueryParameter(name="type")] = None,
        platform: FromQuery[str] = "",
        page: Annotated[int, QueryParameter(ge=1, le=10_000)] = 1,
        size: PageSize = 10,
    ) -> list[JsonObject]:
        """One set of results; types that nothing is of give none."""
        wanted = [one for one in _TYPES if not types or one in types]
        found = [
            one
            for one in await _results(ports, principal, wanted)
            if text.casefold() in _named(one).casefold() and platform in ("", one.get("provider"))
        ]
        shown: list[Json] = list(found[(page - 1) * size : page * size])
        result: JsonObject = {
            "pageNumber": page,
            "pageSize": size,
            "query": text,
            "totalMatches": len(found),
            "platform": platform or "gennaker",
            "results": shown,
        }
        return [result]


async def _results(ports: WebPorts, principal: Principal, types: list[str]) -> list[JsonObject]:
    found: list[JsonObject] = []
    if "applications" in types:
        found += [
            _application(name) for name in await visible.of(ports, principal, await applications.known(ports), str)
        ]
    if "projects" in types:
        found += [
            {"type": "projects", "id": one.id, **_of_project(one.body), "url": f"/projects/{one.id}"}
            for one in await ports.services.definitions.list("project")
        ]
    if _INFRASTRUCTURE & set(types):
        groups = await clusters.everything(ports, principal)
        by_type = {
            "clusters": _clusters,
            "serverGroups": _server_groups,
            "instances": _instances,
            "loadBalancers": _load_balancers,
        }
        found += [one for kind, listed in by_type.items() if kind in types for one in listed(groups)]
    return found


def _application(name: str) -> JsonObject:
    return {"type": "applications", "application": name, "name": name, "url": f"/applications/{name}"}


def _of_project(body: JsonObject) -> JsonObject:
    config = body.get("config")
    listed = config.get("applications") if isinstance(config, dict) else None
    return {"name": body.get("name"), "applications": listed or [], "email": body.get("email")}


def _clusters(groups: list[ServerGroup]) -> Iterable[JsonObject]:
    for (account, name), members in live.clusters(groups).items():
        app = members[0].moniker.app
        yield {
            **_place(members[0], "clusters"),
            "cluster": name,
            "url": f"/applications/{app}/clusters/{account}/{name}",
        }


def _server_groups(groups: list[ServerGroup]) -> Iterable[JsonObject]:
    for one in groups:
        place = one.place
        yield {
            **_place(one, "serverGroups"),
            "serverGroup": one.name,
            "cluster": one.moniker.cluster,
            "stack": one.moniker.stack,
            "detail": one.moniker.detail,
            "sequence": one.moniker.sequence,
            "url": f"/applications/{one.moniker.app}/serverGroups/{place.account}/{place.region}/{one.name}",
        }


def _instances(groups: list[ServerGroup]) -> Iterable[JsonObject]:
    for group in groups:
        for one in group.instances:
            yield {
                **_place(group, "instances"),
                "instanceId": one.id,
                "serverGroup": group.name,
                "cluster": group.moniker.cluster,
                "url": f"/instances/{group.place.account}/{group.place.region}/{one.id}",
            }


def _load_balancers(groups: list[ServerGroup]) -> Iterable[JsonObject]:
    first = {name: group for group in reversed(groups) for name in group.load_balancers}
    for name, group in first.items():
        place = group.place
        yield {
            **_place(group, "loadBalancers"),
            "loadBalancer": name,
            "url": f"/loadBalancers/{place.account}/{place.region}/{name}",
        }


def _place(group: ServerGroup, kind: str) -> JsonObject:
    return {
        "type": kind,
        "provider": group.cloud_provider,
        "application": group.moniker.app,
        "account": group.place.account,
        "region": group.place.region,
    }


def _named(result: JsonObject) -> str:
    keys = ("name", "instanceId", "serverGroup", "loadBalancer", "cluster", "application")
    return next(str(result[key]) for key in keys if result.get(key))
