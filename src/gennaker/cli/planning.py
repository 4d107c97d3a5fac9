"""`gennaker plan`: a dry run on the server, told: its stages with their values, what stays as text, and what changes.

The server plans each stage as if it ran it, and performs nothing that changes anything outside. The dry run stays in the
history as an execution that says so.
"""

from gennaker.cli import awaiting, terminal
from gennaker.cli.foreseen import Change, Foreseen
from gennaker.cli.terminal import Form
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, encode, to_json
from gennaker.model.foreign import mappings, mappings_at, text_at
from gennaker.model.statuses import Status
from gennaker.transport.client import Client

_LONGEST_VALUE = 100
_NOT_SHOWN = frozenset(
    {"expressionEvaluationSummary", "expressionFailures", "dryRunNotPlanned", "problems", "exception"}
)


def plan(client: Client, config: JsonObject, parameters: dict[str, str], form: Form) -> int:
    """Prints the plan; 1 where the run would fail before it does anything, or expressions would stay as text."""
    given: JsonObject = {**parameters}
    trigger: JsonObject = {"type": "manual", "dryRun": True, "parameters": given}
    answer = client.post("/orchestrate", {"application": "adhoc", **config, "trigger": trigger})
    execution = awaiting.ended(client, f"/api/v1/executions/{text_at(answer, 'ref').rpartition('/')[2]}")
    stages = mappings_at(execution, "stages")
    described = client.get(f"/applications/{text_at(execution, 'application')}/serverGroups")
    changes = Foreseen(mappings(described)).told(stages)
    has_failed = text_at(execution, "status") != Status.SUCCEEDED.value
    left = [one for stage in stages for one in mappings(_context(stage).get("expressionFailures"))]
    if form is not Form.TABLE:
        shown: list[Json] = [_shape(stage) for stage in stages]
        listed: list[Json] = [to_json(change) for change in changes]
        terminal.show({"status": execution["status"], "stages": shown, "changes": listed}, form)
    else:
        _tell(execution, stages, changes)
    return 1 if has_failed or left else 0


def _tell(execution: JsonObject, stages: list[JsonObject], changes: list[Change]) -> None:
    terminal.say(f"{text_at(execution, 'application')}: {text_at(execution, 'name')}  (dry run {execution['id']})")
    for problem in mappings_at(execution, "problems"):
        terminal.say(f"  {text_at(problem, 'message')} {text_at(problem, 'remedy')}".rstrip())
    depths: dict[str, int] = {"": 0}
    for stage in sorted(stages, key=lambda one: _path(one, {text_at(each, "id"): each for each in stages})):
        depth = depths.get(text_at(stage, "parentId"), 0)
        depths[text_at(stage, "id")] = depth + 1
        _tell_stage(stage, "  " * (depth + 1))
    terminal.say()
    terminal.say("Server groups:" if changes else "No server group is changed.")
    for change in changes:
        terminal.say(f"  {change.ref_id:<8} {change.cluster}: {change.sentence}")


def _tell_stage(stage: JsonObject, indent: str) -> None:
    after = ", ".join(str(one) for one in foreign.items(stage.get("requisiteStageRefIds")))
    kind = f"{text_at(stage, 'type')}, after {after}" if after else text_at(stage, "type")
    status = text_at(stage, "status")
    ends = "" if status == Status.SUCCEEDED.value else f"  {status}"
    terminal.say(f"{indent}{text_at(stage, 'refId'):<6} {text_at(stage, 'name')}  ({kind}){ends}")
    for key, value in _context(stage).items():
        if key not in _NOT_SHOWN and value is not None:
            text = value if isinstance(value, str) else encode(value).decode()
            short = text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
            terminal.say(f"{indent}       {key}: {short}")
    for failure in mappings(_context(stage).get("expressionFailures")):
        terminal.say(f"{indent}       ! {text_at(failure, 'text')} stays as text: {text_at(failure, 'message')}")
    if unplanned := text_at(_context(stage), "dryRunNotPlanned"):
        terminal.say(f"{indent}       ? What follows in it is known only when it runs: {unplanned}")


def _path(stage: JsonObject, by_id: dict[str, JsonObject]) -> tuple[int, ...]:
    """Its place in the tree: a stage before those that it has made."""
    places = {key: place for place, key in enumerate(by_id)}
    above = by_id.get(text_at(stage, "parentId"))
    return (*(_path(above, by_id) if above else ()), places[text_at(stage, "id")])


def _shape(stage: JsonObject) -> JsonObject:
    keys = ("refId", "type", "name", "status", "requisiteStageRefIds")
    tasks: list[Json] = [text_at(task, "name") for task in mappings_at(stage, "tasks")]
    return {**{key: stage.get(key) for key in keys}, "context": _context(stage), "tasks": tasks}


def _context(stage: JsonObject) -> JsonObject:
    return foreign.mapping(stage.get("context"))
