"""`gennaker watch`: an execution as it goes, redrawn in place: its stages as a tree, what they wait for, and the traffic.

Where standard output is no terminal, a line for each change is printed instead, as `gennaker run` does.
"""

import time
from datetime import datetime

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gennaker.cli import patience, running, terminal
from gennaker.model import moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mapping, mappings, mappings_at, text_at
from gennaker.model.statuses import Status
from gennaker.transport.client import Client

_LOOKS_EVERY_SECONDS = 0.5
_LOOKS = {
    Status.SUCCEEDED: ("✓", "green"),
    Status.RUNNING: ("●", "cyan"),
    Status.NOT_STARTED: ("○", "dim"),
    Status.TERMINAL: ("✗", "bold red"),
    Status.FAILED_CONTINUE: ("✗", "yellow"),
    Status.STOPPED: ("✗", "red"),
    Status.CANCELED: ("■", "red"),
    Status.SKIPPED: ("–", "dim"),
    Status.PAUSED: ("‖", "yellow"),
    Status.SUSPENDED: ("‖", "yellow"),
    Status.BUFFERED: ("○", "yellow"),
    Status.REDIRECT: ("●", "cyan"),
}
"""A sign for each status, and a colour beside it: never the colour alone."""


def watch(client: Client, execution_id: str) -> int:
    """Shows the execution until it ends; 0 if it succeeds."""
    if not terminal.out.is_terminal:
        return running.follow(client, execution_id)
    with Live(console=terminal.out, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            execution, balancers = patience.ask(
                client, execution_id, lambda: _seen(client, execution_id), tell=live.console.print
            )
            live.update(picture(execution, balancers, now=time.time()), refresh=True)
            status = Status(text_at(execution, "status"))
            if status.is_complete:
                return 0 if status is Status.SUCCEEDED else 1
            time.sleep(_LOOKS_EVERY_SECONDS)


def _seen(client: Client, execution_id: str) -> tuple[JsonObject, list[JsonObject]]:
    """The execution and the load balancers."""
    execution = mapping(client.get(f"/api/v1/executions/{execution_id}"))
    return execution, mappings(client.listed("/api/v1/traffic", "loadBalancers"))


def picture(execution: JsonObject, balancers: list[JsonObject], *, now: float) -> Group:
    """The whole screen; `now` in seconds since 1970."""
    status = Status(text_at(execution, "status"))
    title = Text(
        f"{text_at(execution, 'application')}: {text_at(execution, 'name')}  {execution['id']}  ", style="bold"
    )
    title.append(f"{_sign(status)} {status}", style=_style(status))
    title.append(f"  {_elapsed(execution, now)}")
    if execution.get("isDryRun") is True:
        title.append(
            "  in shadow: nothing is done" if execution.get("isShadow") is True else "  dry run: nothing is done"
        )
    parts: list[Text | Table] = [title, _stages(mappings_at(execution, "stages"), now)]
    parts += [_sentence(problem) for problem in mappings_at(execution, "problems")]
    application = text_at(execution, "application")
    parts += [_traffic(one) for one in balancers if _serves(one, application)]
    return Group(*parts)


def _stages(stages: list[JsonObject], now: float) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in ("sign", "stage", "type", "took", "waits for"):
        table.add_column(column, overflow="fold")
    by_parent: dict[str, list[JsonObject]] = {}
    for stage in stages:
        by_parent.setdefault(text_at(stage, "parentId"), []).append(stage)
    _rows(table, by_parent, "", 0, now=now)
    return table


def _rows(table: Table, by_parent: dict[str, list[JsonObject]], parent: str, depth: int, *, now: float) -> None:
    """Of a stage that is over only itself: what it was made of matters while it goes, or where it went wrong."""
    for stage in by_parent.get(parent, []):
        status = Status(text_at(stage, "status"))
        waits = text_at(stage, "waitingFor") if not status.is_complete else ""
        table.add_row(
            Text(_sign(status), style=_style(status)),
            Text("  " * depth + text_at(stage, "name")),
            Text(text_at(stage, "type"), style="dim"),
            Text(_elapsed(stage, now)),
            Text(waits),
        )
        if status not in (Status.SUCCEEDED, Status.SKIPPED, Status.NOT_STARTED):
            _rows(table, by_parent, text_at(stage, "id"), depth + 1, now=now)


def _serves(balancer: JsonObject, application: str) -> bool:
    groups = (text_at(one, "serverGroup") for one in mappings_at(balancer, "shares"))
    return any(moniker.parse(group).app == application for group in groups)


def _traffic(balancer: JsonObject) -> Text:
    weights = {text_at(one, "serverGroup"): _weight(one) for one in mappings_at(balancer, "shares")}
    whole = sum(weights.values()) or 1.0
    shares = ", ".join(f"{group} {weight / whole:.0%}" for group, weight in weights.items())
    return Text(f"traffic of {text_at(balancer, 'name')}: {shares}", style="dim")


def _weight(share: JsonObject) -> float:
    weight = share.get("weight")
    return float(weight) if isinstance(weight, int | float) else 0.0


def _sentence(problem: JsonObject) -> Text:
    return Text(f"{text_at(problem, 'message')} {text_at(problem, 'remedy')}".rstrip(), style="red")


def _sign(status: Status) -> str:
    return _LOOKS[status][0]


def _style(status: Status) -> str:
    return _LOOKS[status][1]


def _elapsed(one: JsonObject, now: float) -> str:
    began, ended = _seconds(one.get("startTime")), _seconds(one.get("endTime"))
    if began is None:
        return ""
    minutes, seconds = divmod(max(int((ended or now) - began), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _seconds(value: Json) -> float | None:
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) and value else None
