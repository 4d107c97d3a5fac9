"""Identities: people and service accounts, with their roles, as documents that all servers of a store share."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from gennaker.access.refusals import SEVERAL
from gennaker.interfaces.documents import Document, Documents, VersionMismatch
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.permissions import role_name
from gennaker.model.principal import ANONYMOUS, SYSTEM
from gennaker.model.problems import Problem, Refused

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_RESERVED = frozenset({ANONYMOUS.name, SYSTEM.name, "operator", SEVERAL})


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who can sign in."""

    name: str
    roles: tuple[str, ...] = ()
    password: str | None = None
    """An argon2id hash; None: signs in by something else, which says the roles, too."""
    source: str = ""
    """Which sign-in has brought them: empty is Gennaker's own, else `oidc`, `oauth2` or a directory's name."""
    subject: str = ""
    """Who they are there, whatever they are called."""
    is_disabled: bool = False
    since: datetime


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As what programs sign in and triggers run."""

    name: str
    roles: tuple[str, ...] = ()
    is_disabled: bool = False
    since: datetime


Identity = TypeVar("Identity", Person, ServiceAccount)


class Identities:
    """All of them, by name; upper and lower case are the same."""

    def __init__(self, documents: Callable[[str], Documents]) -> None:
        """`documents` by namespace."""
        self._people = documents("access.people")
        self._accounts = documents("access.service-accounts")

    async def person(self, name: str) -> Person | None:
        """Disabled ones, too."""
        # What can't be a name isn't asked for: not every database takes every character.
        found = await self._people.get(name.lower()) if _NAME.fullmatch(name) else None
        return None if found is None else _person(found)

    async def people(self) -> tuple[Person, ...]:
        """By name."""
        return tuple(_person(one) for one in await self._people.list())

    async def has_people(self) -> bool:
        """Whether anybody can sign in yet."""
        return bool(await self._people.list())

    async def service_account(self, name: str) -> ServiceAccount | None:
        """Unless it is disabled."""
        account = await self.any_service_account(name)
        return None if account is None or account.is_disabled else account

    async def any_service_account(self, name: str) -> ServiceAccount | None:
        """A disabled one, too."""
        found = await self._accounts.get(name.lower()) if _NAME.fullmatch(name) else None
        return None if found is None else _account(found)

    async def service_accounts(self) -> tuple[ServiceAccount, ...]:
        """By name."""
        return tuple(_account(one) for one in await self._accounts.list())

    async def roles_of(self, name: str) -> frozenset[str]:
        """Of a service account, else of a person; disabled and unknown ones have none."""
        account = await self.service_account(name)
        if account is not None:
            return frozenset(account.roles)
        person = await self.person(name)
        return frozenset(person.roles) if person is not None and not person.is_disabled else frozenset()

    async def add_person(self, person: Person, *, audit: Sequence[AuditEntry] = ()) -> Person:
        """With its audit records. Raises Refused where the name can't be one, or (409) is taken."""
        await self._refuse_name(person.name)
        return _person(await _added(self._people, person.name, _body(person), audit))

    async def change_person(self, person: Person, *, before: Person, audit: Sequence[AuditEntry] = ()) -> Person:
        """With its audit records. Raises Refused (409) where they are no longer as they were before."""
        return _person(await _changed(self._people, _body(person), before, read=_person, audit=audit))

    async def add_service_account(self, account: ServiceAccount, *, audit: Sequence[AuditEntry] = ()) -> ServiceAccount:
        """As `add_person`."""
        await self._refuse_name(account.name)
        return _account(await _added(self._accounts, account.name, _body(account), audit))

    async def change_service_account(
        self, account: ServiceAccount, *, before: ServiceAccount, audit: Sequence[AuditEntry] = ()
    ) -> ServiceAccount:
        """As `change_person`."""
        return _account(await _changed(self._accounts, _body(account), before, read=_account, audit=audit))

    async def _refuse_name(self, name: str) -> None:
        """A service account and a person of one name would have each other's roles."""
        if not is_name(name):
            raise Refused(
                Problem(
                    code="identity.name",
                    message=f"{name[:100]!r} can't be the name of a person or service account.",
                    remedy="Use up to 100 letters, digits, `.`, `_`, `-`, `+` and `@`; `anonymous`, `gennaker` and `operator` are taken.",
                    pointer="/name",
                )
            )
        if await self._people.get(name.lower()) or await self._accounts.get(name.lower()):
            raise Refused(_taken(name), status=409)


def is_name(name: str) -> bool:
    """Whether a person or service account can be named so."""
    return _NAME.fullmatch(name) is not None and name.lower() not in _RESERVED


def _person(document: Document) -> Person:
    return msgspec.convert(document.body, Person)


def _account(document: Document) -> ServiceAccount:
    return msgspec.convert(document.body, ServiceAccount)


def cleaned(one: Identity) -> Identity:
    """As it is kept: roles in their one spelling and order."""
    roles = tuple(sorted({role_name(role) for role in one.roles} - {""}))
    return msgspec.structs.replace(one, roles=roles)


def _body(one: Identity) -> JsonObject:
    body = to_json(cleaned(one))
    assert isinstance(body, dict)
    return body


async def _added(documents: Documents, name: str, body: JsonObject, audit: Sequence[AuditEntry]) -> Document:
    try:
        return await documents.put(name.lower(), body, if_version=0, audit=audit)
    except VersionMismatch as mismatch:
        raise Refused(_taken(name), status=409) from mismatch


async def _changed(
    documents: Documents,
    body: JsonObject,
    before: Identity,
    *,
    read: Callable[[Document], Identity],
    audit: Sequence[AuditEntry],
) -> Document:
    """Compared and written as one: whoever else has changed it meanwhile isn't overwritten."""
    present = await documents.get(before.name.lower())
    if present is None or read(present) != before:
        raise Refused(_changed_meanwhile(before.name), status=409)
    try:
        return await documents.put(before.name.lower(), body, if_version=present.version, audit=audit)
    except VersionMismatch as mismatch:
        raise Refused(_changed_meanwhile(before.name), status=409) from mismatch


def _changed_meanwhile(name: str) -> Problem:
    return Problem(
        code="identity.changed",
        message=f"Somebody has changed {name!r} meanwhile; nothing was done.",
        remedy="Look at it again, and repeat the change.",
    )


def _taken(name: str) -> Problem:
    return Problem(
        code="identity.taken",
        message=f"There is already a person or service account {name!r}.",
        remedy="Choose another name, or change that one.",
        pointer="/name",
    )
