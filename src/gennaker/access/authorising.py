"""The authoriser: whether somebody's roles have the rights that something needs (docs/decisions/0022)."""

from collections.abc import Iterable

import msgspec

from gennaker.access.identities import Identities
from gennaker.interfaces.definitions import Definitions
from gennaker.model import permissions
from gennaker.model.permissions import ADMINISTRATION, Need, Permissions, Right
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem
from gennaker.settings import Settings

_APPLICATION = "application"
_OURS = "engine"
"""How Gennaker itself asks: it ends what has run too long, whoever has started it."""


class RoleAuthoriser:
    """Over the applications' own permissions and those that the settings give to accounts."""

    def __init__(self, *, definitions: Definitions, identities: Identities, settings: Settings) -> None:
        """`identities`: of those as whom triggers run."""
        self._definitions = definitions
        self._identities = identities
        self._settings = settings.sign_in
        self._accounts = {
            name: permissions.read({right: list(roles) for right, roles in one.permissions.items()})
            for name, one in settings.accounts.items()
        }
        self._admins = frozenset(map(permissions.role_name, self._settings.admin_roles))

    async def refusal(self, principal: Principal, *needs: Need) -> Problem | None:
        """The first need that isn't met; scopes of a token limit administrators, too."""
        if not self._settings.required or principal.is_operator or principal.via == _OURS:
            return None
        for need in needs:
            if principal.scopes is not None and (need.right not in principal.scopes or need == ADMINISTRATION):
                return _out_of_scope(need, principal.scopes)
            if not self._is_admin(principal):
                problem = await self._refused(principal, need)
                if problem is not None:
                    return problem
        return None

    async def readable(self, principal: Principal, applications: Iterable[str]) -> frozenset[str]:
        """Asks once for each name."""
        names = frozenset(applications)
        refused = {name for name in names if await self.refusal(principal, Need(right=Right.READ, application=name))}
        return names - refused

    async def acting_as(self, name: str, *, via: str) -> Principal:
        """Roles as they are now."""
        return Principal(name=name, roles=await self._identities.roles_of(name), via=via)

    async def refusal_to_act_as(self, principal: Principal, name: str) -> Problem | None:
        """Fiat's rule: only who has all roles of a service account may use it; everybody may be himself, or nobody."""
        if not self._settings.required or principal.is_operator or self._is_admin(principal):
            return None
        if name in ("", ANONYMOUS.name):
            return None
        account = await self._identities.service_account(name)
        if account is None and name == principal.name:
            return None
        if account is None:
            return Problem(
                code="access.no_service_account",
                message=f"There is no service account {name!r} as which something could run.",
                remedy="Name one that there is, or leave runAsUser out.",
            )
        missing = frozenset(map(permissions.role_name, account.roles)) - frozenset(
            map(permissions.role_name, principal.roles)
        )
        if not missing:
            return None
        return Problem(
            code="access.run_as",
            message=f"{principal.name} may not have anything run as {name}: that takes the roles {_listed(missing)}, too.",
            remedy="Have it saved by somebody who has all roles of the service account.",
        )

    def _is_admin(self, principal: Principal) -> bool:
        return not self._admins.isdisjoint(map(permissions.role_name, principal.roles))

    async def _refused(self, principal: Principal, need: Need) -> Problem | None:
        if need.account is not None:
            granted = self._accounts.get(need.account, Permissions())
            return self._judged(principal, need, granted, f"the account {need.account}")
        if need.application is None:
            return _not_admin(principal, self._settings.admin_roles)
        saved = await self._definitions.get(_APPLICATION, need.application.lower())
        what = f"the application {need.application}"
        if saved is None and need.right is Right.CREATE:
            return self._judged(principal, need, self._creators(), what)
        if saved is None:
            return None if self._settings.allow_unknown_applications else _unknown(principal, need)
        if need.right is Right.CREATE:  # what is there already is only changed
            need = msgspec.structs.replace(need, right=Right.WRITE)
        own = permissions.read(saved.body.get("permissions"), saved.body.get("requiredGroupMembership"))
        granted = own if own.is_restricted else self._granted_by_settings()
        return self._judged(principal, need, granted, what)

    def _creators(self) -> Permissions:
        roles = frozenset(map(permissions.role_name, self._settings.create_roles))
        return Permissions(roles={Right.CREATE: roles}, is_restricted=bool(roles))

    def _granted_by_settings(self) -> Permissions:
        given = self._settings
        listed = {
            Right.READ: given.read_roles,
            Right.WRITE: given.write_roles,
            Right.EXECUTE: given.execute_roles,
        }
        roles = {right: frozenset(map(permissions.role_name, names)) for right, names in listed.items()}
        return Permissions(roles=roles, is_restricted=any(roles.values()))

    def _judged(self, principal: Principal, need: Need, granted: Permissions, what: str) -> Problem | None:
        fallback = Right(self._settings.execute_fallback)
        if granted.allow(need.right, principal.roles, instead_of_execute=fallback):
            return None
        return _refused(principal, need, granted.roles_for(need.right, instead_of_execute=fallback), what)


def _refused(principal: Principal, need: Need, roles: frozenset[str], what: str) -> Problem:
    who = f"It takes one of the roles {_listed(roles)}." if roles else "Only administrators may."
    return Problem(
        code="access.denied",
        message=f"{principal.name} has no {need.right} permission on {what}.",
        remedy=f"{who} Ask somebody who may change its permissions.",
    )


def _unknown(principal: Principal, need: Need) -> Problem:
    if not need.application:
        return Problem(
            code="access.no_application",
            message="The request names no application, so nobody but an administrator may make it.",
            remedy="Give `application`.",
        )
    return Problem(
        code="access.unknown_application",
        message=f"{principal.name} has no {need.right} permission on the application {need.application}, which nobody has saved.",
        remedy="Create the application first; then its permissions say who may do what.",
    )


def _not_admin(principal: Principal, roles: tuple[str, ...]) -> Problem:
    return Problem(
        code="access.not_admin",
        message=f"{principal.name} is no administrator.",
        remedy=f"Administrators have the role {_listed(roles) or '(none is set)'}.",
    )


def _out_of_scope(need: Need, scopes: frozenset[Right]) -> Problem:
    wanted = "administration" if need == ADMINISTRATION else need.right
    return Problem(
        code="access.out_of_scope",
        message=f"This API token isn't good for {wanted}, only for {_listed(scopes) or 'nothing'}.",
        remedy="Use a token with that scope, or one without scopes.",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
