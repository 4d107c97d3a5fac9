"""The page in a real browser: all its states against recorded answers, and a real server that a person approves at."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import node_packages

from gennaker.demo.server import DemoServer
from gennaker.demo.watching import Watcher
from gennaker.model.codec import Json, JsonObject
from gennaker.transport.client import Client
from gennaker.transport.client import server as announced

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.debian, pytest.mark.xdist_group("page")]

UI = Path(__file__).resolve().parents[2] / "ui"
_TIMEOUT_SECONDS = 1200.0
_REASON = "Looked at it in the browser."
_PIPELINE: JsonObject = {
    "application": "page",
    "name": "ask a person",
    "stages": [
        {"refId": "1", "type": "wait", "name": "Wait", "waitTime": 0},
        {
            "refId": "2",
            "requisiteStageRefIds": ["1"],
            "type": "manualJudgment",
            "name": "Approve",
            "instructions": "Let it go on?",
        },
        {"refId": "3", "requisiteStageRefIds": ["2"], "type": "wait", "name": "Afterwards", "waitTime": 0},
    ],
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Of a server on free ports that has the built page."""
    server = DemoServer(tmp_path / "data", ("server.port=0", "registry.port=0"))
    try:
        with contextlib.closing(server.start()) as made:
            yield made
    finally:
        server.stop_everything()


def node(*words: str) -> "subprocess.CompletedProcess[str]":
    """A script of `ui/` to its end, with the node that the page was built with."""
    return subprocess.run(
        [str(node_packages.node()), *words],
        cwd=UI,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_SECONDS,
        env=dict(os.environ),
    )


def test_every_state_of_the_page_shows_in_a_browser() -> None:
    done = node("--test", "tests/browser/page.browser.mjs")

    assert done.returncode == 0, done.stdout + done.stderr


def test_an_approval_given_on_the_page_lets_the_execution_go_on(client: Client) -> None:
    execution_id = _text(client.post("/api/v1/run", _PIPELINE), "executionId")
    link = _text(client.post("/api/v1/links"), "url")

    done = node("tests/browser/approve.mjs", link, execution_id, _REASON)

    assert done.returncode == 0, done.stdout + done.stderr
    ended = Watcher(client, lambda _: None).end_of(execution_id, within=_TIMEOUT_SECONDS)
    assert (ended["status"], _judgments(ended)) == ("SUCCEEDED", [("operator", _REASON)])


def test_a_foreign_name_that_points_here_gets_nothing(client: Client, tmp_path: Path) -> None:
    registry = f"http://{announced(tmp_path / 'data').registry}"

    done = node("tests/browser/rebinding.mjs", client.address, registry)

    assert done.returncode == 0, done.stdout + done.stderr


def _judgments(execution: JsonObject) -> list[tuple[Json, Json]]:
    """By whom, and why."""
    stages = execution["stages"]
    assert isinstance(stages, list)
    found: list[tuple[Json, Json]] = []
    for stage in stages:
        assert isinstance(stage, dict)
        context = stage["context"]
        if stage["type"] == "manualJudgment" and isinstance(context, dict):
            found.append((stage["judgedBy"], context["judgmentComment"]))
    return found


def _text(answer: Json, key: str) -> str:
    assert isinstance(answer, dict), answer
    return str(answer[key])
