"""Signing in by an OpenID Connect provider: the browser's way there and back, by the addresses that Gate has for it."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

from litestar import Controller, Request, Response, get
from litestar.datastructures import Cookie
from litestar.params import FromQuery
from litestar.response import Redirect

from gennaker.interfaces.identity_providers import IdentityProvider
from gennaker.model.problems import Problem, Refused
from gennaker.web import forms, signing_in
from gennaker.web.ports import Asking, Ports, WebPorts
from gennaker.web.sign_in import address_of

_COOKIE = "gennaker_oidc"
_CALLBACK = "/login/oauth2/code/oidc"
_LIVES = timedelta(minutes=10)
_LONGEST_PATH = 1000
_UNCACHED = {"cache-control": "no-store"}


class OidcController(Controller):
    """Routes under /oauth2 and /login/oauth2."""

    @get("/oauth2/authorization/oidc")
    async def begin(self, ports: Ports, principal: Asking, to: FromQuery[str] = "") -> Response[str] | Redirect:
        """Sends the browser to the provider; `to` is where it goes on afterwards."""
        provider = _provider(ports)
        target = signing_in.own_path(to[:_LONGEST_PATH])
        secret = ports.services.ids.token()
        try:
            address = await provider.begin(secret)
        except Refused as refused:
            return _form_again(ports, refused, target)
        return Redirect(address, cookies=[_cookie(secret, target, is_secure=ports.is_secure)], headers=_UNCACHED)

    @get(_CALLBACK)
    async def finish(self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]) -> Response[str]:
        """Where the provider sends the browser back to: opens its session, or shows the form with what was wrong."""
        provider = _provider(ports)
        secret, _, to = request.cookies.get(_COOKIE, "").partition(".")
        target, address = signing_in.own_path(unquote(to)), address_of(request)
        try:
            found = await provider.finish(secret, dict(request.query_params.items()))
            signed_in = await ports.sign_in.by_provider(found, address=address)
        except Refused as refused:
            return _form_again(ports, refused, target)
        session = await ports.sign_in.open_session(signed_in, address=address)
        cookies = [_no_cookie(), signing_in.cookie(session, is_secure=ports.is_secure)]
        # Not a redirect: a strict cookie isn't sent along with one that a foreign page has led to.
        return Response(forms.go_on(target), media_type="text/html", cookies=cookies, headers=_UNCACHED)


def _provider(ports: WebPorts) -> IdentityProvider:
    if ports.sign_in.provider is not None:
        return ports.sign_in.provider
    raise Refused(
        Problem(
            code="oidc.none",
            message="No OpenID Connect provider is set, so nobody can sign in by one.",
            remedy="Sign in at /ui/sign-in, or set the section `oidc` of the settings.",
        ),
        status=501,
    )


def _form_again(ports: WebPorts, refused: Refused, target: str) -> Response[str]:
    page = forms.sign_in(to=target, wrong=str(refused.problems[0]), provider=signing_in.provider_of(ports))
    return Response(page, media_type="text/html", status_code=refused.status, cookies=[_no_cookie()], headers=_UNCACHED)


def _cookie(secret: str, target: str, *, is_secure: bool) -> Cookie:
    """Of one attempt. Lax, as the way back begins on the provider's page; of use for the way back only."""
    return Cookie(
        key=_COOKIE,
        value=f"{secret}.{quote(target, safe='')}",
        max_age=int(_LIVES.total_seconds()),
        httponly=True,
        samesite="lax",
        path=_CALLBACK,
        secure=is_secure,
    )


def _no_cookie() -> Cookie:
    return Cookie(key=_COOKIE, value="", max_age=0, httponly=True, samesite="lax", path=_CALLBACK)
