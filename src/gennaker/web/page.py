"""The page: the built user interface under /ui/, and the door that a one-time link opens."""

from pathlib import Path
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery
from litestar.response import File, Redirect

from gennaker.model.problems import Problem, Refused
from gennaker.web.ports import Asking, Ports
from gennaker.web.sign_in import COOKIE, VIA_PAGE

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


_GO_ON = '<!doctype html><meta http-equiv="refresh" content="0;url=/ui/"><a href="/ui/">Go on</a>'
_SPENT = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Gennaker: link used</title>
<body style="font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 20vh auto; padding: 0 1rem">
<h1 style="font-size: 1.25rem">This link was used already, or is too old.</h1>
<p><code>gennaker link</code> prints a new one.</p></body></html>
"""


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
    async def sign_in(self, ports: Ports, principal: Asking, once: FromQuery[str] = "") -> Response[str]:
        """Opens a session by a one-time link; a browser that has one goes on, whatever the link."""
        headers = {"cache-control": "no-store"}
        session = ports.doors.open_session(once)
        if session is None and principal.via != VIA_PAGE:
            return Response(_SPENT, media_type="text/html", status_code=403, headers=headers)
        cookies = [Cookie(key=COOKIE, value=session, httponly=True, samesite="strict", path="/")] if session else []
        # Not a redirect: a strict cookie that a foreign page's link has set isn't sent along with one.
        return Response(_GO_ON, media_type="text/html", cookies=cookies, headers=headers)

    @get(["/ui", "/ui/", "/ui/{path:path}"])
    async def page(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], path: FromPath[str] = ""
    ) -> File | Response[str]:
        """A file of the page."""
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
