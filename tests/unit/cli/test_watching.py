"""`gennaker watch`: the picture of an execution, and what is printed where there is no terminal."""

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, ConsoleDimensions
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import terminal, watching
from gennaker.cli.log_tails import Tails
from gennaker.cli.watching import Seen
from gennaker.transport.client import Client

NOW = datetime(2026, 11, 28, 10, 2, 5, tzinfo=UTC).timestamp()


def stage(name: str, status: str, *, parent: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "type": "wait", "status": status, "parentId": parent, **fields}


def execution(*stages: dict[str, Any], status: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    head = {"id": "e1", "application": "shop", "name": "Deliver", "startTime": "2026-11-28T10:00:00Z"}
    return {**head, "status": status, "stages": list(stages), **fields}


def drawn(found: dict[str, Any], *balancers: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    console.print(watching.picture(Seen(execution=found, balancers=list(balancers)), now=NOW))
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_stages_are_a_tree_of_what_is_under_way() -> None:
    began = {"startTime": "2026-11-28T10:01:00Z"}
    found = execution(
        stage("Build", "SUCCEEDED", startTime="2026-11-28T10:00:00Z", endTime="2026-11-28T10:01:00Z"),
        stage("Compile", "SUCCEEDED", parent="Build"),
        stage("Deploy", "RUNNING", **began),
        stage("Create", "RUNNING", parent="Deploy", waitingFor="2 of 3 instances", **began),
        stage("Check", "NOT_STARTED"),
    )

    assert drawn(found) == [
        "shop: Deliver e1 ● RUNNING 2:05",
        "✓ Build wait 1:00",
        "● Deploy wait 1:05",
        "● Create wait 1:05 2 of 3 instances",
        "○ Check wait",
    ]


def test_what_is_only_planned_says_so() -> None:
    assert drawn(execution(isDryRun=True, isShadow=True))[0].endswith("2:05 in shadow: nothing is done")
    assert drawn(execution(isDryRun=True, isShadow=False))[0].endswith("2:05 dry run: nothing is done")


def test_what_went_wrong_and_the_traffic_are_shown() -> None:
    found = execution(
        stage("Canary", "TERMINAL"), status="TERMINAL", problems=[{"message": "Worse.", "remedy": "Look."}]
    )
    mine = {
        "name": "front",
        "shares": [{"serverGroup": "shop-prod-v001", "weight": 3}, {"serverGroup": "shop-prod-v002", "weight": 1}],
    }
    other = {"name": "back", "shares": [{"serverGroup": "cart-v001", "weight": 1}]}

    assert drawn(found, mine, other)[1:] == [
        "✗ Canary wait",
        "Worse. Look.",
        "traffic of front: shop-prod-v001 75%, shop-prod-v002 25%",
    ]


def test_branches_say_what_they_wait_for() -> None:
    def step(name: str, *requires: str) -> dict[str, Any]:
        return stage(name, "NOT_STARTED", refId=name, requisiteStageRefIds=list(requires))

    found = execution(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"), step("e", "d"))

    assert drawn(found)[1:] == ["○ a wait", "○ b wait", "○ c (after a) wait", "○ d (after b, c) wait", "○ e wait"]


def test_a_canary_is_told_while_it_is_judged_and_when_it_has_failed() -> None:
    thresholds = {"scoreThresholds": {"pass": 80.0, "marginal": 50.0}}
    began = {"startTime": "2026-11-28T10:01:00Z"}
    first = stage("One", "SUCCEEDED", parent="Runs", outputs={"canaryScore": 92.5}, context=thresholds)
    canary = stage("Canary", "RUNNING", **began)
    judges = [{**one, "type": "runCanary"} for one in (first, stage("Two", "RUNNING", parent="Runs"))]
    parts = [{**canary, "type": "kayentaCanary"}, stage("Runs", "RUNNING", parent="Canary"), *judges]

    assert "canary Canary: 1 of 2 judged, score 92.5 (pass 80, marginal 50)" in drawn(execution(*parts))

    metric = {"name": "errors", "classification": "High", "passed": False, "baselineMean": 0.0, "canaryMean": 4.9576}
    report = {"message": "Too low.", "metrics": [metric, {"name": "latency", "passed": True}]}
    parts[0] = {**parts[0], "status": "TERMINAL", "outputs": {"canaryReport": report}}

    shown = drawn(execution(*parts, status="TERMINAL"))
    assert "canary Canary: 1 of 2 judged, score 92.5 (pass 80, marginal 50). Too low." in shown
    assert "errors: High (baseline 0, canary 4.958)" in shown


def test_a_long_pipeline_shows_where_it_is() -> None:
    over = [stage(f"s{number}", "SUCCEEDED") for number in range(40)]
    ahead = [stage(f"t{number}", "NOT_STARTED") for number in range(40)]
    seen = Seen(execution=execution(*over, stage("now", "RUNNING"), *ahead), logs=[("Build.log", ["made it"])])
    console = Console(file=io.StringIO(), width=120)

    console.print(watching.picture(seen, now=NOW, size=ConsoleDimensions(120, 20)))

    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 20
    assert any("now" in line for line in lines)
    assert "  | made it" in lines


def test_what_went_wrong_is_told_to_its_end_on_a_narrow_screen() -> None:
    found = execution(status="TERMINAL", problems=[{"message": "It went wrong " * 20, "remedy": "Do this."}])
    console = Console(file=io.StringIO(), width=60, soft_wrap=True)

    console.print(watching.picture(Seen(execution=found), now=NOW))

    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[-1].endswith("Do this.")
    assert max(map(len, lines[1:])) <= 60


def test_names_move_nothing_on_the_screen() -> None:
    shown = drawn(execution(stage("a\x1b[2Jb\x9b1m", "RUNNING"), name="\x1b]0;owned\x07Deliver"))

    assert shown[0].startswith("shop: Deliver e1")
    assert shown[1].startswith("● ab\\x9b1m wait")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path) as found:
        found.will("GET /api/v1/traffic", {"loadBalancers": []})
        found.will("GET /api/v1/executions/e1/logs", {"logs": [], "next": None})
        yield found


@pytest.mark.parametrize(("status", "expected"), [("SUCCEEDED", 0), ("CANCELED", 1)])
def test_it_ends_with_the_execution(
    api: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch, status: str, expected: int
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(terminal, "out", Console(file=screen, force_terminal=True, width=100))
    monkeypatch.setattr(watching, "_LOOKS_EVERY_SECONDS", 0.01)
    api.will("GET /api/v1/executions/e1", execution(stage("a", "RUNNING")), execution(status=status))

    assert watching.watch(client, "e1") == expected
    assert status in screen.getvalue()


def test_the_logs_of_what_runs_are_followed(api: ApiServer, client: Client) -> None:
    logs = [{"stageId": "a", "name": "Build.log", "path": "x/1"}, {"stageId": "b", "name": "Old.log", "path": "x/2"}]
    api.will("GET /api/v1/executions/e1/logs", {"logs": logs, "next": None})
    written = ["one\ntw", "o\n10 %\r20 %\r\n\u001b[31mred\u001b[0m\n"]
    told = [b"event: log\ndata: " + json.dumps({"text": text}).encode() + b"\n\n" for text in written]
    api.will("GET /api/v1/executions/e1/log?path=x%2F1", b"".join([*told, b"event: end\ndata: {}\n\n"]))
    tails = Tails(client, "e1")

    until = time.monotonic() + 600
    while (shown := tails.shown(["a"])) != [("Build.log", ["one", "two", "20 %", "red"])]:
        assert time.monotonic() < until, shown


def test_without_a_terminal_each_change_is_a_line(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("GET /api/v1/executions/e1", execution(stage("a", "SUCCEEDED"), status="SUCCEEDED"))

    assert watching.watch(client, "e1") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["SUCCEEDED", "a"], ["SUCCEEDED"]]
