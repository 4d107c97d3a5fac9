"""Gate's routes about who is asking, signing in and out, and its version. Whoever hasn't signed in is `anonymous`."""

from typing import Any
from urllib.parse import urlencode

from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from gennaker.access.signing_in import VIA_ACCESS_TOKEN
from gennaker.model.codec import Json, JsonObject
from gennaker.model.permissions import ADMINISTRATION
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import signing_in, visible
from gennaker.web.gate import accounts
from gennaker.web.ports import Asking, Ports, WebPorts
from gennaker.web.sign_in import GUARD, Guard


class GateSessionController(Controller):
    """Routes under /auth, /login and /version."""

    @get("/version")
    async def version(self, ports: Ports, principal: Asking) -> JsonObject:
        """Of this installation."""
        return {"version": ports.version}

    @get(["/auth/user", "/auth/rawUser"])
    async def user(self, ports: Ports, principal: Asking) -> JsonObject | None:
        """Who asks. Nobody, where one has to sign in: then pages send the browser to do so; else always a name."""
        if ports.sign_in.settings.required and principal.name == ANONYMOUS.name:
            return None
        return await _user(ports, principal)

    @get("/auth/user/serviceAccounts")
    async def service_accounts(self, ports: Ports, principal: Asking) -> list[str]:
        """As whom triggers that the user saves may run."""
        return [one.name for one in await visible.service_accounts(ports, principal)]

    @get("/login")
    async def sign_in_by_token(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]
    ) -> JsonObject | Redirect | Response[JsonObject]:
        """Clients come here with the token that they got elsewhere: shows whom it stands for. Browsers see the form.

        With an access token of the sign-in provider it opens a session: not all clients send the token again.
        """
        if signing_in.is_browser(request):
            return Redirect("/ui/sign-in")
        if principal.via == VIA_ACCESS_TOKEN:
            return await signing_in.by_access_token(ports, principal, request, shown=await _user(ports, principal))
        return await _user(ports, principal)

    @post("/login", status_code=200)
    async def sign_in(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]
    ) -> Response[JsonObject] | Response[str]:
        """Name and password as a form's fields; the answer sets the session's cookie."""
        if not ports.sign_in.settings.required:
            raise Refused(_no_passwords(), status=501)
        return await signing_in.by_form(ports, request, shown=lambda found: _user(ports, found))

    @get("/auth/redirect")
    async def redirect(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], to: FromQuery[str] = "/"
    ) -> Redirect:
        """Back to the page that wanted somebody to sign in, if it is this server's or may use it; before that the form."""
        guard = request.scope["state"][GUARD]
        assert isinstance(guard, Guard)
        if signing_in.own_path(to) != to and not guard.knows_page(to):
            raise Refused(
                Problem(
                    code="redirect.foreign",
                    message=f"{to!r} is no page of this server, nor of an origin that may use it.",
                    remedy="Give a page on 127.0.0.1, localhost or a name of the settings `server.names` and `server.base-url`, "
                    "or add its origin to `server.allowed-origins`.",
                )
            )
        if ports.sign_in.settings.required and principal.name == ANONYMOUS.name:
            return Redirect(f"/ui/sign-in?{urlencode({'to': '/auth/redirect?' + urlencode({'to': to})})}")
        return Redirect(to)

    @post("/auth/roles/sync", status_code=200)
    async def sync_roles(self, principal: Asking) -> None:
        """What it asks for holds already: roles are looked up for each request, and none are kept beside them."""

    @get("/auth/loggedOut")
    async def signed_out(self, ports: Ports, principal: Asking) -> JsonObject:
        """Where signing out ends."""
        if ports.sign_in.settings.required:
            return {"message": "You are signed out."}
        return {"message": "You are signed out. Gate's routes go on to answer without credentials, as anonymous."}

    @get("/auth/logout")
    async def sign_out(self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]) -> Redirect:
        """Ends the session of the cookie; a browser is signed out at the provider, too, which sends it on to /auth/loggedOut."""
        await signing_in.out(ports, principal, request)
        provider = ports.sign_in.provider
        elsewhere = await provider.sign_out() if provider is not None and signing_in.is_browser(request) else None
        return Redirect(elsewhere or "/auth/loggedOut", cookies=[signing_in.no_cookie()])


def _no_passwords() -> Problem:
    return Problem(
        code="sign_in.none",
        message="Nobody can sign in with a name and a password here.",
        remedy="Leave them out: these routes answer without credentials while `sign-in.required` is false.",
    )


async def _user(ports: WebPorts, principal: Principal) -> JsonObject:
    is_admin = (
        ports.sign_in.settings.required and await ports.services.authoriser.refusal(principal, ADMINISTRATION) is None
    )
    roles: list[Json] = [*sorted(principal.roles)]
    allowed: list[Json] = [*await accounts.writable(ports, principal)]
    return {
        "username": principal.name,
        "email": principal.name,
        "firstName": None,
        "lastName": None,
        "roles": roles,
        "allowedAccounts": allowed,
        "authorities": [{"authority": role} for role in roles],
        "enabled": True,
        "accountNonExpired": True,
        "accountNonLocked": True,
        "credentialsNonExpired": True,
        "isAdmin": is_admin,
        "canMintApiTokens": ports.sign_in.settings.required and not principal.is_operator,
        "maxUserTokenLifetimeDays": ports.sign_in.settings.token_days,
        "maxServiceAccountTokenLifetimeDays": ports.sign_in.longest_token(is_service_account=True).days,
    }
