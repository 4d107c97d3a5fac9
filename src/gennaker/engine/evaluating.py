"""Evaluating: the expressions in a stage's context, with what the stage sees of its execution.

The only place of the engine that calls the expressions room. An expression that Spinnaker's evaluator can't evaluate
either (not closed, an unknown function, a null) leaves its text as it was and an entry in `expressionEvaluationSummary`,
as in Orca; one that it can and Gennaker doesn't is a problem of the stage, so that it never passes as text.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from gennaker.engine import identity, lookup, orca_json, variables
from gennaker.engine.contexts import expressions, has_expressions
from gennaker.expressions import template
from gennaker.expressions.conversions import Budget
from gennaker.expressions.execution_view import Parts
from gennaker.expressions.failures import Failure, Kind
from gennaker.expressions.functions import Lookup, LookupFailed
from gennaker.expressions.root import Root
from gennaker.expressions.values import MISSING, Value
from gennaker.interfaces.stages import Evaluation
from gennaker.model import foreign, pointers
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.effect import Notify
from gennaker.model.execution import Execution, ExecutionKind, Stage
from gennaker.model.problems import Problem

SUMMARY = "expressionEvaluationSummary"
FAILURES = "expressionFailures"
"""Beside Orca's summary: the place of each failure, the value of each part, and the key that was probably meant."""
_EXPLAINED = 10
"""Failures of one pass whose parts are found out."""
_NOT_HERE = frozenset({Kind.UNSUPPORTED, Kind.MUTATION})
_IN_ORDER = "v4"
"""With this evaluator variables are evaluated one after another, with the others all at once."""


_SKIP = "skipExpressionEvaluation"
"""Stages that have it keep what they are going to hand on, manifests, as it is written."""
_WRITTEN = ("manifests", "manifest", "resolvedManifests", "outputs.manifests")
_OF_TRIGGER = ("artifacts", "resolvedExpectedArtifacts")


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """A context after its expressions were evaluated."""

    context: JsonObject
    problem: Problem | None = None
    """An expression that Spinnaker evaluates and Gennaker doesn't."""


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

    def all_keys(self) -> Iterable[str]:
        return [*self._stage.context, *(key for one in self._ancestors() for key in one.outputs)]

    def all_of(self, key: str) -> list[Value]:
        own: list[Value] = [self._stage.context[key]] if key in self._stage.context else []
        found = [*own, *(one.outputs[key] for one in self._ancestors() if key in one.outputs)]
        trigger = self._execution.head.trigger
        return [*found, trigger[key]] if key in _OF_TRIGGER and trigger.get(key) else found

    def _ancestors(self) -> Iterable[Stage]:
        return {one.id: one for one in lookup.ancestors(self._execution, self._stage)}.values()


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
        said = f"{what} in an expression isn't offered here."
        self.refused.append(said)
        return LookupFailed(said)


def root_of(execution: Execution, stage: Stage, *, known: JsonObject | None = None, user: str = "") -> Root:
    """What expressions of a stage see; of an orchestration only the stage's context.

    `known` hides keys of the context; `user` is who asks, where it isn't the execution's user.
    """
    head = execution.head
    is_pipeline = head.kind is ExecutionKind.PIPELINE
    extras: JsonObject = {"templateVariables": head.template_variables} if head.template_variables else {}
    return Root(
        context=_StageNames(execution, stage),
        execution=_parts(execution) if is_pipeline else None,
        trigger=head.trigger if is_pipeline else None,
        # `#currentStage()` of a before-stage that is being planned is the one that plans it, as in Orca.
        stage_id=stage.id if stage.id in execution.stages else (stage.parent_id or ""),
        user=user or head.authentication.user,
        extras={**extras, **(known or {})},
    )


def _parts(execution: Execution) -> Parts:
    return Parts(
        head=lambda: orca_json.head_json(execution),
        stages=lambda: orca_json.seen_stages(execution),
        whole=lambda: orca_json.execution_json(execution),
    )


def without_summary(context: JsonObject) -> JsonObject:
    """The context without what an earlier pass has said of it."""
    if SUMMARY not in context and FAILURES not in context:
        return context
    return {key: value for key, value in context.items() if key not in (SUMMARY, FAILURES)}


def context_of(
    execution: Execution, stage: Stage, *, at: datetime, in_order: str = "", lookup: Lookup | None = None
) -> Evaluated:
    """The stage's context with everything evaluated that can be.

    `in_order` names its list of variables, if it has one; without `lookup` nobody can be asked, and what has to is a problem.
    """
    context = without_summary(stage.context)
    is_in_order = in_order in context and execution.head.spel_evaluator == _IN_ORDER
    if not has_expressions(context):
        plain: JsonObject = {in_order: variables.plain(context[in_order], of=in_order)} if is_in_order else {}
        return Evaluated(context={**context, **plain} if plain else context)
    work = _Work(execution, stage, at, lookup)
    raw = as_written(context)
    listed = context[in_order] if is_in_order else None
    apart = {*raw, in_order} if is_in_order else raw
    if apart:  # else it is the one that was looked at for expressions, and isn't looked at again
        context = {key: value for key, value in context.items() if key not in apart}
    value = work.evaluated(context)
    done: JsonObject = value if isinstance(value, dict) else context
    if listed is not None:
        before = len(work.failures)
        done = {**done, in_order: variables.evaluated(listed, work.variable, of=in_order)}
        found = [msgspec.structs.replace(one, pointer=f"/{in_order}{one.pointer}") for one in work.failures[before:]]
        work.failures = [*work.failures[:before], *found]
    return work.told({**done, **raw})


def once_more(execution: Execution, stage: Stage, *, at: datetime) -> Evaluated:
    """The context with what failed in it evaluated once more; what has come into it since isn't looked at."""
    failed = {
        foreign.said_at(one, "pointer")[1:].partition("/")[0] for one in foreign.mappings(stage.context[FAILURES])
    }
    context = without_summary(stage.context)
    raw = as_written(context)
    work = _Work(execution, stage, at)
    value = work.evaluated(
        {key: one for key, one in context.items() if pointers.escaped(key) in failed and key not in raw}
    )
    return work.told({**context, **foreign.mapping(value)})


def evaluation_of(
    execution: Execution, stage: Stage, value: Json, *, at: datetime, lookup: Lookup | None = None
) -> Evaluation:
    """Any JSON with its expressions evaluated as the stage sees them, with what failed."""
    if not has_expressions(value):
        return Evaluation(value=value)
    work = _Work(execution, stage, at, lookup)
    made = work.evaluated(value)
    return Evaluation(value=made, failed=tuple(one.message for one in work.failures), summary=work.summary)


def as_written(context: JsonObject) -> JsonObject:
    """What of a stage's context isn't evaluated."""
    return {key: context[key] for key in _WRITTEN if key in context} if foreign.flag(context.get(_SKIP)) else {}


class _Work:
    """Passes over parts of one stage's context, with one summary."""

    def __init__(self, execution: Execution, stage: Stage, at: datetime, lookup: Lookup | None = None) -> None:
        self._execution = execution
        self._stage = stage
        self._lookup = lookup
        self._at_ms = milliseconds(at) or 0
        self._budget = Budget(template.MAX_MADE)
        self.nobody = _NobodyToAsk()
        self.summary: JsonObject = {}
        self.failures: list[Failure] = []

    def evaluated(self, value: Json, known: JsonObject | None = None) -> Json:
        # Finding out on whose behalf a stage runs means going through all that is before it: only where somebody asks.
        asks_for_user = any("currentUser" in text for text in expressions(value))
        user = identity.user_of(self._execution, self._stage) if asks_for_user else ""
        done = template.evaluate(
            value,
            root_of(self._execution, self._stage, known=known, user=user),
            lookup=self._lookup or self.nobody,
            at_ms=self._at_ms,
            seed=f"{self._execution.head.id}/{self._stage.ref_id}",
            explains=max(_EXPLAINED - len(self.failures), 0),
            budget=self._budget,
        )
        self.failures += done.failures
        for expression, entries in done.summary.items():
            before = self.summary.get(expression)
            self.summary[expression] = [*foreign.items(before), *foreign.items(entries)]
        return done.value

    def told(self, context: JsonObject) -> Evaluated:
        """The evaluated context, with what has failed."""
        if self.summary:
            failures: list[Json] = [failure.as_json() for failure in self.failures]
            context = {**context, SUMMARY: self.summary, FAILURES: failures}
        return Evaluated(context=context, problem=unsupported(self.failures, self.nobody.refused))

    def variable(self, variable: JsonObject, known: JsonObject) -> tuple[JsonObject, bool]:
        """A map evaluated with the variables that are known, and whether all went well."""
        failures = len(self.failures)
        made = self.evaluated(variable, known)
        return (made if isinstance(made, dict) else variable), len(self.failures) == failures


def value_of(execution: Execution, stage: Stage, value: Json, *, at: datetime) -> Json:
    """Any JSON with its expressions evaluated as the stage sees them; what fails stays as it is."""
    if not has_expressions(value):
        return value
    return _alone(execution, stage, value, at=at).value


def condition_of(execution: Execution, stage: Stage, condition: str, *, at: datetime) -> tuple[Json, str]:
    """The value of a condition, which may be written without `${}`, and why it has none; empty: it has one."""
    is_bare = not condition.startswith("${")
    done = _alone(execution, stage, f"${{{condition}}}" if is_bare else condition, at=at)
    failures = [one.of_bare() if is_bare else one for one in done.failures]
    return done.value, " ".join(f"{one.message.rstrip('.')}{one.place}. {one.meant}".rstrip() for one in failures)


def _alone(execution: Execution, stage: Stage, value: Json, *, at: datetime) -> template.Evaluated:
    return template.evaluate(value, root_of(execution, stage), at_ms=milliseconds(at) or 0)


def notification_of(execution: Execution, effect: Notify, *, at: datetime) -> JsonObject:
    """The notification of an effect with its expressions evaluated as its stage, or the execution, sees them."""
    if not has_expressions(effect.notification):
        return effect.notification
    stage = execution.stages.get(effect.stage_id) if effect.stage_id else None
    head = execution.head
    nobody = Stage(id="", ref_id="", type="", name="", context={"templateVariables": head.template_variables})
    value = value_of(execution, stage or nobody, effect.notification, at=at)
    return value if isinstance(value, dict) else effect.notification


def unsupported(found: Iterable[Failure], refused: Iterable[str] = ()) -> Problem | None:
    """The first of the failures that Spinnaker's evaluator wouldn't have; `refused`: what nobody could be asked."""
    for failure in found:
        is_refused = any(said in failure.message for said in refused)
        if failure.kind in _NOT_HERE or is_refused:
            return Problem(
                code=f"expression.{Kind.UNSUPPORTED if is_refused else failure.kind}",
                message=f"{failure.message} (in the expression {failure.text!r})",
                remedy="Write the expression with what is supported, or take it out.",
                pointer=failure.pointer,
            )
    return None
