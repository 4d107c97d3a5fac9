"""Commands that steer a running server: run, judge, roll back, stop."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from gennaker.cli import addresses, choosing, documents, listing, patience, terminal
from gennaker.cli.terminal import Form
from gennaker.model import foreign, problems
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mappings_at, text_at
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.settings import Settings
from gennaker.transport.client import Client
from gennaker.transport.folder import announced, holder, is_served

_STOP_WAITS_SECONDS = 60.0
_STOP_SPARES_SECONDS = 10.0
"""Beyond what a server may take by its settings."""
_LOOKS_EVERY_SECONDS = 0.1
_STARTS_WITHIN_SECONDS = 10.0
_LOG_LINES = 15


def patient_client(data: Path) -> Client:
    """A client of the server that runs on the folder, or is starting. Raises Refused after ten seconds."""
    until = time.monotonic() + _STARTS_WITHIN_SECONDS
    while not (data / "server.json").exists() and time.monotonic() < until:
        time.sleep(_LOOKS_EVERY_SECONDS)
    return Client(data)


def run_file(client: Client, file: Path, form: Form = Form.TABLE, *, follows: bool = True) -> int:
    """Saves and starts the pipeline in a file, then shows its stages as they move on, or at once 0."""
    answer = client.post("/api/v1/run", documents.pipeline(file))
    tell = _teller(form) if follows else terminal.note  # whoever doesn't wait reads the id
    for warning in mappings_at(answer, "warnings"):
        tell(f"warning: {text_at(warning, 'message')} {text_at(warning, 'remedy')}".rstrip())
    return _started(client, answer, form, follows=follows)


def start(
    client: Client,
    application: str,
    pipeline: str,
    parameters: JsonObject,
    *,
    follows: bool,
    form: Form = Form.TABLE,
) -> int:
    """Starts a stored pipeline by name or id; then as `run_file`, or at once 0."""
    where = f"{addresses.pipeline(application, pipeline)}/start"
    try:
        answer = client.post(where, {"parameters": parameters} if parameters else {})
    except Refused as refused:
        if refused.problems[0].code == "pipeline.unknown":
            listing.tell_unknown(client, application)
        raise
    return _started(client, answer, form, follows=follows)


def _started(client: Client, answer: Json, form: Form, *, follows: bool) -> int:
    execution_id = text_at(answer, "executionId")
    if not follows:
        _show(answer, form, execution_id)
        return 0
    _teller(form)(f"{execution_id}  {client.address}/ui/#/executions/{execution_id}")
    return follow(client, execution_id, form)


def follow(client: Client, execution_id: str, form: Form = Form.TABLE) -> int:
    """A line for each change of a stage, until the execution ends; 0 if it succeeds.

    In another form than a table the lines go beside, and the execution as it has ended is what is printed.
    """
    tell = _teller(form)
    shown: dict[str, str] = {}
    told: set[str] = set()
    while True:
        execution = patience.ask(
            client, execution_id, lambda: client.get(addresses.execution(execution_id)), tell=terminal.note
        )
        for stage in mappings_at(execution, "stages"):
            state = f"{text_at(stage, 'status'):<15} {text_at(stage, 'name')}"
            waiting = text_at(stage, "waitingFor")
            line = f"{state}  waits for {waiting}" if waiting and text_at(stage, "status") == "RUNNING" else state
            if text_at(stage, "status") != "NOT_STARTED" and shown.get(text_at(stage, "id")) != line:
                shown[text_at(stage, "id")] = line
                tell(f"  {line}")
                if text_at(foreign.mapping(stage.get("waiting")), "type") == "judgment":
                    tell(f"    gennaker approve {execution_id}, or gennaker reject {execution_id}")
                _tell(tell, mappings_at(stage, "problems"), told, indented=4)
        status = Status(text_at(execution, "status"))
        if status.is_complete:
            _tell(tell, mappings_at(execution, "problems"), told, indented=2)
            _show(execution, form, str(status))
            return 0 if status is Status.SUCCEEDED else 1
        time.sleep(_LOOKS_EVERY_SECONDS * 3)


def _teller(form: Form) -> Callable[[str], None]:
    """Where to say what isn't the answer itself."""
    return terminal.say if form is Form.TABLE else terminal.note


def _show(answer: object, form: Form, sentence: str) -> None:
    """The answer as it came, or what it says in a table's place."""
    if form is Form.TABLE:
        terminal.say(sentence)
    else:
        terminal.show(answer, form)


def _tell(tell: Callable[[str], None], listed: list[JsonObject], told: set[str], *, indented: int) -> None:
    """What wasn't told before: an execution's problems are those of its stages."""
    for problem in listed:
        at = f" (at {pointer})" if (pointer := text_at(problem, "pointer")) else ""
        said = f"{text_at(problem, 'message')}{at} {text_at(problem, 'remedy')}".rstrip()
        if said not in told:
            told.add(said)
            tell(" " * indented + said)
            for line in problems.log_of(foreign.mapping(problem.get("details"))).splitlines()[-_LOG_LINES:]:
                tell(" " * indented + f"| {line}")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered to a judgment."""

    judgment: str
    choice: str = ""
    comment: str = ""


def judge(client: Client, execution_id: str, stage: str, given: Answer, *, form: Form = Form.TABLE) -> int:
    """Answers the manual judgment that waits; `stage` (id, refId or name) is needed where several do."""
    execution = client.get(addresses.execution(execution_id))
    meant = [
        found
        for found in _judgments(execution)
        if stage in ("", text_at(found, "id"), text_at(found, "refId"), text_at(found, "name"))
    ]
    waiting = [found for found in _waiting(execution) if found in meant]
    if not waiting and any(text_at(found, "status") == "PAUSED" for found in meant):
        raise Refused(_paused(execution_id))
    if len(waiting) != 1:
        raise Refused(_not_one(execution_id, stage, waiting or _waiting(execution)))
    stage_id = text_at(waiting[0], "id")
    body: JsonObject = {"judgment": given.judgment, "judgmentInput": given.choice, "comment": given.comment}
    answer = client.post(f"{addresses.execution(execution_id)}/stages/{stage_id}/judgment", body)
    _show(answer, form, f"{text_at(waiting[0], 'name')}: {given.judgment}")
    return 0


def _judgments(execution: Json) -> list[JsonObject]:
    return [found for found in mappings_at(execution, "stages") if text_at(found, "type") == "manualJudgment"]


def _waiting(execution: Json) -> list[JsonObject]:
    return [found for found in _judgments(execution) if text_at(found, "status") == "RUNNING"]


def command(
    client: Client, execution_id: str, what: str, body: JsonObject | None = None, *, form: Form = Form.TABLE
) -> int:
    """Gives a command to an execution."""
    answer = client.post(f"{addresses.execution(execution_id)}/{what}", body)
    _show(answer, form, f"{execution_id}: {text_at(answer, 'status')}")
    return 0


def stage_command(
    client: Client,
    execution_id: str,
    what: str,
    body: JsonObject | None = None,
    *,
    stage: str,
    form: Form = Form.TABLE,
) -> int:
    """Gives a command to a stage of an execution: id, refId or name, or empty where only one can be meant."""
    execution = {**foreign.mapping(client.get(addresses.execution(execution_id))), "id": execution_id}
    path = f"stages/{choosing.stage_id(execution, stage, what)}/{what}"
    return command(client, execution_id, path, body, form=form)


def roll_back(client: Client, application: str, cluster: JsonObject, form: Form = Form.TABLE) -> int:
    """Rolls back and waits until it is done; `cluster` as the API names it."""
    answer = client.post(f"{addresses.application(application)}/rollback", cluster)
    _teller(form)(text_at(answer, "sentence"))
    return follow(client, text_at(answer, "executionId"), form)


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


def stop_waits_seconds(data: Path) -> float:
    """How long `stop` waits for the end: a minute, or longer where the server that runs there may take longer."""
    server = announced(data)
    return max(_STOP_WAITS_SECONDS, server.stop_seconds + _STOP_SPARES_SECONDS if server else 0)


def _stop_server(data: Path) -> bool:
    pid = holder(data)
    if pid is None:
        terminal.say(f"No Gennaker runs on {data}.")
        return False
    waits_seconds = stop_waits_seconds(data)
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
    until = time.monotonic() + waits_seconds
    while time.monotonic() < until:
        if not is_served(data):  # somebody else may have locked it since, who had waited for it
            return True
        time.sleep(_LOOKS_EVERY_SECONDS)
    raise Refused(
        Problem(
            code="server.does_not_stop",
            message=f"The server (pid {pid}) has not ended within {waits_seconds:.0f} seconds.",
            remedy="Look at its log; killing it loses nothing.",
        )
    )


def _paused(execution_id: str) -> Problem:
    return Problem(
        code="judgment.paused",
        message=f"{execution_id} is paused, and its judgment with it.",
        remedy=f"Let it go on first: gennaker resume {execution_id}.",
    )


def _not_one(execution_id: str, wanted: str, waiting: list[JsonObject]) -> Problem:
    listed = ", ".join(f"{text_at(one, 'refId')} ({text_at(one, 'name')})" for one in waiting)
    if waiting and wanted:
        return Problem(
            code="judgment.unknown",
            message=f"Nothing was done: no judgment {wanted!r} waits in {execution_id}, or several do.",
            remedy=f"Name one by its refId with --stage; there wait: {listed}.",
        )
    if waiting:
        return Problem(
            code="judgment.ambiguous",
            message=f"Nothing was done: several judgments wait in {execution_id}: {listed}.",
            remedy="Name one by its refId with --stage.",
        )
    return Problem(
        code="judgment.none",
        message=f"No manual judgment waits in {execution_id}.",
        remedy=f"`gennaker why {execution_id}` says how it stands.",
    )
