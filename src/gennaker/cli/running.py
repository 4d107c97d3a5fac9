"""Commands that steer a running server: run, judge, roll back, stop."""

import os
import signal
import time
from pathlib import Path
from urllib.parse import quote

from gennaker.cli import choosing, documents, patience, terminal
from gennaker.model import foreign, problems
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import mappings_at, text_at
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.settings import Settings
from gennaker.transport.client import Client
from gennaker.transport.folder import holder

_STOP_WAITS_SECONDS = 60.0
_LOOKS_EVERY_SECONDS = 0.1
_STARTS_WITHIN_SECONDS = 10.0
_LOG_LINES = 15


def patient_client(data: Path) -> Client:
    """A client of the server that runs on the folder, or is starting. Raises Refused after ten seconds."""
    until = time.monotonic() + _STARTS_WITHIN_SECONDS
    while not (data / "server.json").exists() and time.monotonic() < until:
        time.sleep(_LOOKS_EVERY_SECONDS)
    return Client(data)


def run_file(client: Client, file: Path) -> int:
    """Saves and starts the pipeline in a file, then shows its stages as they move on."""
    body = documents.pipeline(file)
    answer = client.post("/api/v1/run", body)
    execution_id = text_at(answer, "executionId")
    for warning in mappings_at(answer, "warnings"):
        terminal.say(f"warning: {text_at(warning, 'message')} {text_at(warning, 'remedy')}".rstrip())
    terminal.say(f"{execution_id}  {client.address}/ui/#/executions/{execution_id}")
    return follow(client, execution_id)


def start(client: Client, application: str, pipeline: str, parameters: JsonObject, *, follows: bool) -> int:
    """Starts a stored pipeline by name or id; then as `run_file`, or at once 0."""
    where = f"/api/v1/applications/{quote(application, safe='')}/pipelines/{quote(pipeline, safe='')}/start"
    execution_id = text_at(client.post(where, {"parameters": parameters} if parameters else {}), "executionId")
    if not follows:
        terminal.say(execution_id)
        return 0
    terminal.say(f"{execution_id}  {client.address}/ui/#/executions/{execution_id}")
    return follow(client, execution_id)


def follow(client: Client, execution_id: str) -> int:
    """A line for each change of a stage, until the execution ends; 0 if it succeeds."""
    shown: dict[str, str] = {}
    told: set[str] = set()
    while True:
        execution = patience.ask(
            client, execution_id, lambda: client.get(f"/api/v1/executions/{execution_id}"), tell=terminal.note
        )
        for stage in mappings_at(execution, "stages"):
            state = f"{text_at(stage, 'status'):<15} {text_at(stage, 'name')}"
            waiting = text_at(stage, "waitingFor")
            line = f"{state}  waits for {waiting}" if waiting and text_at(stage, "status") == "RUNNING" else state
            if text_at(stage, "status") != "NOT_STARTED" and shown.get(text_at(stage, "id")) != line:
                shown[text_at(stage, "id")] = line
                terminal.say(f"  {line}")
                if waiting and text_at(stage, "type") == "manualJudgment":
                    terminal.say(f"    gennaker approve {execution_id}, or gennaker reject {execution_id}")
                _tell(mappings_at(stage, "problems"), told, indented=4)
        status = Status(text_at(execution, "status"))
        if status.is_complete:
            _tell(mappings_at(execution, "problems"), told, indented=2)
            terminal.say(str(status))
            return 0 if status is Status.SUCCEEDED else 1
        time.sleep(_LOOKS_EVERY_SECONDS * 3)


def _tell(listed: list[JsonObject], told: set[str], *, indented: int) -> None:
    """What wasn't told before: an execution's problems are those of its stages."""
    for problem in listed:
        said = f"{text_at(problem, 'message')} {text_at(problem, 'remedy')}".rstrip()
        if said not in told:
            told.add(said)
            terminal.say(" " * indented + said)
            for line in problems.log_of(foreign.mapping(problem.get("details"))).splitlines()[-_LOG_LINES:]:
                terminal.say(" " * indented + f"| {line}")


def judge(client: Client, execution_id: str, stage: str, *, judgment: str, choice: str, comment: str) -> int:
    """Answers the manual judgment that waits; `stage` (id, refId or name) is needed where several do."""
    execution = client.get(f"/api/v1/executions/{execution_id}")
    meant = [
        found
        for found in mappings_at(execution, "stages")
        if text_at(found, "type") == "manualJudgment"
        and stage in ("", text_at(found, "id"), text_at(found, "refId"), text_at(found, "name"))
    ]
    waiting = [found for found in meant if text_at(found, "status") == "RUNNING"]
    if not waiting and any(text_at(found, "status") == "PAUSED" for found in meant):
        raise Refused(_paused(execution_id))
    if len(waiting) != 1:
        raise Refused(_not_one(execution_id, [text_at(found, "name") for found in waiting]))
    stage_id = text_at(waiting[0], "id")
    body: JsonObject = {"judgment": judgment, "judgmentInput": choice, "comment": comment}
    client.post(f"/api/v1/executions/{execution_id}/stages/{stage_id}/judgment", body)
    terminal.say(f"{text_at(waiting[0], 'name')}: {judgment}")
    return 0


def command(client: Client, execution_id: str, what: str, body: JsonObject | None = None) -> int:
    """Gives a command to an execution."""
    answer = client.post(f"/api/v1/executions/{execution_id}/{what}", body)
    terminal.say(f"{execution_id}: {text_at(answer, 'status')}")
    return 0


def stage_command(client: Client, execution_id: str, what: str, body: JsonObject | None = None, *, stage: str) -> int:
    """Gives a command to a stage of an execution: id, refId or name, or empty where only one can be meant."""
    path = f"/api/v1/executions/{execution_id}"
    execution = {**foreign.mapping(client.get(path)), "id": execution_id}
    return command(client, execution_id, f"stages/{choosing.stage_id(execution, stage, what)}/{what}", body)


def roll_back(client: Client, application: str, *, cluster: str, account: str, region: str) -> int:
    """Rolls back and waits until it is done."""
    body: JsonObject = {"cluster": cluster, "account": account, "region": region}
    answer = client.post(f"/api/v1/applications/{application}/rollback", body)
    terminal.say(text_at(answer, "sentence"))
    return follow(client, text_at(answer, "executionId"))


def print_link(client: Client) -> int:
    """A one-time link to the page."""
    terminal.say(text_at(client.post("/api/v1/links"), "url"))
    return 0


def stop(data: Path, *, everything: bool, settings: Settings = Settings()) -> int:  # noqa: B008 - a frozen record
    """Ends the server, and with `everything` what it has started (`settings` say where that is)."""
    was_running = _stop_server(data)
    if everything:
        from gennaker import app as assembly

        count = assembly.stop_everything(settings, data)
        terminal.say(f"{count} processes and containers stopped.")
    elif was_running:
        terminal.say("The server has stopped; instances and load balancers go on. `gennaker stop --all` ends them too.")
    return 0


def _stop_server(data: Path) -> bool:
    pid = holder(data)
    if pid is None:
        terminal.say(f"No Gennaker runs on {data}.")
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        terminal.say(f"The server (pid {pid}) is already gone.")
        return False
    except PermissionError as error:
        raise Refused(
            Problem(
                code="server.not_yours",
                message=f"The server (pid {pid}) belongs to another user.",
                remedy="Run the command as the user who started it.",
            )
        ) from error
    until = time.monotonic() + _STOP_WAITS_SECONDS
    while time.monotonic() < until:
        if holder(data) is None:
            return True
        time.sleep(_LOOKS_EVERY_SECONDS)
    raise Refused(
        Problem(
            code="server.does_not_stop",
            message=f"The server (pid {pid}) has not ended within {_STOP_WAITS_SECONDS:.0f} seconds.",
            remedy="Look at its log; killing it loses nothing.",
        )
    )


def _paused(execution_id: str) -> Problem:
    return Problem(
        code="judgment.paused",
        message=f"{execution_id} is paused, and its judgment with it.",
        remedy=f"Let it go on first: gennaker resume {execution_id}.",
    )


def _not_one(execution_id: str, names: list[str]) -> Problem:
    if names:
        return Problem(
            code="judgment.ambiguous",
            message=f"Several judgments wait in {execution_id}: {', '.join(names)}.",
            remedy="Name one with --stage.",
        )
    return Problem(code="judgment.none", message=f"No manual judgment waits in {execution_id}.")
