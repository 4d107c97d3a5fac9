"""The page: the built user interface under /ui/, and the door that a one-time link opens."""

from pathlib import Path
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import File, Redirect

from gennaker.model.principal import ANONYMOUS
from gennaker.model.problems import Problem, Refused
from gennaker.web import forms, signing_in
from gennaker.web.ports import Asking, Ports
from gennaker.web.sign_in import VIA_PAGE, address_of

_KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".woff2": "font/woff2",
}


NO_PAGE = Problem(
    code="page.missing",
    message="This installation has no page.",
    remedy="In a checkout run `make setup`; elsewhere install Gennaker again, without GENNAKER_WITHOUT_PAGE.",
)


_SPENT = Problem(
    code="sign_in.link",
    message="There is no such link, or it was used or is too old.",
    remedy="`gennaker link` prints a new one.",
)


def is_built(folder: Path) -> bool:
    """Whether there is a page in the folder."""
    return (folder / "index.html").exists()


class PageController(Controller):
    """Routes under /ui."""

    @get("/")
    async def root(self, principal: Asking) -> Redirect:
        """A browser at the root is sent to the page."""
        return Redirect("/ui/")

    @get("/favicon.ico")
    async def icon(self, principal: Asking) -> Redirect:
        """What browsers ask for beside any address."""
        return Redirect("/ui/icon.svg", status_code=301)

    @get("/ui/sign-in")
    async def sign_in(
        self,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        once: FromQuery[str] = "",
        to: FromQuery[str] = "",
    ) -> Response[str]:
        """Opens a session by a one-time link; a browser that has one goes on, whatever the link. Without one: the form."""
        headers = {"cache-control": "no-store"}
        has_people = not ports.sign_in.settings.required or await ports.sign_in.identities.has_people()
        if not once and ports.sign_in.settings.required and principal.via != VIA_PAGE:
            provider = ports.sign_in.provider
            form = forms.sign_in(to=signing_in.own_path(to), provider=provider)
            shown = form if has_people or provider is not None else forms.nobody_yet()
            return Response(shown, media_type="text/html", headers=headers)
        session = ports.doors.open_session(once)
        if session is None and principal.via != VIA_PAGE:
            await ports.sign_in.turned_away(
                principal.name, Refused(_SPENT, status=403), via="link", address=address_of(request)
            )
            return Response(forms.spent(), media_type="text/html", status_code=403, headers=headers)
        cookies = [signing_in.cookie(session, is_secure=ports.is_secure)] if session else []
        # Not a redirect: a strict cookie that a foreign page's link has set isn't sent along with one.
        target = "/ui/" if has_people else "/ui/first-person"
        return Response(forms.go_on(target), media_type="text/html", cookies=cookies, headers=headers)

    @get("/ui/first-person")
    async def first_person(self, ports: Ports, principal: Asking) -> Response[str]:
        """The form that makes the first administrator."""
        await signing_in.refuse_second(ports)
        return Response(forms.first_person(), media_type="text/html", headers={"cache-control": "no-store"})

    @post("/ui/first-person", status_code=200)
    async def make_first_person(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any]
    ) -> Response[str]:
        """Makes the first administrator, and signs them in."""
        return await signing_in.first_person(ports, principal, request)

    @get(["/ui", "/ui/", "/ui/{path:path}"])
    async def page(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], path: FromPath[str] = ""
    ) -> File | Response[str] | Redirect:
        """A file of the page; the page itself only for who has signed in, where one has to."""
        if path.strip("/") == "" and ports.sign_in.settings.required and principal.name == ANONYMOUS.name:
            return Redirect("/ui/sign-in")
        folder = ports.page.resolve()
        # NUL is the one character that no file name can have.
        name = path.strip("/").replace("\0", "")
        wanted = (folder / name).resolve() if name else folder / "index.html"
        if not is_built(folder):
            return Response(f"{NO_PAGE}\n", media_type="text/plain", status_code=503)
        if not wanted.is_relative_to(folder) or not _is_file(wanted):
            raise Refused(Problem(code="page.no_file", message=f"There is no {path[:200]} here."), status=404)
        kind = _KINDS.get(wanted.suffix, "application/octet-stream")
        caching = "no-cache" if wanted.suffix == ".html" else "max-age=31536000, immutable"
        return File(wanted, media_type=kind, content_disposition_type="inline", headers={"cache-control": caching})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is longer than any file's
        return False
