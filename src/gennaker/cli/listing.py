"""`gennaker list …`: what a running server has, as a table or for programs."""

import difflib
from collections.abc import Sequence

import msgspec

from gennaker.cli import terminal
from gennaker.cli.terminal import Form
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mapping, mappings, mappings_at, text_at
from gennaker.model.statuses import Status
from gennaker.transport.client import Client

_PAGE = 200
"""The server's longest answer."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions."""

    application: str = ""
    pipeline: str = ""
    """Its name."""
    statuses: tuple[Status, ...] = ()
    limit: int = 20
    before: str = ""
    """Only those that are older than this one."""


def executions(client: Client, wanted: Wanted, form: Form) -> int:
    """Newest first."""
    query: dict[str, str | list[str]] = {"before": wanted.before} if wanted.before else {}
    query |= {"application": wanted.application} if wanted.application else {}
    query |= {"name": wanted.pipeline} if wanted.pipeline else {}
    query |= {"status": [one.value for one in wanted.statuses]} if wanted.statuses else {}
    found = _page_by_page(client, query, wanted.limit + 1)
    has_more = len(found) > wanted.limit
    found = found[: wanted.limit]
    columns = ("execution", "status", "application", "name", "began", "stands at")
    rows = [
        (
            text_at(one, "id"),
            f"{text_at(one, 'status')}{_planned_only(one)}",
            text_at(one, "application"),
            text_at(one, "name"),
            text_at(one, "startTime")[:19].replace("T", " "),
            text_at(one, "failedStage") or text_at(one, "currentStage"),
        )
        for one in found
    ]
    _shown(found, columns, rows, form)
    if not found:
        tell_unknown(client, wanted.application)
    if has_more:
        last = text_at(found[-1], "id")
        terminal.note(
            f"There are older ones: --before {last} lists the next, --limit {_more(wanted.limit)} more at once."
        )
    return 0


def _page_by_page(client: Client, query: dict[str, str | list[str]], count: int) -> list[JsonObject]:
    """The first `count`; the server gives so many at a time and no more."""
    found: list[JsonObject] = []
    cursor = query.get("before")
    while len(found) < count:
        limit = str(min(count - len(found), _PAGE))
        before: dict[str, str | list[str]] = {"before": cursor} if cursor else {}
        answer = mapping(client.get("/api/v1/executions", **{**query, "limit": limit, **before}))
        found += mappings_at(answer, "executions")
        cursor = text_at(answer, "next")
        if not cursor:
            break
    return found


def _more(limit: int) -> int:
    return max(limit * 10, _PAGE)


def _planned_only(execution: JsonObject) -> str:
    """A success of these is none."""
    if execution.get("isDryRun") is not True:
        return ""
    return " (shadow)" if execution.get("isShadow") is True else " (dry run)"


def pipelines(client: Client, application: str, form: Form) -> int:
    """All, or those of an application; secrets of triggers are masked."""
    query: dict[str, str | list[str]] = {"application": application} if application else {}
    found = mappings(client.listed("/api/v1/pipelines", "pipelines", **query))
    found.sort(key=lambda one: (text_at(one, "application"), text_at(one, "name")))
    rows = [
        (
            text_at(one, "application"),
            text_at(one, "name"),
            str(len(mappings_at(one, "stages"))),
            str(sum(trigger.get("enabled") is True for trigger in mappings_at(one, "triggers"))),
            str(one.get("revision", "")),
            text_at(one, "id"),
        )
        for one in found
    ]
    _shown(found, ("application", "name", "stages", "triggers on", "revision", "id"), rows, form)
    if not found:
        tell_unknown(client, application)
    return 0


def applications(client: Client, form: Form) -> int:
    """Names of those that have a pipeline."""
    names = [str(one) for one in client.listed("/api/v1/applications", "applications")]
    return _shown(list[Json](names), ("application",), [(one,) for one in names], form)


def tell_unknown(client: Client, application: str) -> None:
    """Says beside an empty answer that no application is called so (that one may see), and which may be meant."""
    names = [str(one) for one in client.listed("/api/v1/applications", "applications")] if application else []
    if not application or application.lower() in names:
        return
    close = difflib.get_close_matches(application.lower(), names, n=1)
    meant = f"Did you mean {close[0]!r}?" if close else "`gennaker list applications` lists all that have one."
    terminal.note(f"No application {application!r} has a pipeline here. {meant}")


def imports(client: Client, form: Form) -> int:
    """Applications that came from elsewhere, and their phases."""
    found = mappings(client.listed("/api/v1/imports", "applications"))
    rows = [
        (
            text_at(one, "application"),
            text_at(one, "phase"),
            text_at(one, "since")[:19].replace("T", " "),
            text_at(one, "by"),
            text_at(one, "source"),
        )
        for one in found
    ]
    return _shown(found, ("application", "phase", "since", "by", "from"), rows, form)


def _shown(
    found: list[JsonObject] | list[Json], columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], form: Form
) -> int:
    if form is Form.TABLE:
        terminal.show_table("", columns, rows, whole=("execution", "id"))
    else:
        terminal.show(found, form)
    return 0
