"""`gennaker plan`: what is asked of the server, what is printed, exit statuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import planning
from gennaker.cli.terminal import Form
from gennaker.transport.client import Client

CONFIG: dict[str, Any] = {"application": "shop", "name": "Deliver", "stages": []}
BELOW = {
    "id": "b",
    "refId": "1<1",
    "type": "createServerGroup",
    "name": "Deploy here",
    "status": "SUCCEEDED",
    "parentId": "a",
    "context": {
        "application": "shop",
        "stack": "prod",
        "account": "local",
        "region": "here",
        "capacity": {"desired": 2},
    },
    "tasks": [{"name": "createServerGroup"}],
}
TOP = {
    "id": "a",
    "refId": "1",
    "type": "deploy",
    "name": "Deploy",
    "status": "SUCCEEDED",
    "requisiteStageRefIds": ["0"],
    "context": {"long": "x" * 300, "dryRunNotPlanned": "no image yet"},
}
FAILURE = {"text": "${ nope.x }", "message": "nope doesn't exist."}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path) as found:
        found.will("POST /orchestrate", {"ref": "/pipelines/e1"})
        found.will("GET /applications/shop/serverGroups", [])
        yield found


def ends(api: ApiServer, *stages: dict[str, Any], status: str = "SUCCEEDED", **fields: Any) -> None:
    body = {"id": "e1", "application": "shop", "name": "Deliver", "stages": list(stages), **fields}
    api.will("GET /api/v1/executions/e1", {**body, "status": "RUNNING"}, {**body, "status": status})


def test_a_plan_shows_stages_values_and_changes(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    ends(api, BELOW, TOP)

    assert planning.plan(client, CONFIG, {"tag": "1"}, Form.TABLE) == 0

    assert api.asked[0] == (
        "POST /orchestrate",
        {**CONFIG, "trigger": {"type": "manual", "dryRun": True, "parameters": {"tag": "1"}}},
    )
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "shop: Deliver  (dry run e1)",
        "1      Deploy  (deploy, after 0)",
        f"long: {'x' * 99}…",
        "? What follows in it is known only when it runs: no image yet",
        "1<1    Deploy here  (createServerGroup)",
        "application: shop",
        "stack: prod",
        "account: local",
        "region: here",
        'capacity: {"desired":2}',
        "",
        "Server groups:",
        "1<1      shop-prod (local/here): A server group of 2 instances is created.",
    ]


def test_an_expression_that_stays_as_text_is_told_and_counts(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    ends(api, {**TOP, "context": {"expressionFailures": [FAILURE]}})

    assert planning.plan(client, CONFIG, {}, Form.TABLE) == 1

    printed = capsys.readouterr().out
    assert "! ${ nope.x } stays as text: nope doesn't exist." in printed
    assert "No server group is changed." in printed


def test_a_run_that_would_fail_is_told(api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    ends(api, status="TERMINAL", problems=[{"message": "There is no image.", "remedy": "Build one."}])

    assert planning.plan(client, CONFIG, {}, Form.TABLE) == 1
    assert "There is no image. Build one." in capsys.readouterr().out


def test_a_plan_can_be_had_as_json(api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    ends(api, BELOW)

    assert planning.plan(client, CONFIG, {}, Form.JSON) == 0

    shown = json.loads(capsys.readouterr().out)
    assert [stage["tasks"] for stage in shown["stages"]] == [["createServerGroup"]]
    assert [change["cluster"] for change in shown["changes"]] == ["shop-prod (local/here)"]
