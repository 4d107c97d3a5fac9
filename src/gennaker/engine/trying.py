"""Trying: what expressions would give at an execution, without changing it (Orca's evaluateExpression, evaluateVariables)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from gennaker.engine import asking, evaluating, keys
from gennaker.expressions.functions import Lookup
from gennaker.interfaces.lookups import Outside
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution, Stage

_VARIABLES = "variables"
_TYPE = "evaluateVariables"

Made = TypeVar("Made")


async def expression(
    execution: Execution, stage: Stage | None, text: str, *, outside: Outside | None, at: datetime
) -> JsonObject:
    """`result` and `detail` (what failed) of a text, as the stage sees it, or with the execution and its trigger only."""
    asked = _stage(execution) if stage is None else stage
    seen = _with(execution, asked)
    made = await _made(
        lambda lookup: evaluating.evaluation_of(seen, asked, text, at=at, lookup=lookup), text, outside=outside
    )
    return {"result": made.value, "detail": made.summary or None}


async def variables(
    execution: Execution,
    listed: Sequence[JsonObject],
    *,
    after: Sequence[str] = (),
    version: str = "",
    outside: Outside | None,
    at: datetime,
) -> JsonObject:
    """`result` and `detail` of an evaluateVariables stage behind the stages of these refIds."""
    wanted: JsonObject = {_VARIABLES: [*listed]}
    stage = replace(_stage(execution), requisite_ref_ids=tuple(after), context=wanted)
    head = replace(execution.head, spel_evaluator=version or execution.head.spel_evaluator)
    seen = _with(replace(execution, head=head), stage)
    made = await _made(
        lambda lookup: evaluating.context_of(seen, stage, at=at, in_order=_VARIABLES, lookup=lookup).context,
        wanted,
        outside=outside,
    )
    return {"result": made.get(_VARIABLES), "detail": made.get(evaluating.SUMMARY)}


async def _made(work: Callable[[Lookup | None], Made], asked: Json, *, outside: Outside | None) -> Made:
    if outside is None or not asking.asks(asked):
        return work(None)
    return await asking.with_answers(work, outside)


def _stage(execution: Execution) -> Stage:
    return Stage(id=keys.stage_id(execution.head.id, _TYPE), ref_id=_TYPE, type=_TYPE, name=_TYPE)


def _with(execution: Execution, stage: Stage) -> Execution:
    """The execution as if the stage were part of it."""
    head = execution.head
    order = head.stage_order if stage.id in execution.stages else (*head.stage_order, stage.id)
    return replace(execution, head=replace(head, stage_order=order), stages=execution.stages.set(stage.id, stage))
