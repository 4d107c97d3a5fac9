"""`gennaker simulate`: runs a pipeline on virtual time with declared outcomes and prints what would happen when."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gennaker.cli import documents, terminal
from gennaker.cli.terminal import Form
from gennaker.engine import validation
from gennaker.engine.evaluating import FAILURES
from gennaker.interfaces.stages import StageType
from gennaker.model import foreign, plain_yaml
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.testing import lab, outcomes, simulating
from gennaker.testing.simulating import Run


class Flags:
    """Outcomes that are declared on the command line, over those of a file."""

    def __init__(self, *, stages: list[str], judgments: list[str], trigger: list[str]) -> None:
        """`Deploy=TERMINAL:5m`, `Approve=stop:10m`, `tag=1.2.3`."""
        self._stages = stages
        self._judgments = judgments
        self._trigger = trigger

    def over(self, given: JsonObject) -> JsonObject:
        """The file's outcomes with these."""
        merged: JsonObject = dict(given)
        for key, listed, name in (("stages", self._stages, "status"), ("judgments", self._judgments, "judgment")):
            before = merged.get(key)
            entries: JsonObject = dict(before) if isinstance(before, dict) else {}
            for one in listed:
                stage, value = parted(one)
                what, _, length = value.partition(":")
                entry: JsonObject = {name: what}
                if length:
                    entry["duration" if name == "status" else "after"] = length
                entries[stage] = entry
            merged[key] = entries
        trigger = merged.get("trigger")
        merged["trigger"] = {
            **(trigger if isinstance(trigger, dict) else {}),
            **dict(parted(one) for one in self._trigger),
        }
        return merged


def simulate(file: Path, declared: Path | None, flags: Flags, *, form: Form) -> int:
    """Runs FILE; 0 if the pipeline succeeds."""
    given: Json = _read(declared) if declared else {}
    if not isinstance(given, dict):
        raise Refused(Problem(code="outcomes.unreadable", message=f"{declared} holds no declared outcomes."))
    config, known = lab.load(file), known_stages()
    run = simulating.simulate(config, outcomes.read(flags.over(given)), known=known)
    if form is not Form.TABLE:
        timeline: Json = [to_json(moment) for moment in run.timeline]
        refused: Json = list(run.refused)
        expressions: Json = [{"stage": stage, "text": text, "message": said} for stage, text, said in _left(run)]
        terminal.show(
            {
                "status": run.execution.head.status.value,
                "seconds": run.took.total_seconds(),
                "timeline": timeline,
                "expressions": expressions,
                "refused": refused,
            },
            form,
        )
    else:
        _show(run, () if run.execution.stages else validation.validate(config, known).problems)
    return 0 if run.execution.head.status is Status.SUCCEEDED else 1


def known_stages() -> dict[str, StageType]:
    """All stage types of this installation, by name and alias."""
    from gennaker import app as assembly

    return {
        name: one
        for plugin in assembly.installed_plugins()
        for one in plugin.stages
        for name in (one.name, *one.aliases)
    }


def _read(file: Path) -> Json:
    """A JSON or YAML file. Raises Refused."""
    try:
        return plain_yaml.read(documents.content(file))
    except plain_yaml.NotPlain as error:
        raise Refused(
            Problem(code="file.unreadable", message=f"{file} can't be read: {error}.", remedy="Give JSON or YAML.")
        ) from error


def _show(run: Run, wrong: Sequence[Problem]) -> None:
    """`wrong`: what is wrong with a definition that has therefore not begun."""
    for moment in run.timeline:
        line = f"{clock(moment.at):>12}  {moment.what:<15} {moment.stage}"
        terminal.say(f"{line}  {moment.note}" if moment.note else line)
    for one in run.execution.in_order():
        if one.start_time is None:
            terminal.say(f"{'never':>12}  {one.status.value:<15} {one.name}")
    for stage, text, said in _left(run):
        terminal.say(f"in {stage}, {text} stays as text: {said}")
    for refused in run.refused:
        terminal.say(f"not taken: {refused}")
    said = run.execution.head.cancellation_reason or ""
    if wrong and said.endswith(f": {'; '.join(map(str, wrong))}"):
        terminal.say("\n".join(map(str, wrong)))
        said = "The pipeline can't be run: see above."
    reason = said or ("" if run.execution.stages else "The pipeline has no stages.")
    status = run.execution.head.status.value
    terminal.say(f"{clock(run.took.total_seconds()):>12}  {status}" + (f"  {reason}" if reason else ""))


def _left(run: Run) -> Iterator[tuple[str, str, str]]:
    """Expressions that failed and so stayed as they were written: the stage, the text, why."""
    for stage in run.execution.in_order():
        for failure in foreign.mappings(stage.context.get(FAILURES)):
            yield stage.name, foreign.text_at(failure, "text"), foreign.text_at(failure, "message")


def clock(seconds: float) -> str:
    """`3d 04:05:06`."""
    whole = int(seconds)
    days, left = divmod(whole, 86400)
    text = f"{left // 3600:02}:{left % 3600 // 60:02}:{left % 60:02}"
    return f"{days}d {text}" if days else text


def parted(one: str) -> tuple[str, str]:
    """Name and value of a flag `NAME=VALUE`. Raises Refused."""
    name, separator, value = one.partition("=")
    if not separator or not name:
        raise Refused(
            Problem(code="flag.unreadable", message=f"{one!r} isn't of the form NAME=VALUE.", remedy="See --help.")
        )
    return name, value
