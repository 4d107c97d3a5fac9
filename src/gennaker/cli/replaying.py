"""`gennaker replay`: folds a journal again, shows any state on the way, and asks "what if".

The journal comes from a file, from the server that runs on the data folder, or from the folder where none runs.
"""

from importlib.metadata import version
from pathlib import Path

import msgspec

from gennaker.cli import addresses, documents, simulating, terminal
from gennaker.cli.terminal import Form
from gennaker.engine import differences, recording, replaying, what_if
from gennaker.engine.calculating import Calculator
from gennaker.engine.recording import Recording
from gennaker.engine.what_if import Change, Outcome
from gennaker.model import plain_yaml
from gennaker.model.codec import Json, encode, to_json
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem, Refused
from gennaker.model.waiting import said
from gennaker.settings import Settings
from gennaker.transport.client import Client, Remote
from gennaker.transport.folder import holder

_SHOWN = 10


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; nothing: the check."""

    at: int = 0
    """The state after this event; 0: not asked for."""
    other: Path | None = None
    export: Path | None = None
    form: Form = Form.TABLE


def replay(
    where: Path | Remote,
    execution: str,
    wanted: Wanted,
    *,
    settings: Settings = Settings(),  # noqa: B008 - a frozen record
) -> int:
    """Does what is wanted; 1 where replaying gives another state. `settings` say where the store of the folder is."""
    recorded = find(where, execution, settings)
    if wanted.export is not None:
        documents.write(wanted.export, encode(recording.to_json(recorded)))
        terminal.say(f"{len(recorded.events)} events written to {wanted.export}.")
        return 0
    if wanted.at:
        return _show_state(recorded, wanted)
    if wanted.other is not None:
        is_here = isinstance(where, Path) and not documents.is_file(execution)
        calculator = Calculator(simulating.known_stages(), settings if is_here else None)
        return _what_if(recorded, wanted.other, calculator, form=wanted.form)
    return _check(recorded, form=wanted.form)


def find(where: Path | Remote, execution: str, settings: Settings) -> Recording:
    """The recording. Raises Refused."""
    if documents.is_file(execution):
        return recording.read(documents.content(Path(execution)))
    if isinstance(where, Remote) or holder(where) is not None:
        return recording.read(encode(Client(where).get(f"{addresses.execution(execution)}/journal")))
    from gennaker import app as assembly

    return assembly.recorded(settings, where, execution)


def _check(recorded: Recording, *, form: Form) -> int:
    verdict = replaying.check(recorded, engine=version("gennaker"))
    if form is not Form.TABLE:
        terminal.show(to_json(verdict), form)
    else:
        terminal.say(verdict.sentence)
        for one in verdict.differences[:_SHOWN]:
            terminal.say(f"  {one.pointer}: stored {_short(one.before)}, replayed {_short(one.after)}")
        if len(verdict.differences) > _SHOWN:
            terminal.say(f"  and {len(verdict.differences) - _SHOWN} more")
    return 0 if verdict.is_same else 1


def _show_state(recorded: Recording, wanted: Wanted) -> int:
    state = replaying.at(recorded, wanted.at)
    one = recorded.events[wanted.at - 1]
    if wanted.form is not Form.TABLE:
        terminal.show(
            {"number": one.number, "event": to_json(one.event), "state": differences.as_json(state)}, wanted.form
        )
        return 0
    ignored = f", ignored: {one.ignored}" if one.ignored else ""
    terminal.say(
        f"After event {wanted.at} of {len(recorded.events)}, {type(one.event).__name__} at {one.event.at}{ignored}"
    )
    _show(state)
    return 0


def _show(state: Execution) -> None:
    terminal.say(f"{state.head.id}  {state.head.status.value}  {said(state.head.waiting_for)}".rstrip())
    for stage in state.in_order():
        waits = [said(task.waiting_for) for task in stage.tasks if task.waiting_for] or [said(stage.waiting_for)]
        running = ", ".join(task.name for task in stage.tasks if task.status.value == "RUNNING")
        line = f"  {stage.status.value:<15} {stage.ref_id:<6} {stage.name}" + (f" ({running})" if running else "")
        terminal.say(f"{line}  waits for {waits[0]}" if waits[0] else line)


def _what_if(recorded: Recording, file: Path, calculator: Calculator, *, form: Form) -> int:
    other = _read(file)
    if not isinstance(other, dict) or not ("stages" in other or "events" in other):
        raise Refused(
            Problem(
                code="what_if.unknown",
                message=f"{file} holds neither a pipeline (`stages`) nor changed events (`events`).",
                remedy="Give one of the two, as JSON or YAML.",
            )
        )
    if "events" in other:
        try:
            changes = msgspec.convert(other["events"], tuple[Change, ...])
        except msgspec.ValidationError as error:
            raise Refused(Problem(code="what_if.unreadable", message=f"{file}: {error}.", pointer="/events")) from error
        outcome, state = what_if.with_changes(recorded, changes, calculator)
    else:
        outcome, state = what_if.with_definition(recorded, other, calculator)
    if form is not Form.TABLE:
        parted = [to_json(one) for one in differences.of_states(recorded.execution, state)]
        outcome_json = to_json(outcome)
        assert isinstance(outcome_json, dict)
        terminal.show({**outcome_json, "differences": parted}, form)
    else:
        _show_outcome(outcome)
    return 0


def _show_outcome(outcome: Outcome) -> None:
    if outcome.before == outcome.after:
        terminal.say(f"It would have ended the same way: {outcome.after}")
    else:
        terminal.say(f"It would have ended otherwise: {outcome.before} → {outcome.after}")
    before_s, after_s = outcome.seconds_before, outcome.seconds_after
    if before_s is not None and after_s is not None and round(before_s) != round(after_s):
        terminal.say(f"  it would have taken {after_s:.0f} s instead of {before_s:.0f} s")
    for stage in outcome.changed:
        before, after = (status or "not there" for status in (stage.before, stage.after))
        terminal.say(f"  {stage.name} ({stage.ref_id}): " + (before if before == after else f"{before} → {after}"))
        for one in stage.outputs[:_SHOWN]:
            terminal.say(f"    {one.pointer.removeprefix('/')}: {_short(one.before)} → {_short(one.after)}")
        if len(stage.outputs) > _SHOWN:
            terminal.say(f"    and {len(stage.outputs) - _SHOWN} more outputs")
    for unknown in outcome.open:
        whose = f"{unknown.stage} ({unknown.ref_id})" if unknown.stage else "the execution"
        terminal.say(f"  stops at {whose}: {unknown.what} was not recorded, and {unknown.why}")
    if outcome.open:
        terminal.say("  `gennaker simulate` lets you say how such stages end")
    if outcome.unused:
        terminal.say(f"  {len(outcome.unused)} recorded results were not asked for")
    for note in outcome.notes:
        terminal.say(f"  note: {note}")


def _read(file: Path) -> Json:
    try:
        return plain_yaml.read(documents.content(file))
    except plain_yaml.NotPlain as error:
        raise Refused(
            Problem(code="file.unreadable", message=f"{file} can't be read: {error}.", remedy="Give JSON or YAML.")
        ) from error


def _short(value: Json) -> str:
    text = encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}…"
