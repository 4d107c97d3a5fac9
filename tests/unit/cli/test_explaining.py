"""`gennaker why`: printed for people and for programs, with a server and without one."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import make
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import explaining
from gennaker.cli.terminal import Form
from gennaker.engine import keys
from gennaker.interfaces.journal import Commit, ExecutionChange, RecordedEvent
from gennaker.model.effect import PendingEffect, PrepareSubmission
from gennaker.model.event import Submitted
from gennaker.model.problems import Refused
from gennaker.model.waiting import ForWork
from gennaker.store.database import Database
from gennaker.store.journal import SqliteJournal
from gennaker.transport.folder import DataFolder

ANSWER = {
    "executionId": "e1",
    "name": "deliver",
    "status": "RUNNING",
    "at": "2026-11-24T12:00:00Z",
    "answers": [
        {
            "sentence": "Stage Approve waits for a person to judge.",
            "chain": [{"sentence": "Stage Call waits for the child.", "executionId": "e1"}],
            "about": "a judgment",
            "url": "https://ci.example.org/job/7/",
            "observed": "nobody",
            "since": "2026-11-24T11:30:00Z",
            "goesOnAt": None,
            "timesOutAt": "2026-11-26T12:00:01Z",
            "then": "Then it fails.",
            "notes": ["Odd."],
            "log": "one\ntwo",
            "ways": [{"who": "someone", "how": "Let it go on.", "command": "gennaker approve e2"}],
        },
        {"sentence": "Stage b waits for noon.", "ways": []},
    ],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def api(data: Path) -> Iterator[ApiServer]:
    folder = DataFolder(data)
    with api_server.running(data) as found:
        yield found
    folder.close()


def test_the_cause_stands_below_its_chain_with_what_to_type(
    api: ApiServer, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("GET /api/v1/executions/e1/why", ANSWER)

    status = explaining.show(data, "e1", "", form=Form.TABLE)

    assert status == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "e1  deliver  RUNNING",
        "  Stage Call waits for the child.  [e1]",
        "  because:",
        "  Stage Approve waits for a person to judge.",
        "    what       a judgment",
        "    link       https://ci.example.org/job/7/",
        "    seen       nobody",
        "    since      2026-11-24 11:30:00 UTC (30 min ago)",
        "    times out  2026-11-26 12:00:01 UTC (in 2 d 1 s)",
        "               Then it fails.",
        "    note       Odd.",
        "    | one",
        "    | two",
        "    someone: Let it go on.    gennaker approve e2",
        "",
        "And:",
        "  Stage b waits for noon.",
    ]


def test_programs_get_json(api: ApiServer, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api.will("GET /api/v1/executions/e1/why", ANSWER)

    explaining.show(data, "e1", "", form=Form.JSON)

    assert json.loads(capsys.readouterr().out) == ANSWER


def test_an_unknown_stage_is_said(api: ApiServer, data: Path) -> None:
    api.will("GET /api/v1/executions/e1/why?stage=x", {**ANSWER, "answers": []})

    with pytest.raises(Refused, match="no stage 'x'"):
        explaining.show(data, "e1", "x", form=Form.TABLE)


def test_without_a_server_the_folder_is_asked_and_the_server_is_the_cause(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DataFolder(data).close()
    _accepted(data)

    explaining.show(data, make.EXECUTION, "", form=Form.TABLE)

    said = capsys.readouterr().out
    assert "No server runs: nothing moves." in said
    assert "gennaker serve" in said


def test_without_a_server_an_unknown_execution_is_said(data: Path) -> None:
    DataFolder(data).close()

    with pytest.raises(Refused, match="no execution e1"):
        explaining.show(data, "e1", "", form=Form.TABLE)


def _accepted(data: Path) -> None:
    """A folder in which an execution was accepted, and nothing more."""
    database = Database.open(data)
    head = make.head(version=1, waiting_for=ForWork(reason="the submission to be prepared", what="submission"))
    submitted = RecordedEvent(number=1, event=Submitted(at=make.AT, head=head))
    change = ExecutionChange(head=head, expected_version=0, events=(submitted,), submission_key="k")
    effect = PendingEffect(effect=PrepareSubmission(key=keys.submission(head.id)), execution_id=head.id)
    try:
        journal = SqliteJournal(database, engine_version="0")
        asyncio.run(journal.commit(Commit(executions=(change,), effects=(effect,))))
    finally:
        database.close()
