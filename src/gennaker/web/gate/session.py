"""Gate's routes about who is asking, and its version. Nobody signs in here yet: whoever has no token is `anonymous`."""

from typing import Any
from urllib.parse import urlsplit

from litestar import Controller, Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from gennaker.model.codec import Json, JsonObject
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import host_names
from gennaker.web.ports import Asking, Ports


class GateSessionController(Controller):
    """Routes under /auth, /login and /version."""

    @get("/version")
    async def version(self, ports: Ports, principal: Asking) -> JsonObject:
        """Of this installation."""
        return {"version": ports.version}

    @get(["/auth/user", "/auth/rawUser"])
    async def user(self, principal: Asking) -> JsonObject:
        """Who asks: always an answer with a name, else pages send the browser to sign in again and again."""
        return _user(principal)

    @get("/auth/user/serviceAccounts")
    async def service_accounts(self, principal: Asking) -> list[str]:
        """As whom triggers may run: there are no service accounts."""
        return []

    @get("/login")
    async def sign_in_by_token(self, principal: Asking) -> JsonObject:
        """Clients come here with the token that they got elsewhere: shows whom it stands for."""
        return _user(principal)

    @post("/login", status_code=501)
    async def sign_in(self, principal: Asking) -> None:
        """There are no passwords."""
        raise Refused(
            Problem(
                code="sign_in.none",
                message="Nobody can sign in with a name and a password here.",
                remedy="Leave them out: these routes answer without credentials.",
            ),
            status=501,
        )

    @get("/auth/redirect")
    async def redirect(self, request: Request[Any, Any, Any], principal: Asking, to: FromQuery[str] = "/") -> Redirect:
        """Back to the page that wanted somebody to sign in, if it is one of this machine's."""
        parts = urlsplit(to)
        is_ours = to.startswith("/") and not to.startswith(("//", "/\\"))
        if not is_ours and not (parts.scheme in ("http", "https") and host_names.is_this_machine(parts.netloc)):
            raise Refused(
                Problem(
                    code="redirect.foreign",
                    message=f"{to!r} is no page of this machine.",
                    remedy="Give the address of a page on 127.0.0.1 or localhost.",
                )
            )
        return Redirect(to)

    @get("/auth/loggedOut")
    async def signed_out(self, principal: Asking) -> JsonObject:
        """Where signing out ends."""
        return {"message": "You are signed out. Gate's routes go on to answer without credentials, as anonymous."}

    @get("/auth/logout")
    async def sign_out(self, principal: Asking) -> Redirect:
        """Nobody is signed in."""
        return Redirect("/auth/loggedOut")


def _user(principal: Principal) -> JsonObject:
    roles: list[Json] = [*sorted(principal.roles)]
    return {
        "username": principal.name,
        "email": principal.name,
        "firstName": None,
        "lastName": None,
        "roles": roles,
        "allowedAccounts": [],
        "authorities": [{"authority": role} for role in roles],
        "enabled": True,
        "accountNonExpired": True,
        "accountNonLocked": True,
        "credentialsNonExpired": True,
        "isAdmin": False,
        "canMintApiTokens": False,
    }
