"""Waiting for dry runs: one that does not end is given up with a sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import awaiting
from gennaker.model.problems import Refused
from gennaker.transport.client import Client


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path) as found:
        yield found


def test_a_dry_run_that_has_ended_is_what_was_answered(api: ApiServer, client: Client) -> None:
    api.will("GET /pipelines/e1", {"id": "e1", "status": "TERMINAL"})

    assert awaiting.ended(client, "/pipelines/e1") == {"id": "e1", "status": "TERMINAL"}


def test_a_dry_run_that_does_not_end_is_given_up(
    api: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "_LONGEST_SECONDS", 0.0)
    api.will("GET /api/v1/executions/e1", {"status": "RUNNING"})

    with pytest.raises(Refused, match="gennaker why e1"):
        awaiting.ended(client, "/api/v1/executions/e1")
