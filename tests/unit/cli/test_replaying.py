"""`gennaker replay`: from a file, from a server, from a folder; checks, states and what-ifs as they are printed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import recordings
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer
from tests.make import stage_json

from gennaker.cli import replaying
from gennaker.cli.replaying import Wanted
from gennaker.cli.terminal import Form
from gennaker.engine import recording
from gennaker.engine.recording import Recording
from gennaker.model.codec import encode
from gennaker.model.problems import Refused
from gennaker.transport.folder import DataFolder

PLAIN = {"application": "shop", "name": "p", "stages": [stage_json("a", type="fail"), stage_json("b", type="make")]}
LENIENT = {"stages": [stage_json("a", type="fail", continuePipeline=True), stage_json("b", type="make")]}


@pytest.fixture(scope="module")
def recorded() -> Recording:
    return recordings.recorded(PLAIN)


@pytest.fixture
def file(recorded: Recording, tmp_path: Path) -> str:
    path = tmp_path / "recorded.json"
    path.write_bytes(encode(recording.to_json(recorded)))
    return str(path)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    folder = DataFolder(tmp_path)
    with api_server.running(tmp_path) as found:
        yield found
    folder.close()


def test_the_same_is_said_and_is_success(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replaying.replay(tmp_path, file, Wanted()) == 0
    assert "events give the stored state again, bit for bit." in capsys.readouterr().out


def test_a_difference_is_shown_and_is_failure(
    recorded: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = recording.to_json(recorded)
    document["head"] = {**document["head"], "name": "other"}  # type: ignore[dict-item]  # a map
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(document))

    assert replaying.replay(tmp_path, str(changed), Wanted()) == 1

    assert '/head/name: stored "other", replayed "p"' in capsys.readouterr().out


def test_a_server_is_asked_for_what_is_no_file(
    api: ApiServer, recorded: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("GET /api/v1/executions/e1/journal", recording.to_json(recorded))
    copy = tmp_path / "copy.json"

    replaying.replay(tmp_path, "e1", Wanted(export=copy))

    assert f"{len(recorded.events)} events written" in capsys.readouterr().out
    assert recording.read(copy.read_bytes()) == recorded


def test_without_a_server_an_unknown_execution_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no execution e1"):
        replaying.replay(tmp_path, "e1", Wanted())


def test_a_state_on_the_way_shows_its_stages(
    file: str, recorded: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replaying.replay(tmp_path, file, Wanted(at=2))

    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"After event 2 of {len(recorded.events)}, SubmissionPrepared at 2026-01-05")
    assert said[1].split()[1] == "RUNNING"
    assert said[2].split() == ["NOT_STARTED", "a", "a", "waits", "for", "its", "plan"]


def test_what_if_shows_the_stages_that_end_otherwise(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps(LENIENT))

    assert replaying.replay(tmp_path, file, Wanted(other=other)) == 0

    said = capsys.readouterr().out
    assert said.startswith("It would have ended otherwise: TERMINAL → SUCCEEDED\n  a (a): TERMINAL → FAILED_CONTINUE\n")


def test_what_if_takes_changed_events_and_prints_json(
    file: str, recorded: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.yaml"
    failing = next(one.number for one in recorded.events if type(one.event).__name__ == "TaskReported")
    other.write_text(f"events: [{{number: {failing}, event: {{result: {{type: done}}}}}}]")

    replaying.replay(tmp_path, file, Wanted(other=other, form=Form.JSON))

    found = json.loads(capsys.readouterr().out)
    assert (found["before"], found["after"]) == ("TERMINAL", "SUCCEEDED")
    assert any(one["pointer"] == "/head/status" for one in found["differences"])


@pytest.mark.parametrize("text", ["[]", "{}", "events: 5", ":"])
def test_a_what_if_that_is_neither_is_refused(file: str, tmp_path: Path, text: str) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(text)

    with pytest.raises(Refused):
        replaying.replay(tmp_path, file, Wanted(other=other))


@pytest.mark.parametrize("name", ["x" * 300, "a/b"])
@pytest.mark.usefixtures("api")
def test_what_can_be_no_file_is_no_execution_either(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"There is no execution|No GET /api/v1/executions/xxx"):
        replaying.replay(tmp_path, name, Wanted())


def test_files_that_can_not_be_read_or_written_are_said(file: str, tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)

    with pytest.raises(Refused, match="nested too deeply"):
        replaying.replay(tmp_path, str(deep), Wanted())
    with pytest.raises(Refused, match="nested too deeply"):
        replaying.replay(tmp_path, file, Wanted(other=deep))
    with pytest.raises(Refused, match=r"absent/out\.json can't be written: No such file or directory\. Name another"):
        replaying.replay(tmp_path, file, Wanted(export=tmp_path / "absent" / "out.json"))


def test_what_if_says_what_is_wrong_with_the_other_definition(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**LENIENT, "stages": [stage_json("a", "b", type="fail")]}))

    assert replaying.replay(tmp_path, file, Wanted(other=other)) == 0

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "It would have ended the same way: TERMINAL"
    assert said[-1].strip().startswith("note: Stage a requires 'b', which is no stage's refId.")
