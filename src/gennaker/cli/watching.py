"""`gennaker watch`: an execution as it goes, redrawn in place: its stages, what they wait for, logs, canary and traffic.

Where standard output is no terminal, a line for each change is printed instead, as `gennaker run` does.
"""

import time
from collections.abc import Iterator
from datetime import datetime

import msgspec
from rich.console import ConsoleDimensions, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gennaker.cli import addresses, canary_lines, patience, running, terminal
from gennaker.cli.log_tails import Tails
from gennaker.cli.terminal import Form
from gennaker.model import moniker
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import items, mapping, mappings, mappings_at, text_at
from gennaker.model.statuses import Status
from gennaker.transport.client import Client

_LOOKS_EVERY_SECONDS = 0.5
_FEWEST_STAGES = 6
"""Lines that stages keep, however much stands below them."""
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


def watch(client: Client, execution_id: str, form: Form = Form.TABLE) -> int:
    """Shows the execution until it ends; 0 if it succeeds."""
    if form is not Form.TABLE or not terminal.out.is_terminal:
        return running.follow(client, execution_id, form)
    tails = Tails(client, execution_id)
    with Live(console=terminal.out, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            seen = patience.ask(
                client, execution_id, lambda: _seen(client, execution_id, tails), tell=live.console.print
            )
            live.update(picture(seen, now=time.time(), size=terminal.out.size), refresh=True)
            status = Status(text_at(seen.execution, "status"))
            if status.is_complete:
                # All of it, now that nothing is drawn over it any more.
                live.vertical_overflow = "visible"
                live.update(picture(seen, now=time.time()), refresh=True)
                return 0 if status is Status.SUCCEEDED else 1
            time.sleep(_LOOKS_EVERY_SECONDS)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for each picture."""

    execution: JsonObject
    balancers: list[JsonObject] = []
    logs: list[tuple[str, list[str]]] = []
    """Names of logs of running stages, with their last lines."""


def _seen(client: Client, execution_id: str, tails: Tails) -> Seen:
    execution = mapping(client.get(addresses.execution(execution_id)))
    running = [text_at(one, "id") for one in mappings_at(execution, "stages") if text_at(one, "status") == "RUNNING"]
    return Seen(
        execution=execution,
        balancers=mappings(client.listed("/api/v1/traffic", "loadBalancers")),
        logs=tails.shown(running),
    )


def picture(seen: Seen, *, now: float, size: ConsoleDimensions | None = None) -> Group:
    """The whole screen; `now` in seconds since 1970; where its size is given, what is over long since gives way."""
    execution = seen.execution
    status = Status(text_at(execution, "status"))
    named = f"{text_at(execution, 'application')}: {text_at(execution, 'name')}  {execution['id']}  "
    title = Text(terminal.plain(named), style="bold")
    title.append(f"{_sign(status)} {status}", style=_style(status))
    title.append(f"  {_elapsed(execution, now)}")
    if execution.get("isDryRun") is True:
        title.append(
            "  in shadow: nothing is done" if execution.get("isShadow") is True else "  dry run: nothing is done"
        )
    stages = mappings_at(execution, "stages")
    below: list[Text] = [_sentence(problem) for problem in mappings_at(execution, "problems")]
    below += [_line(line) for line in canary_lines.of(stages)]
    for name, lines in seen.logs:
        below.append(Text(terminal.plain(name), style="dim"))
        below += [Text(f"  | {line}", style="dim", no_wrap=True, overflow="ellipsis") for line in lines]
    application = text_at(execution, "application")
    below += [_traffic(one) for one in seen.balancers if _serves(one, application)]
    room = None if size is None else _room(below, size)
    return Group(title, *_stages(stages, now, room), *below)


def _room(below: list[Text], size: ConsoleDimensions) -> int:
    """Lines for stages, beside the title and what is broken into lines of this width."""
    taken = sum(1 if one.no_wrap else -(-max(one.cell_len, 1) // size.width) for one in below)
    return max(size.height - taken - 2, _FEWEST_STAGES)


class _Row(msgspec.Struct, frozen=True):
    """One stage in the picture."""

    stage: JsonObject
    depth: int
    after: str
    """Where it doesn't simply follow the one above: whose end it waits for."""


def _stages(stages: list[JsonObject], now: float, room: int | None) -> list[Text | Table]:
    by_parent: dict[str, list[JsonObject]] = {}
    for stage in stages:
        by_parent.setdefault(text_at(stage, "parentId"), []).append(stage)
    rows = list(_rows(by_parent, "", 0))
    first, last = _shown(rows, room)
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in ("sign", "stage", "type", "took", "waits for"):
        table.add_column(column, overflow="fold")
    for row in rows[first:last]:
        status = Status(text_at(row.stage, "status"))
        waits = text_at(row.stage, "waitingFor") if not status.is_complete else ""
        table.add_row(
            Text(_sign(status), style=_style(status)),
            Text(terminal.plain("  " * row.depth + text_at(row.stage, "name") + row.after)),
            Text(text_at(row.stage, "type"), style="dim"),
            Text(_elapsed(row.stage, now)),
            Text(terminal.plain(waits)),
        )
    above = [Text(f"… {first} stages above", style="dim")] if first else []
    under = [Text(f"… {len(rows) - last} stages below", style="dim")] if last < len(rows) else []
    return [*above, table, *under]


def _shown(rows: list[_Row], room: int | None) -> tuple[int, int]:
    """Which rows there is room for: those around the first that isn't over."""
    if room is None or len(rows) <= room:
        return 0, len(rows)
    going = (place for place, row in enumerate(rows) if not Status(text_at(row.stage, "status")).is_complete)
    room -= 2  # for what says how many are left out
    first = min(max(next(going, len(rows)) - room // 3, 0), len(rows) - room)
    return first, first + room


def _rows(by_parent: dict[str, list[JsonObject]], parent: str, depth: int) -> Iterator[_Row]:
    """Of a stage that is over only itself: what it was made of matters while it goes, or where it went wrong."""
    own = by_parent.get(parent, [])
    names = {text_at(one, "refId"): text_at(one, "name") for one in own}
    above = ""
    for stage in own:
        status = Status(text_at(stage, "status"))
        needed = [str(one) for one in items(stage.get("requisiteStageRefIds")) if str(one) in names]
        follows = needed == ([above] if above else [])
        after = "" if follows or parent else f"  (after {', '.join(names[one] for one in needed) or 'nothing'})"
        yield _Row(stage, depth, after)
        if status not in (Status.SUCCEEDED, Status.SKIPPED, Status.NOT_STARTED):
            yield from _rows(by_parent, text_at(stage, "id"), depth + 1)
        above = text_at(stage, "refId")


def _serves(balancer: JsonObject, application: str) -> bool:
    groups = (text_at(one, "serverGroup") for one in mappings_at(balancer, "shares"))
    return any(moniker.parse(group).app == application for group in groups)


def _traffic(balancer: JsonObject) -> Text:
    weights = {text_at(one, "serverGroup"): _weight(one) for one in mappings_at(balancer, "shares")}
    whole = sum(weights.values()) or 1.0
    shares = ", ".join(
        f"{group} {weight / whole:.0%}" for group, weight in weights.items() if weight or len(weights) == 1
    )
    return _line(f"traffic of {text_at(balancer, 'name')}: {shares}", style="dim")


def _weight(share: JsonObject) -> float:
    weight = share.get("weight")
    return float(weight) if isinstance(weight, int | float) else 0.0


def _sentence(problem: JsonObject) -> Text:
    said = f"{text_at(problem, 'message')} {text_at(problem, 'remedy')}".rstrip()
    return _line(said, style="red")


def _line(said: str, *, style: str = "") -> Text:
    """One that is broken where the screen ends: the console's own lines aren't."""
    return Text(terminal.plain(said), style=style, no_wrap=False, overflow="fold")


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
