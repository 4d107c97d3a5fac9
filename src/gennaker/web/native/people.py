"""People and service accounts in the native API: who can sign in, with which roles; administrators look after them."""

from datetime import datetime

import msgspec
from litestar import Controller, get, patch, post, put
from litestar.params import FromPath, JSONBody

from gennaker.access.identities import Person, ServiceAccount
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web import shapes
from gennaker.web.ports import Asking, Ports, WebPorts


class NewPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who shall sign in by name and password."""

    name: str
    password: str
    roles: tuple[str, ...] = ()


class PersonChange(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is left out stays."""

    roles: tuple[str, ...] | None = None
    is_disabled: bool | None = None
    password: str | None = None


class OwnPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One's own, by the one that it replaces."""

    current: str
    password: str


class AccountChange(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A service account, new or changed."""

    roles: tuple[str, ...]
    is_disabled: bool = False


class PeopleController(Controller):
    """Routes under /api/v1/people, /api/v1/me and /api/v1/service-accounts."""

    path = "/api/v1"

    @get("/people")
    async def people(self, ports: Ports, principal: Asking) -> JsonObject:
        """All of them, disabled ones, too; no hashes."""
        return {"people": [_person(one) for one in await ports.sign_in.identities.people()]}

    @post("/people", status_code=201)
    async def add(self, ports: Ports, principal: Asking, data: JSONBody[NewPerson]) -> JsonObject:
        """Adds somebody."""
        return _person(await ports.sign_in.add_person(data.name, data.password, data.roles, by=principal))

    @patch("/people/{name:str}")
    async def change(
        self, ports: Ports, principal: Asking, name: FromPath[str], data: JSONBody[PersonChange]
    ) -> JsonObject:
        """Changes roles, whether they may sign in, or the password; the latter two end their sessions."""
        person = await _existing(ports, name)
        if data.password is not None:
            person = await ports.sign_in.change_password(person, data.password, by=principal)
        after = msgspec.structs.replace(
            person,
            roles=person.roles if data.roles is None else data.roles,
            is_disabled=person.is_disabled if data.is_disabled is None else data.is_disabled,
        )
        return _person(await ports.sign_in.change_person(after, before=person, by=principal))

    @put("/me/password", status_code=204)
    async def change_own(self, ports: Ports, principal: Asking, data: JSONBody[OwnPassword]) -> None:
        """Changes one's own password; all of one's sessions end."""
        person = await _existing(ports, principal.name)
        await ports.sign_in.by_password(person.name, data.current, address="", via="password")
        await ports.sign_in.change_password(person, data.password, by=principal)

    @get("/service-accounts")
    async def accounts(self, ports: Ports, principal: Asking) -> JsonObject:
        """All of them, disabled ones, too."""
        return {"serviceAccounts": [_account(one) for one in await ports.sign_in.identities.service_accounts()]}

    @put("/service-accounts/{name:str}")
    async def save_account(
        self, ports: Ports, principal: Asking, name: FromPath[str], data: JSONBody[AccountChange]
    ) -> JsonObject:
        """Makes or changes one; of a disabled one no token is good, and nothing runs with its roles."""
        return _account(
            await ports.sign_in.save_service_account(name, data.roles, is_disabled=data.is_disabled, by=principal)
        )


async def _existing(ports: WebPorts, name: str) -> Person:
    found = await ports.sign_in.identities.person(name)
    if found is None:
        raise Refused(Problem(code="person.unknown", message=f"There is nobody named {name[:100]!r}."), status=404)
    return found


def _person(one: Person) -> JsonObject:
    return {**_shared(one.name, one.roles, one.since), "isDisabled": one.is_disabled, "source": one.source}


def _account(one: ServiceAccount) -> JsonObject:
    return {**_shared(one.name, one.roles, one.since), "isDisabled": one.is_disabled}


def _shared(name: str, roles: tuple[str, ...], since: datetime) -> JsonObject:
    return {"name": name, "roles": list[Json](roles), "since": shapes.instant(since)}
