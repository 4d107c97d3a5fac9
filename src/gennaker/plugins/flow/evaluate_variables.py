"""Evaluate variables: gives values names that everything downstream sees.

With the evaluator v4 each variable sees those before it; one that fails keeps its text, and `failOnFailedExpressions`
makes that fail the stage. The engine evaluates them (`evaluates_in_order`); the task only hands them out.
"""

import msgspec

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult


class Variable(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of them."""

    key: Plain = ""
    value: Json = None
    source_value: Json = None
    """As it was written, where it has been evaluated."""
    description: str = ""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    variables: tuple[Variable, ...] | None = ()
    """Of two with the same key the later one counts."""


async def hand_out(context: TaskContext) -> TaskResult:
    """Every variable with a name becomes an output."""
    listed = context.stage.context.get("variables")
    outputs: JsonObject = {}
    for variable in listed if isinstance(listed, list) else ():
        if isinstance(variable, dict) and variable.get("key"):
            outputs[str(variable["key"])] = variable.get("value")
    return Done(outputs=outputs)


stage = StageType(
    name="evaluateVariables",
    label="Evaluate Variables",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="evaluateVariables", run=hand_out, is_calculation=True),),
    evaluates_in_order="variables",
    runs_in_dry_run=True,
)
