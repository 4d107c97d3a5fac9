"""Conditions: whether a stage is enabled (`stageEnabled`, Orca's OptionalStageSupport).

A condition that can't be evaluated, or gives anything but true or false, counts as false: the stage is skipped. That
is Orca's behaviour and pipelines rely on it.
"""

from datetime import datetime

from gennaker.engine import evaluating
from gennaker.model.codec import Json
from gennaker.model.execution import Execution, ExecutionKind, Stage


def why_disabled(execution: Execution, stage: Stage, *, at: datetime) -> str:
    """Why the stage is skipped; empty: it isn't. The stage's context has been evaluated."""
    if execution.head.kind is not ExecutionKind.PIPELINE:
        return ""
    owner: Stage | None = stage
    condition = _expression(stage.context.get("stageEnabled"))
    while condition is None and owner is not None and owner.parent_id is not None:
        owner = execution.stages.get(owner.parent_id)
        condition = _expression(owner.context.get("stageEnabled")) if owner else None
    if condition is None:
        return ""
    value, failed = evaluating.condition_of(execution, stage, condition, at=at)
    said = str(value).strip().lower()
    if said == "true":
        return ""
    if said == "false":
        return f"its condition is false: {condition}"
    if failed:
        return f"its condition can't be evaluated: {condition}: {failed}"
    return f"its condition is neither true nor false: {condition}"


def _expression(rule: Json) -> str | None:
    """The condition's expression; None: the stage has no rule that counts."""
    if not isinstance(rule, dict) or str(rule.get("type", "")).lower() != "expression":
        return None
    expression = rule.get("expression")
    if isinstance(expression, bool):
        return "true" if expression else "false"
    if expression is None:
        return None
    return str(expression) if str(expression).strip() else None
