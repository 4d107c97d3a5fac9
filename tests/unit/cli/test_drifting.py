"""`gennaker drift`: what is asked, what is printed, exit statuses."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import api_server

from gennaker.cli import drifting
from gennaker.cli.place import Place
from gennaker.cli.terminal import Form
from gennaker.transport.client import Client

CHANGE = {"path": "/spec/replicas", "live": 5, "desired": 2, "by": ["kubectl-edit"]}
WEB = {"account": "prod", "location": "shop", "name": "deployment web", "state": "drifted", "changes": [CHANGE]}
ROLE = {
    "account": "prod",
    "location": "",
    "name": "clusterRole r",
    "state": "unknown",
    "why": "Nothing says",
    "changes": [],
}
URL = "GET /api/v1/applications/shop/drift"


def test_fields_that_differ_stand_with_who_has_changed_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api_server.running(tmp_path) as api:
        api.will(f"{URL}?account=prod", {"drifted": True, "objects": [WEB, ROLE], "missing": {}})

        assert drifting.drift("shop", account="prod", place=Place(data=tmp_path)) == 1

    said = " ".join(capsys.readouterr().out.split())
    assert "2 objects looked at" in said
    assert "deployment web (prod/shop) /spec/replicas 5 2 kubectl-edit" in said
    assert "clusterRole r (prod) ? Nothing says" in said


@pytest.mark.parametrize(("missing", "status"), [({}, 0), ({"prod": {"message": "It is away."}}, 1)])
def test_no_drift_is_exit_status_0_if_everything_could_be_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: Any, status: int
) -> None:
    found = {"drifted": False, "objects": [{**WEB, "state": "same", "changes": []}], "missing": missing}
    with api_server.running(tmp_path) as api, closing(Client(tmp_path)) as client:
        api.will(URL, found)

        assert drifting.show(client, "shop", "", Form.TABLE) == status
        table = capsys.readouterr().out
        assert drifting.show(client, "shop", "", Form.JSON) == status

    assert ("It is away." in table) == bool(missing)
    assert json.loads(capsys.readouterr().out) == found
