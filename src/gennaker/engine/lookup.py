"""Look-up: what a stage sees of the others.

Orca's rule: a key of the stage's own context, even if null; otherwise the **outputs** of the nearest ancestor that has
it, the stage's own outputs first; otherwise nothing. Contexts of other stages are never seen by plain name. Nearest
means: the stages it requires in the order it names them, then all synthetic stages of those, then their ancestors in
turn; a stage that requires none goes on with its parent (an after-stage with its parent's before-stages first).
"""

from collections.abc import Callable, Iterator

from gennaker.engine import graph
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, distinct
from gennaker.model.execution import Execution, Side, Stage

_MANY = 64
"""Stages from which on it is worth looking whether any of them has a key."""


def of_stage(execution: Execution, stage: Stage) -> Callable[[str], Json]:
    """The look-up of a stage: gives the value of a key, None where nobody has it."""

    def look_up(key: str) -> Json:
        return find(execution, stage, key)[1]

    return look_up


def find(execution: Execution, stage: Stage, key: str) -> tuple[bool, Json]:
    """Whether the key is visible from a stage, and its value."""
    if key in stage.context:
        return True, stage.context[key]
    if len(execution.stages) > _MANY and key not in stage.outputs and not _is_put_out(execution, key):
        return False, None
    for one in ancestors(execution, stage):
        if key in one.outputs:
            return True, one.outputs[key]
    return False, None


def _is_put_out(execution: Execution, key: str) -> bool:
    """Whether any stage at all has put the key out: a tenth of the cost of walking up where nobody has."""
    return any(key in one.outputs for one in execution.stages.values())


def ancestors(execution: Execution, stage: Stage) -> Iterator[Stage]:
    """The stage itself and everything before it, nearest first; a stage that is reached twice may come twice."""
    relations, stages = graph.of(execution), execution.stages
    visited: set[str] = set()
    yield stage
    waiting = [stage]
    while waiting:
        current = waiting.pop()
        visited.add(current.id)
        required = graph.requisites(relations, stages, current)
        previous = [one for one in required if one.id not in visited]
        if previous:
            yield from previous
            for one in previous:
                yield from graph.children(relations, stages, one.id)
            waiting.extend(reversed(previous))
        elif current.parent_id is not None and current.parent_id not in visited:
            if current.side is Side.AFTER:
                siblings = graph.children(relations, stages, current.parent_id)
                yield from (one for one in siblings if one.side is Side.BEFORE)
            parent = stages[current.parent_id]
            yield parent
            waiting.append(parent)


def execution_context(execution: Execution) -> JsonObject:
    """The outputs of the pipeline's own stages, merged in topological order.

    Lists are joined without repeats, of other values the last one wins.
    """
    merged: JsonObject = {}
    for stage in in_topological_order(execution):
        for key, value in stage.outputs.items():
            before = merged.get(key)
            if isinstance(before, list) and isinstance(value, list):
                merged[key] = distinct([*before, *value])
            else:
                merged[key] = value
    return merged


def in_topological_order(execution: Execution) -> list[Stage]:
    """The pipeline's own stages, each after all that it requires, otherwise in their order; without those of cycles."""
    relations, stages = graph.of(execution), execution.stages
    missing = {one: len(graph.requisites(relations, stages, stages[one])) for one in relations.top}
    ready = [one for one in relations.top if missing[one] == 0]
    ordered: list[Stage] = []
    for stage_id in ready:  # grows while it is read
        ordered.append(stages[stage_id])
        for following in relations.downstream.get(stage_id, ()):
            missing[following] -= 1
            if missing[following] == 0:
                ready.append(following)
    return ordered


def artifacts_of_run(execution: Execution, *, without_ref_id: str = "") -> list[JsonObject]:
    """All artifacts of a run, each once: its stages' outputs, latest stages first, then its trigger's.

    `without_ref_id` leaves out what the stage of this refId has put out, and whatever equals it.
    """
    own: list[JsonObject] = []
    found: list[JsonObject] = []
    for stage in reversed(in_topological_order(execution)):
        listed = foreign.mappings(stage.outputs.get("artifacts"))
        if without_ref_id and stage.ref_id == without_ref_id:
            own += listed
        found += listed
    found += foreign.mappings(execution.head.trigger.get("artifacts"))
    return distinct([*own, *found])[len(distinct(own)) :]


def artifacts(execution: Execution, stage: Stage) -> list[JsonObject]:
    """The artifacts that a stage sees: its own, its ancestors' by nearness, the trigger's; each once."""
    return distinct(one for source in _artifact_lists(execution, stage, "artifacts") for one in source)


def bound_artifact(execution: Execution, stage: Stage, expected_id: str) -> JsonObject | None:
    """The artifact that was bound to an expected one, nearest first; one without account takes the expected one's."""
    expected = _bound(execution, stage, expected_id)
    bound = expected.get("boundArtifact")
    return _with_account(bound, expected.get("matchArtifact")) if isinstance(bound, dict) else None


def is_default_bound(execution: Execution, stage: Stage, expected_id: str) -> bool:
    """Whether what was bound to an expected artifact is its default, which the pipeline's author has written."""
    expected = _bound(execution, stage, expected_id)
    return "boundArtifact" in expected and expected["boundArtifact"] == expected.get("defaultArtifact")


def _bound(execution: Execution, stage: Stage, expected_id: str) -> JsonObject:
    for source in _artifact_lists(execution, stage, "resolvedExpectedArtifacts"):
        for expected in source:
            if expected.get("id") == expected_id and isinstance(expected.get("boundArtifact"), dict):
                return expected
    return {}


def _with_account(bound: JsonObject, match: Json) -> JsonObject:
    account = match.get("artifactAccount") if isinstance(match, dict) else None
    return {**bound, "artifactAccount": account} if account and not bound.get("artifactAccount") else bound


def _artifact_lists(execution: Execution, stage: Stage, key: str) -> Iterator[list[JsonObject]]:
    yield foreign.mappings(stage.context.get(key))
    for one in ancestors(execution, stage):
        yield foreign.mappings(one.outputs.get(key))
    yield foreign.mappings(execution.head.trigger.get(key))
