"""Running cases in the format of the golden files: `gennaker eval --cases FILE`.

A case has `expr` (a text) or `value` (a document), a `context` that is the root, and optionally
`allowUnknownKeys: false` and `statusKeys`. With `context.execution` the execution is parsed and `_evaluateAtStage`
names the stage (by refId) whose context is the root; where a result is the execution or a stage,
`{"__execution": id}` or `{"__stage": name}` stands for it. The value is evaluated under the key `v`, as the cases were made.
"""

import msgspec

from gennaker.expressions import root as roots
from gennaker.expressions.failures import Failure
from gennaker.expressions.root import Root
from gennaker.expressions.template import Evaluated, evaluate
from gennaker.expressions.trigger_view import objects
from gennaker.expressions.values import PlainNames, Status, Value
from gennaker.model.codec import Json, JsonObject, decode_json, encode, why_not_json
from gennaker.model.problems import Problem, Refused

_AT_MS = 1_700_000_000_000
"""The time of all cases: what they give mustn't depend on when they run."""


def run_cases(text: str) -> str:
    """An array of cases in, an array of `{value, level, error_kind}` in the same order out, both as JSON text.

    Raises `Refused` where the text isn't such an array.
    """
    try:
        cases = decode_json(text)
    except msgspec.DecodeError as cause:
        message = f"The cases aren't JSON: {why_not_json(cause, text.encode())}."
        raise Refused(Problem(code="cases.malformed", message=message)) from cause
    listed = [case for case in cases if isinstance(case, dict)] if isinstance(cases, list) else []
    if not isinstance(cases, list) or len(listed) < len(cases):
        raise Refused(Problem(code="cases.malformed", message="The cases must be a JSON array of objects."))
    return encode([run_case(case) for case in listed]).decode()


def run_case(case: JsonObject) -> JsonObject:
    """The result of one case."""
    given = case.get("expr", case.get("value"))
    evaluated = evaluated_case(case)
    made = evaluated.value
    assert isinstance(made, dict)
    failure = worst(evaluated.failures)
    return {
        "value": _with_placeholders(made.get("v", given), _live_objects(case)),
        "level": None if failure is None else failure.level,
        "error_kind": None if failure is None else str(failure.kind),
    }


def _live_objects(case: JsonObject) -> dict[int, JsonObject]:
    """What stands for the execution and its stages, by the identity of their JSON."""
    context = case.get("context")
    execution = context.get("execution") if isinstance(context, dict) else None
    found: dict[int, JsonObject] = {}
    while isinstance(execution, dict):
        found[id(execution)] = {"__execution": execution.get("id")}
        for stage in objects(execution.get("stages")):
            found[id(stage)] = {"__stage": stage.get("name")}
        trigger = execution.get("trigger")
        execution = trigger.get("parentExecution") if isinstance(trigger, dict) else None
    return found


def _with_placeholders(value: Json, live: dict[int, JsonObject]) -> Json:
    if not live or not isinstance(value, (dict, list)):
        return value
    if id(value) in live:
        return live[id(value)]
    if isinstance(value, list):
        return [_with_placeholders(item, live) for item in value]
    return {key: _with_placeholders(item, live) for key, item in value.items()}


def evaluated_case(case: JsonObject) -> Evaluated:
    """The whole outcome of one case; its value is a map with the key `v`."""
    given: Json = case.get("expr", case.get("value"))
    is_strict = case.get("allowUnknownKeys") is False
    return evaluate({"v": given}, _root(case), allow_unknown_keys=not is_strict, at_ms=_AT_MS)


def worst(failures: tuple[Failure, ...]) -> Failure | None:
    """The first failure of level ERROR, else the first of all."""
    return next((failure for failure in failures if failure.level == "ERROR"), failures[0] if failures else None)


def _root(case: JsonObject) -> Root:
    context = case.get("context")
    values: JsonObject = dict(context) if isinstance(context, dict) else {}
    stage_id = values.pop("_evaluateAtStage", "")
    execution = values.pop("execution", None)
    if isinstance(execution, dict):
        at = roots.at_stage(execution, stage_id if isinstance(stage_id, str) else "")
        return msgspec.structs.replace(at, extras={**at.extras, **values})
    names: dict[str, Value] = dict(values)
    status_keys = case.get("statusKeys")
    for key in status_keys if isinstance(status_keys, list) else ():
        if isinstance(key, str) and isinstance(names.get(key), str):
            names[key] = Status(str(names[key]))
    return Root(context=PlainNames(names))
