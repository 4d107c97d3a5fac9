"""`gennaker drift`: where live objects are no longer what was applied last."""

import json
from typing import Annotated

from cyclopts import App, Parameter

from gennaker.cli import terminal
from gennaker.cli.place import HERE, Place
from gennaker.cli.terminal import Form
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import items, mapping, mappings_at, text, text_at
from gennaker.transport.client import Client

_LONGEST = 60


def add_to(app: App) -> None:
    """Adds the command."""
    app.command(drift)


def drift(
    application: str,
    *,
    account: Annotated[str, Parameter(help="Only there.")] = "",
    output: Annotated[Form, Parameter(help="How it is printed.")] = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Show where live objects of APPLICATION are no longer what was applied last; exit status 1 where one isn't."""
    return show(place.client(), application, account, output)


def show(client: Client, application: str, account: str, form: Form) -> int:
    """Prints what differs; 1 where something does, or couldn't be looked at."""
    query = {"account": account} if account else {}
    found = mapping(client.get(f"/api/v1/applications/{application}/drift", **query))
    missing = [text_at(one, "message") for one in mapping(found.get("missing")).values()]
    if form is Form.TABLE:
        rows = [row for one in mappings_at(found, "objects") for row in _rows(one)]
        count = len(mappings_at(found, "objects"))
        terminal.show_table(
            f"{application}: {count} objects looked at", ("object", "field", "live", "desired", "by"), rows
        )
        for said in missing:
            terminal.say(said)
    else:
        terminal.show(found, form)
    return 1 if found.get("drifted") is True or missing else 0


def _rows(one: JsonObject) -> list[tuple[str, ...]]:
    where = "/".join(part for part in (text_at(one, "account"), text_at(one, "location")) if part)
    named = f"{text_at(one, 'name')} ({where})"
    if text_at(one, "state") in ("missing", "unknown"):
        return [(named, "?", text_at(one, "why"), "", "")]
    return [
        (
            named,
            text_at(change, "path"),
            _shown(change, "live"),
            _shown(change, "desired"),
            ", ".join(text(by) for by in items(change.get("by"))) or "-",
        )
        for change in mappings_at(one, "changes")
    ]


def _shown(change: JsonObject, key: str) -> str:
    """`-` where there is nothing."""
    value: Json = change.get(key)
    if key not in change:
        return "-"
    said = value if isinstance(value, str) else json.dumps(value)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
