"""Signing in and out by a browser: forms and cookies; what is right is decided by what signs in (`access`)."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from litestar import Request, Response
from litestar.datastructures import Cookie

from gennaker.model.codec import JsonObject
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import forms
from gennaker.web.ports import WebPorts
from gennaker.web.sign_in import COOKIE, VIA_PAGE, address_of

_MOST_FIELDS = 20
_FORM_BYTES = 10_000
_UNCACHED = {"cache-control": "no-store"}


def cookie(secret: str, *, is_secure: bool) -> Cookie:
    """Of a session: no script reads it, and no foreign page's request carries it."""
    return Cookie(key=COOKIE, value=secret, httponly=True, samesite="strict", path="/", secure=is_secure)


def no_cookie() -> Cookie:
    """Takes it away."""
    return Cookie(key=COOKIE, value="", max_age=0, httponly=True, samesite="strict", path="/")


def is_browser(request: Request[Any, Any, Any]) -> bool:
    """Whether a person looks at the answer."""
    return "text/html" in request.headers.get("accept", "")


def own_path(given: str) -> str:
    """A path of this server; anything else would let a link send people elsewhere."""
    is_own = given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable()
    return given if is_own and "\\" not in given else "/ui/"


async def by_form(
    ports: WebPorts, request: Request[Any, Any, Any], *, shown: Callable[[Principal], Awaitable[JsonObject]]
) -> Response[JsonObject] | Response[str]:
    """A browser goes on to `to`, or sees the form again; a program gets who it is. Raises Refused."""
    fields = await _fields(request)
    name, to = fields.get("username", "").strip(), own_path(fields.get("to", ""))
    address = address_of(request)
    try:
        principal = await ports.sign_in.by_password(name, fields.get("password", ""), address=address, via="form")
    except Refused as refused:
        if not is_browser(request):
            raise
        page = forms.sign_in(to=to, name=name, wrong=str(refused.problems[0]), provider=ports.sign_in.provider)
        return Response(page, media_type="text/html", status_code=refused.status, headers=_UNCACHED)
    cookies = [cookie(await ports.sign_in.open_session(principal, address=address), is_secure=ports.is_secure)]
    if is_browser(request):
        return Response(forms.go_on(to), media_type="text/html", cookies=cookies, headers=_UNCACHED)
    return Response(await shown(principal), media_type="application/json", cookies=cookies, headers=_UNCACHED)


async def by_access_token(
    ports: WebPorts, principal: Principal, request: Request[Any, Any, Any], *, shown: JsonObject
) -> Response[JsonObject]:
    """A session for who came with an access token of the provider: clients send it here once, and go on with the cookie."""
    session = await ports.sign_in.open_session(principal, address=address_of(request))
    return Response(
        shown,
        media_type="application/json",
        cookies=[cookie(session, is_secure=ports.is_secure)],
        headers=_UNCACHED,
    )


async def out(ports: WebPorts, principal: Principal, request: Request[Any, Any, Any]) -> None:
    """Ends the session of the request's cookie, if it has one."""
    secret = request.cookies.get(COOKIE, "")
    if secret and principal.name != ANONYMOUS.name and principal.via == VIA_PAGE:
        ports.doors.close_session(secret)
        await ports.sign_in.close_session(principal, secret)


async def refuse_second(ports: WebPorts) -> None:
    """Raises Refused once somebody can sign in."""
    if not ports.sign_in.settings.required or await ports.sign_in.identities.has_people():
        raise Refused(
            Problem(
                code="sign_in.not_first",
                message="The first administrator was made already, or nobody has to sign in here.",
                remedy="Sign in; administrators add people by POST /api/v1/people.",
            ),
            status=409,
        )


async def first_person(ports: WebPorts, principal: Principal, request: Request[Any, Any, Any]) -> Response[str]:
    """Makes the first administrator and opens their session; the form again where something is wrong."""
    await refuse_second(ports)
    fields = await _fields(request)
    name, password = fields.get("username", "").strip(), fields.get("password", "")
    try:
        if password != fields.get("again", ""):
            raise Refused(_unlike(), status=422)  # noqa: TRY301 - answered as what the identities refuse
        person = await ports.sign_in.add_person(name, password, ports.sign_in.settings.admin_roles, by=principal)
    except Refused as refused:
        page = forms.first_person(name=name, wrong=str(refused.problems[0].message))
        return Response(page, media_type="text/html", status_code=422, headers=_UNCACHED)
    await out(ports, principal, request)
    signed_in = Principal(name=person.name, roles=frozenset(person.roles), via="form")
    secret = await ports.sign_in.open_session(signed_in, address=address_of(request))
    cookies = [cookie(secret, is_secure=ports.is_secure)]
    return Response(forms.go_on("/ui/"), media_type="text/html", cookies=cookies, headers=_UNCACHED)


async def _fields(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Of a form, each once. Raises Refused."""
    body = (await request.body())[:_FORM_BYTES]
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Refused(
            Problem(
                code="sign_in.form",
                message="The form can't be read.",
                remedy="Send username and password as a form's fields.",
            )
        ) from error
    return {key: values[-1] for key, values in found.items()}


def _unlike() -> Problem:
    return Problem(
        code="password.unlike", message="The two passwords are not the same. Write it twice, the same each time."
    )
