"""Gate's search box: applications, clusters, server groups, instances, load balancers, firewalls and projects whose names hold a text."""

from collections.abc import Iterable
from typing import Annotated

from litestar import Controller, get
from litestar.params import FromQuery, QueryParameter

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.manifests import ListedManifest
from gennaker.interfaces.surroundings import Resource
from gennaker.model.codec import Json, JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import visible
from gennaker.web.gate import amounts, applications, clusters, live, surroundings
from gennaker.web.ports import Asking, Ports, WebPorts

PageSize = Annotated[int, QueryParameter(name="pageSize", ge=1)]
_INFRASTRUCTURE = frozenset({"clusters", "serverGroups", "instances", "loadBalancers"})
_TYPES = ("applications", "projects", "clusters", "serverGroups", "instances", "loadBalancers", "securityGroups")
_MOST_KINDS = 20
"""Of other types than these in one search. Deck asks for one."""


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
        size = min(size, amounts.RESULTS)
        named = [one for several in types or () for one in several.split(",") if one]
        kinds = _kinds(named)
        wanted = [one for one in _TYPES if not named or one in named]
        found = [
            one
            for one in await _results(ports, principal, wanted)
            if text.casefold() in _named(one).casefold() and platform in ("", one.get("provider"))
        ]
        found += [one for one in await _of_kinds(ports, principal, kinds, text) if platform in ("", one["provider"])]
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
    if "loadBalancers" in types:
        balancers = (await surroundings.networking(ports, principal)).load_balancers
        found += [_resource(one, "loadBalancers") | {"loadBalancer": one.full_name} for one in balancers]
    if "securityGroups" in types:
        firewalls = (await surroundings.networking(ports, principal)).firewalls
        found += [_resource(one.resource, "securityGroups") | {"id": one.resource.full_name} for one in firewalls]
    return found


async def _of_kinds(ports: WebPorts, principal: Principal, kinds: list[str], namespace: str) -> list[JsonObject]:
    """Objects of a kind in the namespace that is the text looked for: Deck's editor asks so for the names to choose from.

    Accounts are asked only for whoever may read them: a search is nobody's means to load the clusters of others.
    """
    if not namespace or not kinds:
        return []
    found: list[JsonObject] = []
    for provider in ports.services.manifests.values():
        accounts = frozenset(await visible.accounts(ports, principal, provider.accounts, str))
        for kind in kinds:
            listed = await provider.of_kind(kind, namespace, accounts)
            shown = await visible.of(ports, principal, listed, lambda one: one.application)
            found += [_manifest(provider.name, one) for one in shown]
    return found


def _kinds(types: list[str]) -> list[str]:
    """Those of the types that are a provider's own. Raises Refused(400)."""
    kinds = [one for one in dict.fromkeys(types) if one not in _TYPES]
    if len(kinds) > _MOST_KINDS:
        problem = Problem(
            code="search.too_many_types",
            message=f"The search names {len(kinds)} kinds; each is asked of every account.",
            remedy=f"Name at most {_MOST_KINDS} at once.",
        )
        raise Refused(problem)
    return kinds


def _manifest(provider: str, one: ListedManifest) -> JsonObject:
    where = one.where
    name = f"{where.kind} {where.name}"
    return {
        "type": one.spinnaker_kind,
        "provider": provider,
        "application": one.application,
        "account": one.account,
        "region": where.namespace,
        "namespace": where.namespace,
        "name": name,
        "kubernetesKind": where.kind,
        "cluster": one.cluster,
        "url": f"/manifests/{one.account}/{where.namespace}/{name}",
    }


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
            "serverGroup": live.name_of(one),
            "cluster": one.moniker.cluster,
            "stack": one.moniker.stack,
            "detail": one.moniker.detail,
            "sequence": one.moniker.sequence,
            "url": f"/applications/{one.moniker.app}/serverGroups/{place.account}/{place.region}/{live.name_of(one)}",
        }


def _instances(groups: list[ServerGroup]) -> Iterable[JsonObject]:
    for group in groups:
        for one in group.instances:
            yield {
                **_place(group, "instances"),
                "instanceId": one.id,
                "serverGroup": live.name_of(group),
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


def _resource(one: Resource, kind: str) -> JsonObject:
    place = one.place
    return {
        "type": kind,
        "provider": one.cloud_provider,
        "application": one.moniker.app,
        "cluster": one.moniker.cluster,
        "account": place.account,
        "region": place.region,
        "namespace": place.region,
        "name": one.full_name,
        "url": f"/{kind}/{place.account}/{place.region}/{one.full_name}",
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
