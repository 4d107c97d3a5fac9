"""`gennaker compare`: two environments of an application side by side."""

from gennaker.cli import addresses, terminal
from gennaker.cli.terminal import Form
from gennaker.model.comparison import Aspect
from gennaker.model.foreign import mapping, mappings_at, text_at
from gennaker.transport.client import Client


def compare(
    client: Client, application: str, environments: tuple[str, str], *, only: tuple[Aspect, ...], form: Form
) -> int:
    """Prints all facts; 1 where one differs."""
    left, right = environments
    query = {"left": left, "right": right} | ({"only": ",".join(only)} if only else {})
    found = mapping(client.get(f"{addresses.application(application)}/comparison", **query))
    if form is Form.TABLE:
        rows: list[tuple[str, ...]] = [
            (
                "≠" if line["differs"] else "",
                text_at(line, "aspect"),
                text_at(line, "name"),
                text_at(line, "left") or "-",
                text_at(line, "right") or "-",
            )
            for line in mappings_at(found, "lines")
        ]
        sides = [f"{side}: {text_at(found[side], 'serverGroup')}" for side in ("left", "right")]
        terminal.show_table(", ".join(sides), ("", "about", "fact", left, right), rows)
    else:
        terminal.show(found, form)
    return 0 if found.get("same") is True else 1
