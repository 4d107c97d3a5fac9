"""Commands that steer a running server, against one that answers from a table."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer
from tests.waiting import joined

from gennaker.cli import patience, running
from gennaker.cli.terminal import Form
from gennaker.model.problems import Problem, Refused
from gennaker.model.server_file import ServerFile
from gennaker.transport.client import Client
from gennaker.transport.folder import DataFolder

EXECUTION = "/api/v1/executions/e1"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def api(data: Path) -> Iterator[ApiServer]:
    with api_server.running(data) as found:
        yield found


@pytest.fixture
def client(api: ApiServer, data: Path) -> Iterator[Client]:
    with closing(Client(data)) as found:
        assert found.address == api.address
        yield found


def stage(status: str, name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "refId": f"ref-{name}", "name": name, "type": "wait", "status": status, **fields}


def test_a_link_is_asked_of_a_server_that_is_just_starting(data: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(running.patient_client, data)
        with api_server.running(data) as started, closing(asking.result(20)) as found:
            assert found.address == started.address


def test_of_a_server_that_never_starts_it_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_STARTS_WITHIN_SECONDS", 0.2)
    with pytest.raises(Refused, match="No Gennaker runs on"):
        running.patient_client(data)


def test_a_file_is_run_and_its_stages_are_shown_as_they_move_on(
    api: ApiServer, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.json"
    file.write_text('{"name": "p"}')
    api.will("POST /api/v1/run", {"executionId": "e1", "warnings": [{"message": "odd type"}]}, status=202)
    api.will(
        f"GET {EXECUTION}",
        {"status": "RUNNING", "stages": [stage("RUNNING", waitingFor="noon"), stage("NOT_STARTED", "b")]},
        {"status": "RUNNING", "stages": [stage("SUCCEEDED"), stage("RUNNING", "b")]},
        {"status": "SUCCEEDED", "stages": [stage("SUCCEEDED"), stage("SUCCEEDED", "b")]},
    )

    status = running.run_file(client, file)

    assert status == 0
    assert api.asked[0] == ("POST /api/v1/run", {"name": "p"})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["warning:", "odd", "type"],
        ["e1", f"{api.address}/ui/#/executions/e1"],
        ["RUNNING", "a", "waits", "for", "noon"],
        ["SUCCEEDED", "a"],
        ["RUNNING", "b"],
        ["SUCCEEDED", "b"],
        ["SUCCEEDED"],
    ]


def test_a_stored_pipeline_is_started_with_its_parameters_and_followed_or_not(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "POST /api/v1/applications/shop/pipelines/Deliver%20it/start"
    api.will(path, {"executionId": "e1"}, status=202)
    begins = stage("RUNNING", type="manualJudgment", waitingFor="its first run to end", waiting={"type": "work"})
    asks = {**begins, "waitingFor": "a person to judge", "waiting": {"type": "judgment"}}
    ended = {"status": "TERMINAL", "stages": [stage("TERMINAL")]}
    api.will(
        f"GET {EXECUTION}", {"status": "RUNNING", "stages": [begins]}, {"status": "RUNNING", "stages": [asks]}, ended
    )

    unknown = {"problems": [{"code": "pipeline.unknown", "message": "no"}]}
    api.will("POST /api/v1/applications/shp/pipelines/x/start", unknown, status=404)
    api.will("GET /api/v1/applications", {"applications": ["shop"]})
    with pytest.raises(Refused):
        running.start(client, "shp", "x", {}, follows=False)
    assert "Did you mean 'shop'?" in capsys.readouterr().err

    assert running.start(client, "shop", "Deliver it", {"tag": "1.2.3"}, follows=False) == 0
    assert capsys.readouterr().out == "e1\n"
    assert running.start(client, "shop", "Deliver it", {}, follows=True) == 1
    said = capsys.readouterr().out
    assert said.count("gennaker approve e1, or gennaker reject e1") == 1, "not before there is something to answer"
    assert said.endswith("TERMINAL\n")
    assert [asked for asked in api.asked if asked[0] == path] == [(path, {"parameters": {"tag": "1.2.3"}}), (path, {})]


def test_a_run_that_nobody_waits_for_prints_its_id_alone(
    api: ApiServer, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.json").write_text('{"name": "deliver", "application": "shop"}')
    odd = {"message": "Odd.", "remedy": "Look."}
    api.will("POST /api/v1/run", {"executionId": "e1", "warnings": [odd]}, status=202)

    assert running.run_file(client, tmp_path / "p.json", follows=False) == 0

    said = capsys.readouterr()
    assert said.out == "e1\n"
    assert "warning: Odd. Look." in said.err


def test_a_run_that_fails_says_why_and_ends_with_1(
    api: ApiServer, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.json"
    file.write_text("{}")
    log = "\n".join(f"line {number}" for number in range(40))
    problem = {"message": "It broke.", "remedy": "Mend it.", "pointer": "/manifests/0", "details": {"log": log}}
    api.will("POST /api/v1/run", {"executionId": "e1"}, status=202)
    ended = {"status": "TERMINAL", "stages": [stage("TERMINAL", problems=[problem])]}
    api.will(f"GET {EXECUTION}", {**ended, "problems": [problem, {"message": "It ended."}]})

    assert running.run_file(client, file) == 1

    said = capsys.readouterr().out
    assert said.count("It broke. (at /manifests/0) Mend it.") == 1
    assert "  It ended.\n" in said
    shown = [line.strip() for line in said.splitlines() if "| line" in line]
    assert shown == [f"| line {number}" for number in range(25, 40)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no JSON object"),
        ("[" * 100_000, "nested too deeply"),
        (None, "can't be read: No such file"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused(client: Client, tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "p.json"
    if content is not None:
        file.write_text(content)

    with pytest.raises(Refused, match=said):
        running.run_file(client, file)


WAITING = stage("RUNNING", "Approve", type="manualJudgment")
OTHER = stage("RUNNING", "Really", type="manualJudgment")


@pytest.mark.parametrize("name", ["", "id-Approve", "ref-Approve", "Approve"])
def test_the_judgment_that_waits_is_answered(api: ApiServer, client: Client, name: str) -> None:
    api.will(
        f"GET {EXECUTION}", {"stages": [stage("RUNNING"), WAITING, stage("SUCCEEDED", "x", type="manualJudgment")]}
    )
    api.will(f"POST {EXECUTION}/stages/id-Approve/judgment", {})

    assert running.judge(client, "e1", name, running.Answer(judgment="stop", choice="b", comment="no")) == 0

    assert api.asked[-1][1] == {"judgment": "stop", "judgmentInput": "b", "comment": "no"}


def test_where_several_wait_one_must_be_named(api: ApiServer, client: Client) -> None:
    api.will(f"GET {EXECUTION}", {"stages": [WAITING, OTHER]})

    with pytest.raises(
        Refused, match=r"Nothing was done: several judgments wait in e1: ref-Approve \(Approve\), ref-Really \(Really\)"
    ):
        running.judge(client, "e1", "", running.Answer(judgment="continue"))


def test_where_another_waits_than_is_named_that_is_said(api: ApiServer, client: Client) -> None:
    api.will(f"GET {EXECUTION}", {"stages": [WAITING]})

    with pytest.raises(Refused, match=r"no judgment 'x' waits in e1.* there wait: ref-Approve \(Approve\)"):
        running.judge(client, "e1", "x", running.Answer(judgment="continue"))


def test_a_paused_one_must_go_on_first(api: ApiServer, client: Client) -> None:
    api.will(f"GET {EXECUTION}", {"stages": [stage("PAUSED", "Approve", type="manualJudgment")]})

    with pytest.raises(Refused, match=r"e1 is paused, and its judgment with it\. .*gennaker resume e1"):
        running.judge(client, "e1", "", running.Answer(judgment="continue"))


def test_where_none_waits_that_is_said(api: ApiServer, client: Client) -> None:
    api.will(f"GET {EXECUTION}", {"stages": [stage("RUNNING")]})

    with pytest.raises(Refused, match="No manual judgment waits in e1"):
        running.judge(client, "e1", "", running.Answer(judgment="continue"))


def test_a_rollback_says_what_it_does_and_waits_for_it(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("POST /api/v1/applications/shop/rollback", {"executionId": "e1", "sentence": "Rolling back."}, status=202)
    api.will(f"GET {EXECUTION}", {"status": "SUCCEEDED", "stages": []})

    assert running.roll_back(client, "shop", {"cluster": "shop-prod"}) == 0

    assert api.asked[0][1] == {"cluster": "shop-prod"}
    assert capsys.readouterr().out.split("\n")[0] == "Rolling back."


def test_a_link_is_printed(api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.will("POST /api/v1/links", {"url": "http://x/ui/sign-in?once=abc"}, status=201)

    assert running.print_link(client) == 0

    assert capsys.readouterr().out == "http://x/ui/sign-in?once=abc\n"


# -- stopping ---------------------------------------------------------------------------------------------------------

_SERVER = """
import signal, sys, time
from pathlib import Path
from gennaker.transport.folder import DataFolder
folder = DataFolder(Path(sys.argv[1]))
is_over = []
signal.signal(signal.SIGTERM, lambda *_: is_over.append(1))
print("ready", flush=True)
while not is_over:
    time.sleep(0.01)
folder.close()
"""


@pytest.mark.slow
def test_stopping_ends_the_server_that_holds_the_folder_and_waits_for_it(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(data)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"

        assert running.stop(data, everything=False) == 0

        DataFolder(data).close()
        assert server.wait(600) == 0
    assert "The server has stopped" in capsys.readouterr().out


def test_an_announcement_that_a_killed_server_left_harms_no_other_process(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(6000)"])
    try:
        DataFolder(data).close()
        announced = {"pid": bystander.pid, "api": "http://127.0.0.1:1", "registry": "x"}
        (data / "server.json").write_text(json.dumps(announced))
        (data / "gennaker.lock").write_text(f"{bystander.pid}\n")

        assert running.stop(data, everything=False) == 0

        assert bystander.poll() is None
        assert "No Gennaker runs on" in capsys.readouterr().out
    finally:
        bystander.send_signal(signal.SIGKILL)
        bystander.wait(600)


@pytest.mark.slow
def test_stopping_while_a_backup_has_locked_the_folder_harms_no_other_process(data: Path) -> None:
    DataFolder(data).close()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as bystander:
        (data / "gennaker.lock").write_text(f"{bystander.pid}\n")
        opened = os.open(data, os.O_RDONLY)
        fcntl.flock(opened, fcntl.LOCK_EX)
        try:
            with pytest.raises(Refused, match="somebody else has locked"):
                running.stop(data, everything=False)

            assert bystander.poll() is None
        finally:
            os.close(opened)
            bystander.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_a_backup_that_waited_for_the_folder_does_not_keep_the_stop(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data.mkdir()
    opened = os.open(data, os.O_RDONLY)
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(data)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        waits = threading.Thread(target=fcntl.flock, args=(opened, fcntl.LOCK_EX), daemon=True)
        waits.start()
        try:
            assert running.stop(data, everything=False) == 0
        finally:
            server.send_signal(signal.SIGTERM)
            joined(waits)
            os.close(opened)
    assert "The server has stopped" in capsys.readouterr().out


def test_a_stop_waits_for_longer_where_the_server_may_take_longer(data: Path) -> None:
    def patience(stop_seconds: float) -> float:
        held = DataFolder(data)
        held.announce(ServerFile(pid=1, api="http://127.0.0.1:1", registry="x", stop_seconds=stop_seconds))
        waits_seconds = running.stop_waits_seconds(data)
        held.close()
        return waits_seconds

    assert [patience(seconds) for seconds in (1, 25, 50, 300)] == [60, 60, 60, 310]
    assert running.stop_waits_seconds(data) == 60


def test_a_command_goes_to_the_execution(api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.will(f"POST {EXECUTION}/cancel", {"status": "CANCELED"})

    assert running.command(client, "e1", "cancel", {"reason": "wrong"}) == 0

    assert capsys.readouterr().out == "e1: CANCELED\n"


def test_programs_get_the_answer_alone(
    api: ApiServer, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.json").write_text("{}")
    ended = {"status": "SUCCEEDED", "stages": [stage("SUCCEEDED", "Approve")]}
    api.will("POST /api/v1/run", {"executionId": "e1", "warnings": [{"message": "odd type"}]}, status=202)
    api.will("POST /api/v1/applications/shop/pipelines/p/start", {"executionId": "e1"}, status=202)
    api.will("POST /api/v1/applications/shop/rollback", {"executionId": "e1", "sentence": "Rolling back."}, status=202)
    api.will(f"GET {EXECUTION}", {"status": "RUNNING", "stages": [WAITING]}, ended)
    for path in ("cancel", "stages/id-Approve/judgment", "stages/id-Approve/skip"):
        api.will(f"POST {EXECUTION}/{path}", {"did": path})
    answer = running.Answer(judgment="continue")

    for work, expected in (
        (lambda: running.judge(client, "e1", "", answer, form=Form.JSON), {"did": "stages/id-Approve/judgment"}),
        (
            lambda: running.stage_command(client, "e1", "skip", stage="Approve", form=Form.JSON),
            {"did": "stages/id-Approve/skip"},
        ),
        (lambda: running.command(client, "e1", "cancel", form=Form.JSON), {"did": "cancel"}),
        (lambda: running.start(client, "shop", "p", {}, follows=False, form=Form.JSON), {"executionId": "e1"}),
        (lambda: running.run_file(client, tmp_path / "p.json", Form.JSON), ended),
        (lambda: running.roll_back(client, "shop", {}, Form.JSON), ended),
    ):
        assert work() == 0
        assert json.loads(capsys.readouterr().out) == expected


def test_a_command_about_a_stage_takes_its_name(
    api: ApiServer, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will(f"GET {EXECUTION}", {"stages": [stage("RUNNING"), stage("RUNNING", "b")]})
    api.will(f"POST {EXECUTION}/stages/id-b/skip", {"status": "RUNNING"})

    running.stage_command(client, "e1", "skip", stage="b")

    assert capsys.readouterr().out == "e1: RUNNING\n"


@pytest.mark.parametrize(("names", "said"), [((), "has no stage 'a'"), (("a", "a"), "2 stages of e1 are called 'a'")])
def test_a_stage_that_is_not_the_only_one_of_its_name_is_refused(
    api: ApiServer, client: Client, names: tuple[str, ...], said: str
) -> None:
    api.will(f"GET {EXECUTION}", {"stages": [stage("RUNNING", name) for name in names]})

    with pytest.raises(Refused, match=said):
        running.stage_command(client, "e1", "skip", stage="a")


def refusal(client: Client, what: str) -> str:
    with pytest.raises(Refused) as caught:
        running.stage_command(client, "e1", what, stage="")
    return str(caught.value)


def test_without_a_name_the_only_stage_that_can_be_meant_is(api: ApiServer, client: Client) -> None:
    judged = stage("RUNNING", "b", type="manualJudgment")
    listed = [
        stage("RUNNING"),
        judged,
        stage("TERMINAL", "c"),
        stage("SUCCEEDED", "d"),
        stage("TERMINAL", "e", parentId="id-c"),
    ]
    api.will(f"GET {EXECUTION}", {"stages": listed})
    for name, what in (("a", "skip"), ("c", "restart"), ("c", "ignore-failure")):
        api.will(f"POST {EXECUTION}/stages/id-{name}/{what}", {"status": "RUNNING"})

    for what in ("skip", "restart", "ignore-failure"):
        assert running.stage_command(client, "e1", what, stage="") == 0


@pytest.mark.parametrize("named", ["a", ""])
def test_skipping_a_stage_that_waits_for_its_execution_window_skips_the_window(
    api: ApiServer, client: Client, named: str
) -> None:
    window = stage("RUNNING", "window", type="restrictExecutionDuringTimeWindow", parentId="id-a")
    api.will(f"GET {EXECUTION}", {"stages": [window, stage("RUNNING")]})
    api.will(f"POST {EXECUTION}/stages/id-window/skip", {"status": "RUNNING"})

    assert running.stage_command(client, "e1", "skip", stage=named) == 0


def test_where_several_can_be_meant_they_are_listed_and_nothing_is_done(api: ApiServer, client: Client) -> None:
    deploy = stage("RUNNING", "ship it", type="deploy", context={"skippable": True}, waitingFor="instances")
    api.will(
        f"GET {EXECUTION}", {"stages": [stage("RUNNING"), deploy, stage("SUCCEEDED", "c"), stage("SUCCEEDED", "d")]}
    )

    assert refusal(client, "skip").splitlines() == [
        "Nothing was done: which stage? 2 stages of e1 can be skipped:",
        "  ref-a        RUNNING          a",
        "  ref-ship it  RUNNING          ship it  waits for instances",
        " Name one: gennaker skip e1 --stage 'ref-a'",
    ]
    assert [line.split()[0] for line in refusal(client, "restart").splitlines()[1:3]] == ["ref-c", "ref-d"]
    assert "No stage of e1 can be let pass now. Those that have failed can be." in refusal(client, "ignore-failure")
    assert {question.split()[0] for question, _ in api.asked} == {"GET"}


def test_a_run_goes_on_when_the_server_was_away(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_LOOKS_EVERY_SECONDS", 0.02)
    with api_server.running(data):
        client = Client(data)
    with closing(client), api_server.running(data) as started_again:
        started_again.will(f"GET {EXECUTION}", {"status": "SUCCEEDED", "stages": [stage("SUCCEEDED")]})

        assert running.follow(client, "e1") == 0

    said = capsys.readouterr()
    assert "The server doesn't answer. Nothing is lost" in said.err
    assert said.err.endswith("The server answers again.\n")
    assert said.out.split() == ["SUCCEEDED", "a", "SUCCEEDED"]


def test_a_server_that_stays_away_is_given_up_with_a_sentence(
    data: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_LOOKS_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(patience, "WAITS_SECONDS", 0.03)
    (data / "server.json").unlink()

    def question() -> str:
        raise Refused(Problem(code="server.unreachable", message="Gone."))

    with pytest.raises(Refused, match=r"No Gennaker runs on .*it was away for .*gennaker watch e1"):
        patience.ask(client, "e1", question, tell=lambda _: None)
