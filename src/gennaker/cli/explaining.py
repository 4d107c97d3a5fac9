"""`gennaker why`: prints what keeps an execution from moving on, or what has ended it.

Asks the server that runs on the data folder; where none runs it looks into the folder itself, and says so.
"""

from datetime import datetime
from pathlib import Path

from gennaker.cli import addresses, terminal
from gennaker.cli.terminal import Form
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.problems import Problem, Refused
from gennaker.settings import Settings
from gennaker.transport.client import Client, Remote
from gennaker.transport.folder import holder

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def show(
    where: Path | Remote,
    execution_id: str,
    stage: str,
    *,
    form: Form,
    settings: Settings = Settings(),  # noqa: B008 - a frozen record
) -> int:
    """Prints the answers, the most important first. `settings` say where the store of the folder is."""
    found = _asked(where, execution_id, stage, settings)
    answers = foreign.mappings(found.get("answers"))
    if not answers:
        remedy = f"`gennaker watch {execution_id}` shows its stages; give a name, refId or id."
        raise Refused(Problem(code="stage.unknown", message=f"{execution_id} has no stage {stage!r}.", remedy=remedy))
    if form is not Form.TABLE:
        terminal.show(found, form)
        return 0
    now = _instant(found.get("at"))
    terminal.say(f"{found['executionId']}  {found['name']}  {found['status']}")
    for number, answer in enumerate(answers):
        if number:
            terminal.say("")
            terminal.say("And:")
        _show(answer, now)
    return 0


def _asked(where: Path | Remote, execution_id: str, stage: str, settings: Settings) -> JsonObject:
    if isinstance(where, Path) and holder(where) is None:
        from gennaker import app as assembly

        found = to_json(assembly.explain(settings, where, execution_id, stage))
    else:
        query = {"stage": stage} if stage else {}
        found = Client(where).get(f"{addresses.execution(execution_id)}/why", **query)
    assert isinstance(found, dict)
    return found


def _show(answer: JsonObject, now: datetime | None) -> None:
    for link in foreign.mappings(answer.get("chain")):
        terminal.say(f"  {link['sentence']}  [{link['executionId']}]")
        terminal.say("  because:")
    terminal.say(f"  {answer['sentence']}")
    _fact("what", answer.get("about"))
    _fact("link", answer.get("url"))
    _fact("seen", answer.get("observed"))
    _fact("since", _when(answer.get("since"), now))
    _fact("goes on", _when(answer.get("goesOnAt"), now))
    _fact("times out", _when(answer.get("timesOutAt"), now))
    _fact("", answer.get("then") if answer.get("timesOutAt") else "")
    notes = answer.get("notes")
    for note in notes if isinstance(notes, list) else []:
        _fact("note", note)
    for line in str(answer.get("log") or "").splitlines():
        terminal.say(f"    | {line}")
    for way in foreign.mappings(answer.get("ways")):
        command = f"    {way['command']}" if way.get("command") else ""
        terminal.say(f"    {way['who']}: {way['how']}{command}".rstrip())


def _fact(name: str, value: Json) -> None:
    if value:
        terminal.say(f"    {name:<10} {value}")


def _when(value: Json, now: datetime | None) -> str:
    at = _instant(value)
    if at is None or now is None:
        return ""
    seconds = int((at - now).total_seconds())
    length = _length(abs(seconds))
    return f"{at:%Y-%m-%d %H:%M:%S} UTC ({f'in {length}' if seconds > 0 else f'{length} ago'})"


def _length(seconds: int) -> str:
    parts: list[str] = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _instant(value: Json) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None
