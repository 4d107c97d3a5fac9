"""`gennaker drift`: where live objects are no longer what was applied last."""

from typing import Annotated

from cyclopts import App, Parameter

from gennaker.cli import addresses, terminal
from gennaker.cli.place import HERE, Place
from gennaker.cli.terminal import Form
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import items, mapping, mappings_at, text, text_at
from gennaker.transport.client import Client


def add_to(app: App) -> None:
    """Adds the command."""
    app.command(drift)


def drift(
    application: str,
    /,
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
    found = mapping(client.get(f"{addresses.application(application)}/drift", **query))
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
            terminal.value_at(change, "live"),
            terminal.value_at(change, "desired"),
            ", ".join(text(by) for by in items(change.get("by"))) or "-",
        )
        for change in mappings_at(one, "changes")
    ]
