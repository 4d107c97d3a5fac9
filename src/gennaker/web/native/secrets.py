"""Secrets in the native API: administrators keep them, and nobody reads their values back."""

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.params import FromPath, JSONBody

from gennaker.access.stored_secrets import SecretRules, StoredSecret
from gennaker.model.codec import Json, JsonObject
from gennaker.web import shapes
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
    async def secrets(self, ports: Ports, principal: Asking) -> JsonObject:
        """All of them, without their values."""
        return {"secrets": [_shown(one) for one in await ports.stored_secrets.list()]}

    @put("/{name:str}")
    async def keep(
        self, ports: Ports, principal: Asking, name: FromPath[str], data: JSONBody[SecretChange]
    ) -> JsonObject:
        """Makes or changes one; what isn't said about its use is taken away."""
        rules = SecretRules(applications=data.applications, hosts=data.hosts)
        return _shown(await ports.stored_secrets.set(name, data.value, rules, by=principal))

    @delete("/{name:str}")
    async def remove(self, ports: Ports, principal: Asking, name: FromPath[str]) -> None:
        """Forgets it; what refers to it fails from now on."""
        await ports.stored_secrets.remove(name, by=principal)

    @post("/rotate", status_code=200)
    async def rotate(self, ports: Ports, principal: Asking) -> JsonObject:
        """Encrypts all with a new key, and drops the older ones."""
        return {"secrets": await ports.stored_secrets.rotate(by=principal)}


def _shown(one: StoredSecret) -> JsonObject:
    return {
        "name": one.name,
        "applications": list[Json](one.rules.applications),
        "hosts": list[Json](one.rules.hosts),
        "keyId": one.key_id,
        "changedBy": one.changed_by,
        "changedAt": shapes.instant(one.changed_at),
    }
