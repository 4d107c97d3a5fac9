"""`gennaker eval`: expressions by hand, step by step, against any execution; and the cases of a file.

An execution comes from a file (its JSON, or what `gennaker replay --export` has written), from the server that runs on
the data folder, or from the folder where none runs.
"""

from pathlib import Path

import msgspec

from gennaker.cli import addresses, documents, terminal
from gennaker.cli.terminal import Form
from gennaker.engine import orca_json, recording, replaying
from gennaker.engine.recording import Recording
from gennaker.expressions import root as roots
from gennaker.expressions import template
from gennaker.expressions.failures import Failure, Part
from gennaker.expressions.root import Root
from gennaker.model.codec import Json, JsonObject, decode_json, why_not_json
from gennaker.model.problems import Problem, Refused
from gennaker.model.wording import counted
from gennaker.settings import Settings
from gennaker.transport.client import Client, Remote
from gennaker.transport.folder import holder


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    expression: str = ""
    """With or without `${` and `}`; empty: with `is_strict` all texts of the execution."""
    execution: str = ""
    """An id or a file; empty: none, only the context."""
    stage: str = ""
    """refId, id or name of the stage whose context the expression sees."""
    context: Path | None = None
    """A file with a JSON object whose keys the expression sees before all others."""
    explains: bool = False
    """Show the value of each part."""
    is_strict: bool = False
    """What Spinnaker would leave as text is an error."""
    form: Form = Form.TABLE


def evaluate(
    where: Path | Remote,
    wanted: Wanted,
    *,
    at_ms: int = 0,
    settings: Settings = Settings(),  # noqa: B008 - a frozen record
) -> int:
    """Evaluates and prints; 1 where an expression would stay as text."""
    execution = _execution(where, wanted.execution, settings) if wanted.execution else None
    if not wanted.expression:
        return _left_as_text(execution, wanted)
    text = wanted.expression if "${" in wanted.expression else f"${{{wanted.expression}}}"
    root = _root(execution, wanted)
    made = template.evaluate({"value": text}, root, at_ms=at_ms, explains=1)
    failure = made.failures[0] if made.failures else None
    parts = failure.parts if failure else template.explain(text, root, at_ms=at_ms) if wanted.explains else ()
    value = made.value["value"] if isinstance(made.value, dict) else None
    if wanted.form is not Form.TABLE:
        shown: list[Json] = [part.as_json() for part in parts]
        terminal.show({"value": value, "failure": failure.as_json() if failure else None, "parts": shown}, wanted.form)
    else:
        _show(text, value, failure, parts if wanted.explains or failure else ())
    return 1 if failure else 0


def _root(execution: JsonObject | None, wanted: Wanted) -> Root:
    own = _object(wanted.context) if wanted.context else {}
    if execution is None:
        return roots.plain(own)
    stage = _stage(execution, wanted.stage) if wanted.stage else {}
    found = roots.at_stage(execution, _text(stage, "id"))
    return msgspec.structs.replace(found, extras={**found.extras, **own})


def _show(text: str, value: Json, failure: Failure | None, parts: tuple[Part, ...]) -> None:
    width = min(max((len(part.part) for part in parts), default=0), 60)
    for part in parts:
        worth = f"failed: {part.problem}" if part.problem else f"{part.value}  ({part.type})"
        terminal.say(f"  {part.position:>4}  {part.part:<{width}}  {worth}")
    if failure is None:
        terminal.show_json(value)
    else:
        _complain(text, failure)


def _complain(text: str, failure: Failure) -> None:
    terminal.say(text)
    if failure.position >= 0 and "\n" not in text:
        terminal.say(" " * failure.position + "^" * max(len(failure.part), 1))
    terminal.say(_sentence(failure))


def _sentence(failure: Failure) -> str:
    meant = f" Did you mean {failure.nearest}?" if failure.nearest else ""
    return f"{failure.level}: {failure.message}{meant} ({failure.code})"


def _left_as_text(execution: JsonObject | None, wanted: Wanted) -> int:
    """Every text of an execution's stages that would stay as it is."""
    if execution is None or not wanted.is_strict:
        raise Refused(
            Problem(
                code="eval.nothing",
                message="There is nothing to evaluate.",
                remedy="Give an expression, --cases FILE, or --strict with --execution.",
            )
        )
    stages = [_stage(execution, wanted.stage)] if wanted.stage else _stages(execution)
    found = [(stage, failure) for stage in stages for failure in _failures(execution, stage)]
    if wanted.form is not Form.TABLE:
        listed: list[Json] = [{"stage": _text(stage, "refId"), **failure.as_json()} for stage, failure in found]
        terminal.show(listed, wanted.form)
        return 1 if found else 0
    for stage, failure in found:
        terminal.say(f"{_text(stage, 'refId')} {_text(stage, 'name')}: {failure.pointer}")
        _complain(failure.text, failure)
    terminal.say(f"{counted(len(found), 'expression')} would stay as text.")
    return 1 if found else 0


def _failures(execution: JsonObject, stage: JsonObject) -> tuple[Failure, ...]:
    context = stage.get("context")
    own: JsonObject = (
        {key: item for key, item in context.items() if key not in ("expressionEvaluationSummary", "expressionFailures")}
        if isinstance(context, dict)
        else {}
    )
    return template.evaluate(own, roots.at_stage(execution, _text(stage, "id")), explains=20).failures


def _stages(execution: JsonObject) -> list[JsonObject]:
    listed = execution.get("stages")
    return [stage for stage in listed if isinstance(stage, dict)] if isinstance(listed, list) else []


def _stage(execution: JsonObject, wanted: str) -> JsonObject:
    stages = _stages(execution)
    for key in ("refId", "id", "name"):
        for stage in stages:
            if stage.get(key) == wanted:
                return stage
    names = ", ".join(f"{_text(stage, 'refId')} ({_text(stage, 'name')})" for stage in stages)
    raise Refused(
        Problem(code="stage.unknown", message=f"There is no stage {wanted!r}.", remedy=f"There are: {names}.")
    )


def _text(raw: JsonObject, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _execution(where: Path | Remote, wanted: str, settings: Settings) -> JsonObject:
    """The execution as the API's JSON. Raises Refused."""
    if documents.is_file(wanted):
        file = Path(wanted)
        found = _object(file)
        return _state(recording.read(documents.content(file))) if "events" in found else found
    if isinstance(where, Path) and holder(where) is None:
        from gennaker import app as assembly

        return _state(assembly.recorded(settings, where, wanted))
    answer = Client(where).get(addresses.gate_execution(wanted))
    if not isinstance(answer, dict):
        raise Refused(Problem(code="execution.unknown", message=f"The server gave no execution {wanted}."))
    return answer


def _state(recorded: Recording) -> JsonObject:
    return orca_json.execution_json(replaying.at(recorded, len(recorded.events)))


def _object(file: Path) -> JsonObject:
    text = b""
    try:
        text = file.read_bytes()
        found = decode_json(text)
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        message = f"{file} can't be read: {why_not_json(error, text)}."
        raise Refused(Problem(code="file.unreadable", message=message, remedy="Name a JSON file.")) from error
    if not isinstance(found, dict):
        raise Refused(Problem(code="file.unreadable", message=f"{file} holds no JSON object."))
    return found
