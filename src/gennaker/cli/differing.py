"""`gennaker diff`: what the manifest stages of an execution change, or would."""

from typing import Annotated

from cyclopts import App, Parameter

from gennaker.cli import addresses, terminal
from gennaker.cli.place import HERE, Place
from gennaker.cli.terminal import Form
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import mapping, mappings_at, text_at
from gennaker.model.problems import Problem, Refused

_KEY = "manifestDifferences"


def add_to(app: App) -> None:
    """Adds the command."""
    app.command(diff)


def diff(
    execution: str,
    /,
    *,
    stage: Annotated[str, Parameter(help="Only this one: id, refId or name.")] = "",
    output: Annotated[Form, Parameter(help="How it is printed.")] = Form.TABLE,
    place: Place = HERE,
) -> int:
    """Show what the manifest stages of EXECUTION change: created, changed and deleted objects, field by field."""
    found = mapping(place.client().get(addresses.execution(execution)))
    stages = [
        one for one in mappings_at(found, "stages") if _KEY in mapping(one.get("context")) and _is_meant(one, stage)
    ]
    if not stages:
        named = f" {stage!r}" if stage else ""
        raise Refused(
            Problem(
                code="diff.none",
                message=f"{execution} has no stage{named} that has compared manifests.",
                remedy="Stages of the type deployManifest do, once they have looked at the cluster.",
            )
        )
    if output is not Form.TABLE:
        terminal.show([{"stage": text_at(one, "name"), _KEY: mapping(one["context"])[_KEY]} for one in stages], output)
        return 0
    for one in stages:
        rows = [row for each in mappings_at(one["context"], _KEY) for row in _rows(each)]
        terminal.show_table(text_at(one, "name"), ("object", "", "field", "before", "after"), rows)
    return 0


def _is_meant(found: JsonObject, stage: str) -> bool:
    return not stage or stage in {text_at(found, key) for key in ("id", "refId", "name")}


def _rows(found: JsonObject) -> list[tuple[str, ...]]:
    where = f" ({text_at(found, 'namespace')})" if text_at(found, "namespace") else ""
    name, change = f"{text_at(found, 'name')}{where}", text_at(found, "change")
    changes = mappings_at(found, "changes")
    if not changes:
        return [(name, change, "", "", "")]
    rows: list[tuple[str, ...]] = [
        (name, change, text_at(one, "path"), terminal.value_at(one, "before"), terminal.value_at(one, "after"))
        for one in changes
    ]
    more = found.get("more")
    return [*rows, (name, change, f"and {more} more", "", "")] if more else rows
