"""Evaluating: the expressions in a stage's context, with what the stage sees of its execution.

The only place of the engine that calls the expressions room. An expression that fails leaves its text as it was and an
entry in `expressionEvaluationSummary`, as in Orca; one that Gennaker doesn't support is a problem of the stage, so that
it never passes as text.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from gennaker.engine import lookup, orca_json
from gennaker.engine.contexts import has_expressions
from gennaker.expressions import template
from gennaker.expressions.failures import Failure, Kind
from gennaker.expressions.functions import LookupFailed
from gennaker.expressions.root import Root
from gennaker.expressions.values import MISSING, Value
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.effect import Notify
from gennaker.model.execution import Execution, ExecutionKind, Stage
from gennaker.model.problems import Problem

_SUMMARY = "expressionEvaluationSummary"


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """A context after its expressions were evaluated."""

    context: JsonObject
    problem: Problem | None = None
    """An expression that Gennaker doesn't support."""


class _StageNames:
    """What bare names see at a stage."""

    def __init__(self, execution: Execution, stage: Stage) -> None:
        self._execution = execution
        self._stage = stage

    def get(self, key: str) -> Value:
        found, value = lookup.find(self._execution, self._stage, key)
        return value if found else MISSING

    def own_keys(self) -> Iterable[str]:
        return self._stage.context.keys()


class _NobodyToAsk:
    """Stands where functions would ask other systems: what can't be asked must fail its stage, not stay as text."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def fetch(self, url: str) -> str:
        raise self._refusal(f"Fetching {url}")

    def fetch_reference(self, reference: str) -> str:
        raise self._refusal(f"Reading {reference} from an artifact store")

    def pipeline_id(self, name: str, application: str) -> str | None:
        raise self._refusal(f"Looking up the id of pipeline {name!r} {application}".rstrip())

    def application_metadata(self, name: str) -> JsonObject | None:
        raise self._refusal(f"Looking up the application {name!r}")

    def canary_config_id(self, name: str, application: str) -> str | None:
        raise self._refusal(f"Looking up the canary config {name!r} {application}".rstrip())

    def _refusal(self, what: str) -> LookupFailed:
        said = f"{what} in an expression isn't offered yet."
        self.refused.append(said)
        return LookupFailed(said)


def root_of(execution: Execution, stage: Stage) -> Root:
    """What expressions of a stage see; of an orchestration only the stage's context."""
    head = execution.head
    is_pipeline = head.kind is ExecutionKind.PIPELINE
    extras: JsonObject = {"templateVariables": head.template_variables} if head.template_variables else {}
    return Root(
        context=_StageNames(execution, stage),
        execution=(lambda: orca_json.execution_json(execution)) if is_pipeline else None,
        trigger=head.trigger if is_pipeline else None,
        stage_id=stage.id,
        user=head.authentication.user,
        extras=extras,
    )


def context_of(execution: Execution, stage: Stage, *, at: datetime) -> Evaluated:
    """The stage's context with everything evaluated that can be."""
    context = {key: value for key, value in stage.context.items() if key != _SUMMARY}
    if not has_expressions(context):
        return Evaluated(context=context)
    nobody = _NobodyToAsk()
    evaluated = template.evaluate(
        context,
        root_of(execution, stage),
        lookup=nobody,
        at_ms=milliseconds(at) or 0,
        seed=f"{execution.head.id}/{stage.ref_id}",
    )
    value = evaluated.value
    done: JsonObject = value if isinstance(value, dict) else context
    if evaluated.summary:
        done = {**done, _SUMMARY: evaluated.summary}
    return Evaluated(context=done, problem=_unsupported(evaluated.failures, nobody.refused))


def value_of(execution: Execution, stage: Stage, value: Json, *, at: datetime) -> Json:
    """Any JSON with its expressions evaluated as the stage sees them; what fails stays as it is."""
    if not has_expressions(value):
        return value
    return template.evaluate(value, root_of(execution, stage), at_ms=milliseconds(at) or 0).value


def notification_of(execution: Execution, effect: Notify, *, at: datetime) -> JsonObject:
    """The notification of an effect with its expressions evaluated as its stage, or the execution, sees them."""
    if not has_expressions(effect.notification):
        return effect.notification
    stage = execution.stages.get(effect.stage_id) if effect.stage_id else None
    head = execution.head
    nobody = Stage(id="", ref_id="", type="", name="", context={"templateVariables": head.template_variables})
    value = value_of(execution, stage or nobody, effect.notification, at=at)
    return value if isinstance(value, dict) else effect.notification


def _unsupported(found: Iterable[Failure], refused: list[str]) -> Problem | None:
    for failure in found:
        is_refused = any(said in failure.message for said in refused)
        if failure.kind is Kind.UNSUPPORTED or is_refused:
            return Problem(
                code=f"expression.{Kind.UNSUPPORTED}",
                message=f"{failure.message} (in the expression {failure.text!r})",
                remedy="Write the expression with what is supported, or take it out.",
                pointer=failure.pointer,
            )
    return None
