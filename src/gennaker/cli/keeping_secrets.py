"""`gennaker secret`: keeps secrets that settings and pipelines refer to; nothing prints their values."""

import sys
from getpass import getpass
from typing import Annotated
from urllib.parse import quote

from cyclopts import App, Parameter

from gennaker.cli import terminal
from gennaker.cli.place import HERE, Place
from gennaker.cli.terminal import Form
from gennaker.model import foreign

_Output = Annotated[Form, Parameter(help="How it is printed.")]


def add_to(app: App) -> None:
    """Adds the commands."""
    secret = App(name="secret", help="Secrets that settings and pipelines refer to.")
    secret.command(keep, name="set")
    secret.command(listed, name="list")
    secret.command(rotate, name="rotate")
    secret.command(remove, name="remove")
    app.command(secret)


def keep(
    name: str,
    /,
    *,
    application: Annotated[
        list[str] | None, Parameter(help="Its pipelines may use it, too; else only the settings may.", negative="")
    ] = None,
    host: Annotated[
        list[str] | None, Parameter(help="Webhook stages may send it only there; else anywhere.", negative="")
    ] = None,
    place: Place = HERE,
) -> int:
    """Keep the secret NAME: asks for its value, or reads it from standard input (without the newline at its end)."""
    client = place.client()
    value = getpass(f"Value of {name}: ") if sys.stdin.isatty() else sys.stdin.read().removesuffix("\n")
    client.put(_path(name), {"value": value, "applications": [*(application or ())], "hosts": [*(host or ())]})
    terminal.say(f"Kept. Refer to it as encrypted:store!n:{name.lower()}")
    return 0


def listed(*, output: _Output = Form.TABLE, place: Place = HERE) -> int:
    """Names of all secrets, and for what they may be used."""
    found = foreign.mappings(place.client().listed("/api/v1/secrets", "secrets"))
    if output is not Form.TABLE:
        terminal.show(found, output)
        return 0
    rows: list[tuple[str, ...]] = [
        (
            foreign.text(one.get("name")),
            ", ".join(map(str, foreign.items(one.get("applications")))) or "settings only",
            ", ".join(map(str, foreign.items(one.get("hosts")))) or "anywhere",
            foreign.text(one.get("changedBy")),
            foreign.text(one.get("changedAt")),
        )
        for one in found
    ]
    terminal.show_table("", ("secret", "applications", "hosts", "changed by", "at"), rows)
    return 0


def rotate(*, place: Place = HERE) -> int:
    """Encrypt all secrets with a new key, and drop the older keys."""
    count = foreign.mapping(place.client().post("/api/v1/secrets/rotate")).get("secrets")
    terminal.say(f"{count} secrets are encrypted with a new key; the older keys are gone from the key file.")
    return 0


def remove(name: str, /, *, place: Place = HERE) -> int:
    """Forget the secret NAME; what refers to it fails from now on."""
    place.client().delete(_path(name))
    terminal.say(f"The secret {name} is gone.")
    return 0


def _path(name: str) -> str:
    return f"/api/v1/secrets/{quote(name, safe='')}"
