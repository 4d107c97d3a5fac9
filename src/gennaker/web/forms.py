"""Forms: the pages on which one signs in, before there is a page of the user interface: plain HTML, no script."""

from html import escape
from urllib.parse import urlencode

from gennaker.interfaces.identity_providers import IdentityProvider

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: Canvas; color: CanvasText; }
main { width: min(22rem, calc(100vw - 3rem)); padding: 1.5rem 0; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; }
p { margin: .25rem 0 1.25rem; }
label { display: block; font-weight: 600; margin: 1rem 0 .25rem; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .55rem .7rem; border: 1px solid GrayText;
  border-radius: .4rem; background: Field; color: FieldText; }
small { display: block; margin-top: .25rem; opacity: .8; }
button { font: inherit; font-weight: 600; width: 100%; margin-top: 1.5rem; padding: .6rem; border: 0;
  border-radius: .4rem; background: #1557b0; color: #fff; cursor: pointer; }
.elsewhere { display: block; margin-top: 1.25rem; padding: .6rem; border: 1px solid GrayText; border-radius: .4rem;
  font-weight: 600; text-align: center; text-decoration: none; color: inherit; }
input:focus-visible, button:focus-visible, .elsewhere:focus-visible { outline: 3px solid #6ea8fe; outline-offset: 1px; }
.wrong { border-left: .3rem solid #c62828; padding: .5rem .75rem; margin: 1rem 0 0; background: rgba(198, 40, 40, .12); }
"""


def sign_in(*, to: str, name: str = "", wrong: str = "", provider: IdentityProvider | None = None) -> str:
    """Name and password; `wrong` says what was wrong before, `to` where to go on, `provider` where else one can sign in."""
    return _page(
        "Sign in",
        f"""<h1>Sign in to Gennaker</h1>{_said(wrong)}{_elsewhere(provider, to)}
<form method="post" action="/login">
<label for="username">Name</label>
<input id="username" name="username" value="{escape(name)}" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<input type="hidden" name="to" value="{escape(to)}">
<button>Sign in</button>
</form>""",
    )


def first_person(*, name: str = "", wrong: str = "") -> str:
    """Makes the first administrator."""
    return _page(
        "Create the first administrator",
        f"""<h1>Create the first administrator</h1>
<p>Nobody can sign in yet. Choose your own name and password: you may do everything, and add others later.</p>{_said(wrong)}
<form method="post" action="/ui/first-person">
<label for="username">Name</label>
<input id="username" name="username" value="{escape(name)}" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="new-password" minlength="10" required aria-describedby="hint">
<small id="hint">At least 10 characters; several words are easy to remember.</small>
<label for="again">Password, once more</label>
<input id="again" name="again" type="password" autocomplete="new-password" minlength="10" required>
<button>Create and sign in</button>
</form>""",
    )


def nobody_yet() -> str:
    """The form would be of no use."""
    return _page(
        "Nobody can sign in yet",
        """<h1>Nobody can sign in yet</h1>
<p>The server printed a link when it started: it makes the first administrator. <code>gennaker link</code> prints a new one.</p>""",
    )


def spent() -> str:
    """Of a one-time link."""
    return _page(
        "Link used",
        """<h1>This link was used already, or is too old.</h1>
<p><code>gennaker link</code> prints a new one.</p>""",
    )


def go_on(target: str) -> str:
    """Not a redirect: a strict cookie that a foreign page's link has set isn't sent along with one."""
    return f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(target)}"><a href="{escape(target)}">Go on</a>'


def _elsewhere(provider: IdentityProvider | None, to: str) -> str:
    if provider is None:
        return ""
    target = f"/oauth2/authorization/{provider.name}?{urlencode({'to': to})}"
    return f'\n<a class="elsewhere" href="{escape(target)}">Sign in with {escape(provider.label)}</a>'


def _said(wrong: str) -> str:
    return f'\n<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""


def _page(title: str, body: str) -> str:
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Gennaker: {escape(title)}</title><style>{_STYLE}</style>
<body><main>
{body}
</main></body></html>
"""
