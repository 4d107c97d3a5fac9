"""`gennaker list`: what is asked of the server, and how it is printed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import listing
from gennaker.cli.terminal import Form
from gennaker.model.statuses import Status
from gennaker.transport.client import Client

ONE = {"id": "e1", "status": "TERMINAL", "application": "shop", "name": "Deliver", "failedStage": "Canary"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path) as found:
        yield found


def test_executions_are_a_table_or_what_the_server_said(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "application=shop&name=Deliver&status=TERMINAL&status=CANCELED&limit=21"
    api.will(f"GET /api/v1/executions?{query}", {"executions": [ONE]})
    wanted = listing.Wanted(application="shop", pipeline="Deliver", statuses=(Status.TERMINAL, Status.CANCELED))

    assert listing.executions(client, wanted, Form.TABLE) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["execution", "status", "application", "name", "began", "stands", "at"],
        ["e1", "TERMINAL", "shop", "Deliver", "Canary"],
    ]
    assert listing.executions(client, wanted, Form.JSON) == 0
    assert json.loads(capsys.readouterr().out) == [ONE]
    assert listing.executions(client, wanted, Form.YAML) == 0
    assert yaml.safe_load(capsys.readouterr().out) == [ONE]


def test_what_is_left_out_is_said_with_how_to_get_it(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will(
        "GET /api/v1/executions?limit=200",
        {"executions": [{"id": f"e{n}"} for n in range(900, 700, -1)], "next": "e701"},
    )
    api.will(
        "GET /api/v1/executions?limit=51&before=e701", {"executions": [{"id": f"e{n}"} for n in range(700, 649, -1)]}
    )

    listing.executions(client, listing.Wanted(limit=250), Form.JSON)

    said = capsys.readouterr()
    assert [one["id"] for one in json.loads(said.out)] == [f"e{n}" for n in range(900, 650, -1)]
    assert said.err == "There are older ones: --before e651 lists the next, --limit 2500 more at once.\n"


def test_the_next_ones_are_asked_for_by_the_last(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("GET /api/v1/executions?before=e9&limit=3", {"executions": [ONE, ONE]})

    listing.executions(client, listing.Wanted(limit=2, before="e9"), Form.TABLE)

    assert capsys.readouterr().err == ""


def test_pipelines_stand_by_application_and_name(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = [
        {"id": "p2", "application": "shop", "name": "B", "stages": [{}, {}], "triggers": [{"enabled": True}, {}]},
        {"id": "p1", "application": "shop", "name": "A", "revision": 3},
    ]
    api.will("GET /api/v1/pipelines?application=shop", {"pipelines": stored})

    assert listing.pipelines(client, "shop", Form.TABLE) == 0

    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["shop", "A", "0", "0", "3", "p1"],
        ["shop", "B", "2", "1", "p2"],
    ]


def test_applications_are_their_names(api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.will("GET /api/v1/applications", {"applications": ["cart", "shop"]})

    assert listing.applications(client, Form.TABLE) == 0

    assert capsys.readouterr().out.split() == ["application", "cart", "shop"]


def test_imports_are_told_with_their_phases(api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    one = {
        "application": "shop",
        "phase": "shadow",
        "since": "2026-01-01T10:00:00Z",
        "by": "ada",
        "source": "https://gate.example.org",
    }
    api.will("GET /api/v1/imports", {"applications": [one]})

    assert listing.imports(client, Form.TABLE) == 0

    assert "shop         shadow  2026-01-01 10:00:00  ada  https://gate.example.org" in capsys.readouterr().out


def test_a_success_that_is_none_is_marked(api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    planned = [{**ONE, "isDryRun": True, "isShadow": is_shadow} for is_shadow in (False, True)]
    api.will("GET /api/v1/executions?limit=21", {"executions": planned})

    assert listing.executions(client, listing.Wanted(), Form.TABLE) == 0

    said = capsys.readouterr().out
    assert "TERMINAL (dry run)" in said
    assert "TERMINAL (shadow)" in said


def test_an_empty_list_of_an_application_that_nobody_knows_says_which_may_be_meant(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("GET /api/v1/applications", {"applications": ["shop", "till"]})
    api.will("GET /api/v1/executions?application=shpo&limit=21", {"executions": []})
    api.will("GET /api/v1/pipelines?application=other", {"pipelines": []})
    api.will("GET /api/v1/executions?application=Till&limit=21", {"executions": []})

    listing.executions(client, listing.Wanted(application="shpo"), Form.JSON)
    assert capsys.readouterr() == ("[]\n", "No application 'shpo' has a pipeline here. Did you mean 'shop'?\n")
    listing.pipelines(client, "other", Form.YAML)
    assert "`gennaker list applications`" in capsys.readouterr().err
    listing.executions(client, listing.Wanted(application="Till"), Form.JSON)
    assert capsys.readouterr().err == ""
