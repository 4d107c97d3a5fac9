"""Gate's accounts: where the cloud providers can put something, and the image registries that pipelines may name."""

from typing import Any

from litestar import Controller, Request, delete, get, post, put
from litestar.params import FromPath, FromQuery

from gennaker.model.codec import Json, JsonObject
from gennaker.model.permissions import Right
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.settings import AccountSettings
from gennaker.web import visible
from gennaker.web.gate import unavailable
from gennaker.web.ports import Asking, Ports, WebPorts

_REGISTRY = "dockerRegistry"
_IN_LISTS = ("accountId", "name", "type", "permissions", "requiredGroupMembership", "authorized", "cloudProvider")


class GateAccountsController(Controller):
    """Routes under /credentials."""

    @get("/credentials")
    async def all(self, *, ports: Ports, principal: Asking, expand: FromQuery[bool] = False) -> list[JsonObject]:
        """All accounts; with `expand` all that is known of them."""
        every = await _accounts(ports)
        found = await visible.accounts(ports, principal, every, lambda one: str(one["name"]))
        return found if expand else [{key: one[key] for key in _IN_LISTS} for one in found]

    @get("/credentials/{name:str}")
    async def one(self, ports: Ports, principal: Asking, name: FromPath[str]) -> JsonObject:
        """One account."""
        for found in await _accounts(ports):
            if found["name"] == name:
                return found
        raise Refused(Problem(code="account.unknown", message=f"There is no account {name!r}."), status=404)

    @post("/credentials")
    async def create(self, principal: Asking, request: Request[Any, Any, Any]) -> None:
        """Accounts stand in the settings."""
        raise unavailable.refusal(request)

    @put("/credentials")
    async def update(self, principal: Asking, request: Request[Any, Any, Any]) -> None:
        """Accounts stand in the settings."""
        raise unavailable.refusal(request)

    @delete("/credentials/{name:str}", status_code=200)
    async def remove(self, principal: Asking, request: Request[Any, Any, Any], name: FromPath[str]) -> None:
        """Accounts stand in the settings."""
        raise unavailable.refusal(request)


async def writable(ports: WebPorts, principal: Principal) -> list[str]:
    """Names of those in which somebody may change something, as Fiat tells them; no cluster is asked for what it has."""
    services = ports.services
    names = {*services.registries}.union(*(one.accounts for one in services.manifests.values()))
    for provider in services.clouds.values():
        if provider.name not in services.manifests:
            names.update(place.account for place in await provider.places())
    return await visible.accounts(ports, principal, sorted(names), str, right=Right.WRITE)


async def _accounts(ports: WebPorts) -> list[JsonObject]:
    regions: dict[tuple[str, str], list[str]] = {}
    for provider in ports.services.clouds.values():
        for place in await provider.places():
            regions.setdefault((place.account, provider.name), []).append(place.region)
    for one in ports.services.manifests.values():  # also those whose API server doesn't answer
        for account in sorted(one.accounts):
            regions.setdefault((account, one.name), [])
    registries = [(name, _REGISTRY) for name in ports.services.registries]
    settings = ports.services.settings.accounts
    return [
        _account(name, kind, regions.get((name, kind), []), settings.get(name, AccountSettings()))
        | _of_manifests(ports, name, regions.get((name, kind), []))
        for name, kind in (*regions, *registries)
    ]


def _of_manifests(ports: WebPorts, name: str, namespaces: list[str]) -> JsonObject:
    """What editors of manifest stages choose from: Deck empties a stage's namespace that isn't among the account's."""
    for one in ports.services.manifests.values():
        if name in one.accounts:
            listed: list[Json] = [*namespaces]
            return {"namespaces": listed, "spinnakerKindMap": {**one.spinnaker_kinds(name)}, "dockerRegistries": []}
    return {}


def _account(name: str, kind: str, regions: list[str], settings: AccountSettings) -> JsonObject:
    places: list[Json] = [{"name": region} for region in regions]
    return {
        "accountId": name,
        "name": name,
        "type": kind,
        "accountType": kind,
        "cloudProvider": kind,
        "environment": name,
        "permissions": {right: list[Json](roles) for right, roles in settings.permissions.items()},
        "requiredGroupMembership": [],
        "authorized": True,
        "primaryAccount": True,
        "challengeDestructiveActions": False,
        "regions": places,
    }
