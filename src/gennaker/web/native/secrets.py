"""Secrets in the native API: administrators keep them, and nobody reads their values back."""

from collections.abc import Callable

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.params import FromPath, JSONBody

from gennaker.access.stored_secrets import SecretRules, StoredSecret
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.web import paging, preconditions, shapes
from gennaker.web.ports import Asking, Ports


class SecretChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value, new or changed, and for what it may be used."""

    value: str
    applications: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


class SecretsController(Controller):
    """Routes under /api/v1/secrets."""

    path = "/api/v1/secrets"

    @get("/")
    async def secrets(
        self,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        after: paging.After = "",
        limit: paging.Limit = 100,
    ) -> Response[JsonObject]:
        """All of them, without their values."""
        found = await ports.stored_secrets.list()
        return paging.page(request, "secrets", found, key=lambda one: one.name, show=_shown, after=after, limit=limit)

    @get("/{name:str}", dependencies=preconditions.CONDITIONS)
    async def secret(
        self, ports: Ports, principal: Asking, name: FromPath[str], conditions: preconditions.Given
    ) -> Response[JsonObject]:
        """One of them, without its value, with its tag."""
        found = await ports.stored_secrets.find(name)
        return conditions.answer(_shown(found), _tag(found))

    @put("/{name:str}", dependencies=preconditions.CONDITIONS)
    async def keep(
        self,
        ports: Ports,
        principal: Asking,
        name: FromPath[str],
        data: JSONBody[SecretChange],
        conditions: preconditions.Given,
    ) -> Response[JsonObject]:
        """Makes or changes one; what isn't said about its use is taken away."""
        rules = SecretRules(applications=data.applications, hosts=data.hosts)
        with conditions.writing():
            kept = await ports.stored_secrets.set(name, data.value, rules, by=principal, check=_check(conditions, name))
        return preconditions.tagged(_shown(kept), _tag(kept))

    @delete("/{name:str}", dependencies=preconditions.CONDITIONS)
    async def remove(
        self, ports: Ports, principal: Asking, name: FromPath[str], conditions: preconditions.Given
    ) -> None:
        """Forgets it; what refers to it fails from now on."""
        with conditions.writing():
            await ports.stored_secrets.remove(name, by=principal, check=_check(conditions, name))

    @post("/rotate", status_code=200)
    async def rotate(self, ports: Ports, principal: Asking) -> JsonObject:
        """Encrypts all with a new key, and drops the older ones."""
        return {"secrets": await ports.stored_secrets.rotate(by=principal)}


def _check(conditions: preconditions.Conditions, name: str) -> Callable[[StoredSecret | None], None]:
    def check(before: StoredSecret | None) -> None:
        shape = None if before is None else _shown(before)
        tag = None if before is None else _tag(before)
        conditions.refuse(tag, preconditions.changed(f"secret {name[:100]}", shape))

    return check


def _tag(one: StoredSecret) -> str:
    return preconditions.of_content(to_json(one))


def _shown(one: StoredSecret) -> JsonObject:
    return {
        "name": one.name,
        "applications": list[Json](one.rules.applications),
        "hosts": list[Json](one.rules.hosts),
        "keyId": one.key_id,
        "changedBy": one.changed_by,
        "changedAt": shapes.instant(one.changed_at),
        "etag": _tag(one),
    }
