"""Permissions: which roles have which right on an application or an account, by Fiat's rules.

No role listed at all: everybody has every right. As soon as one is listed, only listed roles count, and no right includes
another; only EXECUTE, where nobody is listed for it, is had by those of another right.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from gennaker.model.codec import Json


class Right(StrEnum):
    """What can be allowed."""

    READ = "READ"
    WRITE = "WRITE"
    EXECUTE = "EXECUTE"
    CREATE = "CREATE"


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """Of one application or account."""

    roles: Mapping[Right, frozenset[str]] = {}
    is_restricted: bool = False
    """Whether anything is listed; also where it can't be read: then nobody has a right."""

    def roles_for(self, right: Right, *, instead_of_execute: Right = Right.READ) -> frozenset[str]:
        """The roles that have a right, where it is restricted."""
        listed = self.roles.get(right, frozenset())
        return self.roles.get(instead_of_execute, frozenset()) if right is Right.EXECUTE and not listed else listed

    def allow(self, right: Right, roles: Iterable[str], *, instead_of_execute: Right = Right.READ) -> bool:
        """Whether somebody with these roles has the right."""
        if not self.is_restricted:
            return True
        return not self.roles_for(right, instead_of_execute=instead_of_execute).isdisjoint(map(role_name, roles))


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One right that something asks for. Without application and account: an administrator's."""

    right: Right = Right.WRITE
    application: str | None = None
    """Its name; empty: what asks should name one, and doesn't."""
    account: str | None = None


ADMINISTRATION = Need()


def role_name(given: str) -> str:
    """Roles are the same in upper and lower case."""
    return given.strip().lower()


def are_some_of(roles: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether somebody with these roles has one of those that are wanted."""
    return not {role_name(one) for one in roles}.isdisjoint(map(role_name, wanted))


def read(permissions: Json, required_groups: Json = None) -> Permissions:
    """An application's `permissions`, else its `requiredGroupMembership`, which has all rights. What can't be read allows nobody."""
    if permissions in (None, {}, ""):
        groups = _roles(required_groups)
        if groups is None:
            return Permissions(is_restricted=True)
        return Permissions(roles=dict.fromkeys(Right, groups), is_restricted=bool(groups))
    if not isinstance(permissions, dict):
        return Permissions(is_restricted=True)
    found: dict[Right, frozenset[str]] = {}
    for name, listed in permissions.items():
        roles = _roles(listed)
        if roles is None or name.upper() not in Right.__members__:
            return Permissions(is_restricted=True)
        found[Right(name.upper())] = roles
    return Permissions(roles=found, is_restricted=any(found.values()))


def _roles(listed: Json) -> frozenset[str] | None:
    """None: that is no list of roles."""
    if listed is None or listed == "":
        return frozenset()
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        return None
    return frozenset(filter(None, (role_name(str(one)) for one in listed)))
