"""`gennaker cut-over`: what is listed and recorded, and what isn't done without a look."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import cutting_over
from gennaker.cli.terminal import Form
from gennaker.model.problems import Refused
from gennaker.transport.client import Client
from gennaker.transport.gate import Credentials, Gate

RECORD = "POST /api/v1/imports/shop/cut-over"
LEFT = "The pipeline Deliver isn't disabled: people can start it."


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path) as found:
        found.will(RECORD, {"application": "shop", "phase": "live", "pipelinesArmed": 2})
        yield found


@pytest.fixture
def gate() -> Iterator[Gate]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/pipelineConfigs":
            return httpx2.Response(200, json=[{"id": "1", "application": "shop", "name": "Deliver"}])
        return httpx2.Response(200, json=[])

    with Gate("https://gate.example.org", Credentials(), transport=httpx2.MockTransport(answer)) as found:
        yield found


def test_what_is_left_is_listed_and_recorded(
    api: ApiServer, client: Client, gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cutting_over.cut_over(client, gate, "shop", is_trial=False) == 0

    assert api.asked == [(RECORD, {"leftThere": [LEFT]})]
    assert capsys.readouterr().out == (
        f"Switch off in Spinnaker:\n  {LEFT}\n"
        "shop is run by Gennaker from now on; the triggers of 2 pipelines were switched on.\n"
    )


def test_a_trial_records_nothing(
    api: ApiServer, client: Client, gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cutting_over.cut_over(client, gate, "shop", is_trial=True) == 0

    assert api.asked == []
    assert LEFT in capsys.readouterr().out


def test_nobody_cuts_over_blindly_without_saying_so(api: ApiServer, client: Client) -> None:
    with pytest.raises(Refused, match="--unseen"):
        cutting_over.cut_over_unseen(client, "shop", is_meant=False)
    assert api.asked == []

    assert cutting_over.cut_over_unseen(client, "shop", is_meant=True) == 0
    assert api.asked == [(RECORD, {"leftThere": ["Nobody has looked."]})]


def test_programs_get_what_is_left_and_what_was_recorded(
    api: ApiServer, client: Client, gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cutting_over.cut_over(client, gate, "shop", is_trial=True, form=Form.JSON) == 0
    assert json.loads(capsys.readouterr().out) == {"application": "shop", "leftThere": [LEFT]}
    assert api.asked == []

    assert cutting_over.cut_over(client, gate, "shop", is_trial=False, form=Form.JSON) == 0
    assert json.loads(capsys.readouterr().out)["pipelinesArmed"] == 2
