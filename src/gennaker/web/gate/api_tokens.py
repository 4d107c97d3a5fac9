"""Gate's API tokens: made for oneself or a service account, shown once, listed without what they are, revoked."""

from datetime import UTC, datetime

import msgspec
from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody

from gennaker.access import credentials, signing_in
from gennaker.access.credentials import Token
from gennaker.model.codec import Json, JsonObject
from gennaker.model.permissions import ADMINISTRATION
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import shapes, visible
from gennaker.web.ports import Asking, Ports, WebPorts

_SERVICE_ACCOUNT, _USER = "SERVICE_ACCOUNT", "USER"


class NewToken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST /auth/apiTokens`."""

    name: str
    expires_at: int | datetime | None = None
    """Epoch milliseconds, or RFC 3339; left out: as late as may be."""
    principal_type: str = _USER
    principal_id: str = ""
    """Empty: whoever asks."""
    scopes: list[str] | None = None
    """Gennaker's own: READ, WRITE, EXECUTE, CREATE; left out: all that its holder may do."""


class GateTokensController(Controller):
    """Routes under /auth/apiTokens."""

    path = "/auth/apiTokens"

    @get("/")
    async def own(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """One's own, and those that one has made for service accounts; administrators see all."""
        is_admin = await _is_admin(ports, principal)
        found = await ports.sign_in.tokens()
        return [_shown(one) for one in found if is_admin or principal.name in (one.holder, one.made_by)]

    @get("/serviceAccounts")
    async def service_accounts(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """Those that one may make tokens of; Spinnaker lets administrators alone do so."""
        await _is_admin(ports, principal)
        found = await visible.service_accounts(ports, principal)
        return [{"name": one.name, "memberOf": list[Json](one.roles)} for one in found]

    @get("/admin/users")
    async def of_people(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """Those of all people; the rules let in nobody but administrators."""
        await _is_admin(ports, principal)
        return [_shown(one) for one in await ports.sign_in.tokens() if not one.is_service_account]

    @post("/", status_code=201)
    async def make(self, ports: Ports, principal: Asking, data: JSONBody[NewToken]) -> JsonObject:
        """A new one; `token` is in this answer and nowhere else."""
        await _is_admin(ports, principal)
        wanted = await _wanted(ports, principal, data)
        secret = await ports.sign_in.new_token(wanted, by=principal)
        return {**_shown(wanted), "id": credentials.id_of(secret), "token": secret}

    @delete("/{token_id:str}", status_code=204)
    async def revoke(self, ports: Ports, principal: Asking, token_id: FromPath[str]) -> None:
        """Ends it at once."""
        is_admin = await _is_admin(ports, principal)
        for one in await ports.sign_in.tokens():
            if one.id == token_id and (is_admin or principal.name in (one.holder, one.made_by)):
                await ports.sign_in.revoke(one, by=principal)
                return
        raise Refused(Problem(code="token.unknown", message=f"You have no API token {token_id[:40]!r}."), status=404)


async def _is_admin(ports: WebPorts, principal: Principal) -> bool:
    """Raises Refused while nobody has to sign in: then tokens are good for nothing."""
    if not ports.sign_in.settings.required:
        raise Refused(_no_sign_in(), status=501)
    return await ports.services.authoriser.refusal(principal, ADMINISTRATION) is None


async def _wanted(ports: WebPorts, principal: Principal, data: NewToken) -> Token:
    is_service = data.principal_type.upper() == _SERVICE_ACCOUNT
    holder = data.principal_id or principal.name
    if principal.via == signing_in.VIA_TOKEN:
        raise Refused(_no_more(), status=403)
    problem = await (_service_problem if is_service else _person_problem)(ports, principal, holder)
    if problem is not None:
        raise Refused(problem, status=403)
    if not data.name.strip():
        raise Refused(_no_name())
    now = ports.services.clock.now()
    until = data.expires_at
    if until is None:
        until = now + ports.sign_in.longest_token(is_service_account=is_service)
    elif not isinstance(until, datetime):
        until = _instant(until)
    return Token(
        id="",
        name=data.name[:200],
        holder=holder,
        is_service_account=is_service,
        scopes=None if data.scopes is None else signing_in.scopes_of(data.scopes),
        made_by=principal.name,
        made_at=now,
        until=until if until.tzinfo else until.replace(tzinfo=UTC),
    )


async def _service_problem(ports: WebPorts, principal: Principal, holder: str) -> Problem | None:
    if await ports.sign_in.identities.service_account(holder) is None:
        return Problem(
            code="token.no_holder",
            message=f"There is no service account {holder[:100]!r}.",
            remedy="Have an administrator make it: PUT /api/v1/service-accounts/NAME.",
        )
    return await ports.services.authoriser.refusal_to_act_as(principal, holder)


async def _person_problem(ports: WebPorts, principal: Principal, holder: str) -> Problem | None:
    if holder.lower() == principal.name.lower() and await ports.sign_in.identities.person(holder) is not None:
        return None
    return Problem(
        code="token.not_own",
        message="A person's API token is made by that person, who must be one who signs in here.",
        remedy="Leave principalId out, or make the token for a service account.",
    )


def _instant(given: int) -> datetime:
    try:
        return datetime.fromtimestamp(given / 1000, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise Refused(
            Problem(
                code="token.expires_at",
                message=f"{given} is no time.",
                remedy="Give epoch milliseconds, or RFC 3339.",
                pointer="/expiresAt",
            )
        ) from error


def _no_sign_in() -> Problem:
    return Problem(
        code="token.no_sign_in",
        message="While nobody has to sign in here there are no API tokens.",
        remedy="Leave credentials out, or set `sign-in.required` to true.",
    )


def _no_more() -> Problem:
    return Problem(
        code="token.of_token",
        message="An API token makes no other tokens.",
        remedy="Sign in by name and password.",
    )


def _shown(one: Token) -> JsonObject:
    return {
        "id": one.id,
        "name": one.name,
        "principalType": _SERVICE_ACCOUNT if one.is_service_account else _USER,
        "principalId": one.holder,
        "scopes": None if one.scopes is None else list[Json](map(str, one.scopes)),
        "createdByUserId": one.made_by,
        "createdAt": shapes.instant(one.made_at),
        "expiresAt": shapes.instant(one.until),
    }


def _no_name() -> Problem:
    return Problem(
        code="token.no_name",
        message="The token has no name.",
        remedy="Give it one by which you know it again in the list.",
        pointer="/name",
    )
