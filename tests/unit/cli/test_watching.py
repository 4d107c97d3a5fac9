"""`gennaker watch`: the picture of an execution, and what is printed where there is no terminal."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import terminal, watching
from gennaker.transport.client import Client

NOW = datetime(2026, 11, 28, 10, 2, 5, tzinfo=UTC).timestamp()


def stage(name: str, status: str, *, parent: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "type": "wait", "status": status, "parentId": parent, **fields}


def execution(*stages: dict[str, Any], status: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    head = {"id": "e1", "application": "shop", "name": "Deliver", "startTime": "2026-11-28T10:00:00Z"}
    return {**head, "status": status, "stages": list(stages), **fields}


def drawn(found: dict[str, Any], *balancers: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    console.print(watching.picture(found, list(balancers), now=NOW))
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


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path) as found:
        found.will("GET /api/v1/traffic", {"loadBalancers": []})
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


def test_without_a_terminal_each_change_is_a_line(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("GET /api/v1/executions/e1", execution(stage("a", "SUCCEEDED"), status="SUCCEEDED"))

    assert watching.watch(client, "e1") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["SUCCEEDED", "a"], ["SUCCEEDED"]]
