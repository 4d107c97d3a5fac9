"""Failures: how a problem stands in a stage's context, in Orca's shape and in ours."""

from datetime import datetime

from gennaker.model.codec import Json, JsonObject, milliseconds, to_json
from gennaker.model.problems import Problem


def exception(problem: Problem, *, at: datetime, operation: str, is_retryable: bool = False) -> JsonObject:
    """Orca's error shape, with the whole problem beside it."""
    errors: list[Json] = [str(problem)]
    details: JsonObject = {"error": problem.message, "errors": errors}
    return {
        "timestamp": milliseconds(at),
        "exceptionType": problem.code,
        "operation": operation,
        "details": details,
        "shouldRetry": is_retryable,
    }


def in_context(context: JsonObject, problem: Problem, exception_shape: JsonObject) -> JsonObject:
    """The context of a stage that has failed: `exception` and one more of `problems`."""
    before = context.get("problems")
    problems: list[Json] = [
        *(before if isinstance(before, list) else []),
        to_json(problem),
    ]
    return {**context, "exception": exception_shape, "problems": problems}


def with_expression_errors(context: JsonObject) -> JsonObject:
    """The context with what went wrong in expressions added to `exception.details.errors`, once."""
    errors = _expression_errors(context.get("expressionEvaluationSummary"))
    if not errors:
        return context
    before = context.get("exception")
    shape: JsonObject = dict(before) if isinstance(before, dict) else {}
    found = shape.get("details")
    details: JsonObject = dict(found) if isinstance(found, dict) else {}
    listed = details.get("errors")
    known: list[Json] = list(listed) if isinstance(listed, list) else []
    details.setdefault("error", "Failed Expression Evaluation")
    details["errors"] = [*known, *(error for error in errors if error not in known)]
    shape["details"] = details
    return {**context, "exception": shape}


def _expression_errors(summary: Json) -> list[str]:
    if not isinstance(summary, dict):
        return []
    return [
        f"{entry.get('description') or 'failed'} ({expression})"
        for expression, entries in summary.items()
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    ]
