"""People and service accounts in the native API: who can sign in, with which roles; administrators look after them."""

import msgspec
from litestar import Controller, Response, get, patch, post, put
from litestar.params import FromPath, JSONBody

from gennaker.access.identities import Person, ServiceAccount
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import paging, preconditions, shapes
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
    async def people(
        self,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        after: paging.After = "",
        limit: paging.Limit = 100,
    ) -> Response[JsonObject]:
        """All of them, disabled ones, too; no hashes."""
        found = await ports.sign_in.identities.people()
        return paging.page(request, "people", found, key=_key, show=_person, after=after, limit=limit)

    @post("/people", status_code=201)
    async def add(self, ports: Ports, principal: Asking, data: JSONBody[NewPerson]) -> Response[JsonObject]:
        """Adds somebody."""
        added = await ports.sign_in.add_person(data.name, data.password, data.roles, by=principal)
        return preconditions.tagged(_person(added), _tag(added), status=201)

    @get("/people/{name:str}", dependencies=preconditions.CONDITIONS)
    async def person(
        self, ports: Ports, principal: Asking, name: FromPath[str], conditions: preconditions.Given
    ) -> Response[JsonObject]:
        """One of them, with their tag."""
        found = await _existing(ports, name)
        return conditions.answer(_person(found), _tag(found))

    @patch("/people/{name:str}", dependencies=preconditions.CONDITIONS)
    async def change(
        self,
        ports: Ports,
        principal: Asking,
        name: FromPath[str],
        data: JSONBody[PersonChange],
        conditions: preconditions.Given,
    ) -> Response[JsonObject]:
        """Changes roles, whether they may sign in, or the password; the latter two end their sessions."""
        person = await _existing(ports, name)
        conditions.refuse(_tag(person), preconditions.changed(f"person {person.name}", _person(person)))
        with conditions.writing():
            changed = await _change(ports, principal, person, data)
        return preconditions.tagged(_person(changed), _tag(changed))

    @put("/me/password", status_code=204)
    async def change_own(self, ports: Ports, principal: Asking, data: JSONBody[OwnPassword]) -> None:
        """Changes one's own password; all of one's sessions end."""
        person = await _existing(ports, principal.name)
        await ports.sign_in.by_password(person.name, data.current, address="", via="password")
        await ports.sign_in.change_password(person, data.password, by=principal)

    @get("/service-accounts")
    async def accounts(
        self,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        after: paging.After = "",
        limit: paging.Limit = 100,
    ) -> Response[JsonObject]:
        """All of them, disabled ones, too."""
        found = await ports.sign_in.identities.service_accounts()
        return paging.page(request, "serviceAccounts", found, key=_key, show=_account, after=after, limit=limit)

    @get("/service-accounts/{name:str}", dependencies=preconditions.CONDITIONS)
    async def account(
        self, ports: Ports, principal: Asking, name: FromPath[str], conditions: preconditions.Given
    ) -> Response[JsonObject]:
        """One of them, with its tag."""
        found = await ports.sign_in.identities.any_service_account(name)
        if found is None:
            problem = Problem(code="service_account.unknown", message=f"There is no service account {name[:100]!r}.")
            raise Refused(problem, status=404)
        return conditions.answer(_account(found), _tag(found))

    @put("/service-accounts/{name:str}", dependencies=preconditions.CONDITIONS)
    async def save_account(
        self,
        ports: Ports,
        principal: Asking,
        name: FromPath[str],
        data: JSONBody[AccountChange],
        conditions: preconditions.Given,
    ) -> Response[JsonObject]:
        """Makes or changes one; of a disabled one no token is good, and nothing runs with its roles."""

        def check(before: ServiceAccount | None) -> None:
            shape = None if before is None else _account(before)
            tag = None if before is None else _tag(before)
            conditions.refuse(tag, preconditions.changed(f"service account {name[:100]}", shape))

        with conditions.writing():
            saved = await ports.sign_in.save_service_account(
                name, data.roles, is_disabled=data.is_disabled, by=principal, check=check
            )
        return preconditions.tagged(_account(saved), _tag(saved))


async def _change(ports: WebPorts, principal: Principal, person: Person, data: PersonChange) -> Person:
    if data.password is not None:
        person = await ports.sign_in.change_password(person, data.password, by=principal)
    after = msgspec.structs.replace(
        person,
        roles=person.roles if data.roles is None else data.roles,
        is_disabled=person.is_disabled if data.is_disabled is None else data.is_disabled,
    )
    return await ports.sign_in.change_person(after, before=person, by=principal)


async def _existing(ports: WebPorts, name: str) -> Person:
    found = await ports.sign_in.identities.person(name)
    if found is None:
        raise Refused(Problem(code="person.unknown", message=f"There is nobody named {name[:100]!r}."), status=404)
    return found


def _person(one: Person) -> JsonObject:
    return {**_account(one), "source": one.source}


def _account(one: ServiceAccount | Person) -> JsonObject:
    return {
        "name": one.name,
        "roles": list[Json](one.roles),
        "since": shapes.instant(one.since),
        "isDisabled": one.is_disabled,
        "etag": _tag(one),
    }


def _tag(one: ServiceAccount | Person) -> str:
    """Of all that is kept, a password's salted hash included: a new password is a change, too."""
    return preconditions.of_content(to_json(one))


def _key(one: ServiceAccount | Person) -> str:
    return one.name.lower()
