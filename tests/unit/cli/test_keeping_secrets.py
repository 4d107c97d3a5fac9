"""`gennaker secret`: values come from standard input and go to the server alone."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import keeping_secrets
from gennaker.cli.place import Place
from gennaker.cli.terminal import Form

VALUE = "something secret"
HUB = {"name": "hub", "applications": ["shop"], "hosts": [], "changedBy": "ada", "changedAt": "2026-01-05T09:00:00Z"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path) as found:
        yield found


def test_a_value_is_read_from_standard_input_and_never_shown(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("PUT /api/v1/secrets/Hub", HUB)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{VALUE}\n"))

    assert keeping_secrets.keep("Hub", application=["shop"], place=Place(data=tmp_path)) == 0

    body = {"value": VALUE, "applications": ["shop"], "hosts": []}
    assert api.asked == [("PUT /api/v1/secrets/Hub", body)]
    said = capsys.readouterr().out
    assert "encrypted:store!n:hub" in said
    assert VALUE not in said


def test_secrets_are_listed_rotated_and_removed(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(data=tmp_path)
    api.will("GET /api/v1/secrets", {"secrets": [HUB, {**HUB, "name": "own", "applications": [], "hosts": ["a.b"]}]})
    api.will("POST /api/v1/secrets/rotate", {"secrets": 2})
    api.will("DELETE /api/v1/secrets/hub", {})

    assert keeping_secrets.listed(place=place) == 0
    table = capsys.readouterr().out
    assert [word in table for word in ("shop", "anywhere", "settings only", "a.b")] == [True] * 4
    assert keeping_secrets.listed(output=Form.JSON, place=place) == 0
    assert '"settings only"' not in capsys.readouterr().out
    assert keeping_secrets.rotate(place=place) == 0
    assert keeping_secrets.remove("hub", place=place) == 0
    assert "2 secrets" in capsys.readouterr().out
    assert api.asked[-1][0] == "DELETE /api/v1/secrets/hub"
