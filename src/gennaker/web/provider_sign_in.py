"""Signing in by a provider (OpenID Connect, OAuth2): the browser's way there and back, by the addresses that Gate has for it.

The addresses end with the provider's name. Clients that have an access token of the provider come to the second with it.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

from litestar import Controller, Request, Response, get
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from gennaker.access.signing_in import VIA_ACCESS_TOKEN
from gennaker.interfaces.identity_providers import IdentityProvider
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.web import forms, signing_in
from gennaker.web.ports import Asking, Ports, WebPorts
from gennaker.web.sign_in import address_of

_COOKIE = "gennaker_oidc"
_CALLBACK = "/login/oauth2/code"
_LIVES = timedelta(minutes=10)
_LONGEST_PATH = 1000
_UNCACHED = {"cache-control": "no-store"}


class ProviderSignInController(Controller):
    """Routes under /oauth2 and /login/oauth2."""

    @get("/oauth2/authorization/{name:str}")
    async def begin(
        self, ports: Ports, principal: Asking, name: FromPath[str], to: FromQuery[str] = ""
    ) -> Response[str] | Redirect:
        """Sends the browser to the provider; `to` is where it goes on afterwards."""
        provider = _provider(ports, name)
        target = signing_in.own_path(to[:_LONGEST_PATH])
        secret = ports.services.ids.token()
        try:
            address = await provider.begin(secret)
        except Refused as refused:
            return _form_again(ports, refused, target)
        return Redirect(address, cookies=[_cookie(secret, target, is_secure=ports.is_secure)], headers=_UNCACHED)

    @get(f"{_CALLBACK}/{{name:str}}")
    async def finish(
        self, ports: Ports, principal: Asking, name: FromPath[str], request: Request[Any, Any, Any]
    ) -> Response[str] | Response[JsonObject]:
        """Where the provider sends the browser back to: opens its session, or shows the form with what was wrong.

        Clients that have an access token already come here with it, too.
        """
        provider = _provider(ports, name)
        if principal.via == VIA_ACCESS_TOKEN and not request.query_params:
            return await signing_in.by_access_token(ports, principal, request, shown={"username": principal.name})
        secret, _, to = request.cookies.get(_COOKIE, "").partition(".")
        target, address = signing_in.own_path(unquote(to)), address_of(request)
        try:
            found = await provider.finish(secret, dict(request.query_params.items()))
            signed_in = await ports.sign_in.by_provider(found, address=address)
        except Refused as refused:
            await ports.sign_in.turned_away(principal.name, refused, via=name, address=address)
            return _form_again(ports, refused, target)
        session = await ports.sign_in.open_session(signed_in, address=address)
        cookies = [_no_cookie(), signing_in.cookie(session, is_secure=ports.is_secure)]
        # Not a redirect: a strict cookie isn't sent along with one that a foreign page has led to.
        return Response(forms.go_on(target), media_type="text/html", cookies=cookies, headers=_UNCACHED)


def _provider(ports: WebPorts, name: str) -> IdentityProvider:
    provider = ports.sign_in.provider
    if provider is None:
        raise Refused(
            Problem(
                code="oidc.none",
                message="No OpenID Connect or OAuth2 provider is set, so nobody can sign in by one.",
                remedy="Sign in at /ui/sign-in, or set the section `oidc` or `oauth2` of the settings.",
            ),
            status=501,
        )
    if provider.name != name:
        raise Refused(
            Problem(
                code="oidc.other",
                message=f"People sign in by {provider.name!r} here, not by {name[:100]!r}.",
                remedy=f"Go to /oauth2/authorization/{provider.name}.",
            ),
            status=404,
        )
    return provider


def _form_again(ports: WebPorts, refused: Refused, target: str) -> Response[str]:
    page = forms.sign_in(to=target, wrong=str(refused.problems[0]), provider=ports.sign_in.provider)
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
